// The pictures of docs/dashboard.md, from the test data: `PB_BIN=… node tests/pictures.mjs`.
import { mkdirSync } from 'node:fs';
import { App, rig } from './rig.mjs';
import { screens } from './shots.mjs';

const out = new URL('../pictures/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const r = await rig({ size: 'small' });
for (const [name, scheme] of [['list', 'light'], ['record', 'light'], ['rules', 'dark'], ['settings-sql', 'dark']]) {
  const app = await App.open(r.browser, r.front, { scheme });
  const s = screens.find((x) => x.name === name);
  await app.fresh(s.hash);
  await s.ready(app.page);
  await app.page.waitForTimeout(500);
  await app.page.screenshot({ path: `${out}${name}.jpg`, type: 'jpeg', quality: 72 });
  await app.close();
}
await r.stop();
