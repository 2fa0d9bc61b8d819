// Runs the browser checks: `PB_BIN=… node tests/run.mjs [--only T12] [--spec name] [--keep-going]`. One seeded server for all; each check has its own browser context.
import { readdirSync } from 'node:fs';
import { App, rig } from './rig.mjs';

const arg = (name) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? '' : process.argv[i + 1]; };
const only = arg('only'), specName = arg('spec');
const checks = [];
export const check = (name, run, options = {}) => checks.push({ name, run, options });
globalThis.check = check;
for (const f of readdirSync(new URL('./specs/', import.meta.url)).filter((x) => x.endsWith('.mjs') && x.includes(specName)).sort()) await import(`./specs/${f}`);

const started = Date.now();
let r, passed = 0;
const failed = [];
for (const c of checks.filter((x) => !only || only.split(',').some((o) => x.name.split(' ')[0] === o || x.name.includes(o) && o.length > 4))) {
  if (!c.options.own) r ??= await rig();
  let app;
  const t = Date.now();
  try {
    if (c.options.own) await c.run();
    else {
      app = await App.open(r.browser, r.front, c.options);
      app.page.setDefaultTimeout(10_000);
      await Promise.race([c.run(app, app.page, r), new Promise((_, no) => setTimeout(() => no(new Error('took longer than 60 s')), c.options.limit ?? 60_000))]);
      if (app.problems.length && !c.options.allow) throw new Error(app.problems.slice(0, 4).join('\n'));
    }
    passed++;
    console.log(`ok   ${c.name} (${Date.now() - t} ms)`);
  } catch (e) {
    failed.push(c.name);
    console.log(`FAIL ${c.name}\n     ${String(e.stack ?? e).split('\n').slice(0, 6).join('\n     ')}`);
    try { await app?.page.screenshot({ path: `/tmp/dash-fail-${c.name.split(' ')[0]}.png` }); } catch { /* gone */ }
  } finally {
    if (r) r.faults.hook = null;
    try { await app?.close(); } catch { /* closed by the check */ }
  }
}
await r?.stop();
console.log(`${passed} passed, ${failed.length} failed in ${Math.round((Date.now() - started) / 1000)} s${failed.length ? `: ${failed.map((f) => f.split(' ')[0]).join(' ')}` : ''}`);
process.exit(failed.length ? 1 : 0);
