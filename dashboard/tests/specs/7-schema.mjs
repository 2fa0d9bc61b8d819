// The whole schema at once, the API pages, superusers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { App, email, password, startServer, launch, patience } from '../rig.mjs';
import { api, png } from '../seed.mjs';
import { serve } from '../serve.mjs';
import { smtp } from '../smtp.mjs';

const run = promisify(execFile);

check('T37 diagram of 30 collections: no line crosses a table, places survive a reload, SVG opens; a rule is edited in its table', async (app, p) => {
  const have = (await app.api('GET', '/api/collections?perPage=200')).items.filter((c) => !c.system);
  const more = Array.from({ length: 30 - have.length }, (_, i) => ({ name: `part_${String(i).padStart(2, '0')}`, type: 'base', fields: [{ name: 'name', type: 'text' }, { name: 'to', type: 'relation', collectionId: have[i % have.length].type === 'view' ? have[0].id : have[i % have.length].id, maxSelect: 1 + (i % 3) }] }));
  await app.api('PUT', '/api/collections/import', { collections: more, deleteMissing: false });
  await app.fresh('#/overview/erd');
  await p.waitForFunction(() => document.querySelectorAll('[data-table]').length === 30);
  const crossing = () => p.evaluate(() => {
    const boxes = [...document.querySelectorAll('[data-table]')].map((g) => { const [, x, y] = /translate\(([-\d.]+) ([-\d.]+)\)/.exec(g.getAttribute('transform')); const r = g.querySelector('rect'); return { name: g.dataset.table, x: +x, y: +y, w: +r.getAttribute('width'), h: +r.getAttribute('height') }; });
    const bad = [];
    const edges = [...document.querySelectorAll('[data-edge]')];
    for (const e of edges) {
      const pts = [...e.getAttribute('d').matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)].map((m) => [+m[1], +m[2]]);
      for (let i = 1; i < pts.length; i++) for (const b of boxes) if (Math.max(pts[i - 1][0], pts[i][0]) > b.x && Math.min(pts[i - 1][0], pts[i][0]) < b.x + b.w && Math.max(pts[i - 1][1], pts[i][1]) > b.y && Math.min(pts[i - 1][1], pts[i][1]) < b.y + b.h) bad.push(`${e.dataset.edge} through ${b.name}`);
    }
    return { edges: edges.length, bad };
  });
  const first = await crossing();
  assert.ok(first.edges >= 24, `${first.edges} lines`);
  assert.deepEqual(first.bad, []);
  const table = p.locator('[data-table=comments]');
  const box = await table.locator('rect').boundingBox();
  await p.mouse.move(box.x + 20, box.y + 6);
  await p.mouse.down();
  await p.mouse.move(box.x + 60, box.y + 240, { steps: 6 });
  await p.mouse.up();
  const where = await table.getAttribute('transform');
  assert.deepEqual((await crossing()).bad, []);
  await p.reload();
  await p.waitForSelector('[data-table=comments]');
  assert.equal(await table.getAttribute('transform'), where);
  await p.getByRole('button', { name: 'More' }).click();
  const [file] = await Promise.all([p.waitForEvent('download'), p.getByRole('menuitem', { name: 'SVG' }).click()]);
  const svg = readFileSync(await file.path(), 'utf8');
  const opened = await p.evaluate((text) => { const d = new DOMParser().parseFromString(text, 'image/svg+xml'); return { root: d.documentElement.nodeName, error: !!d.querySelector('parsererror'), tables: [...d.querySelectorAll('text')].filter((t) => t.textContent === 'comments').length, vars: /var\(--/.test(text) }; }, svg);
  assert.deepEqual(opened, { root: 'svg', error: false, tables: 1, vars: false });
  // the table of all rules
  await app.open('#/overview/rules');
  const cell = p.getByRole('button', { name: /^categories · Update/ });
  await cell.click();
  await p.locator('dialog .seg').getByText('Rule', { exact: true }).click();
  await p.locator('dialog .cm-content').click();
  await p.keyboard.insertText("@request.auth.id != ''");
  app.clear();
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.toast >> text=The rule is saved');
  assert.deepEqual(JSON.parse(app.requests('PATCH')[0].body), { updateRule: "@request.auth.id != ''" });
  await p.getByRole('button', { name: /^categories · Update: @request/ }).waitFor();
  await app.api('PATCH', '/api/collections/categories', { updateRule: null });
});

// every example as shown, with tokens filled in
check('T38 API pages: JavaScript and curl examples run as they stand', async (app, p, r) => {
  const dir = mkdtempSync(join(tmpdir(), 'dash-api-'));
  try {
    symlinkSync(new URL('../../node_modules', import.meta.url).pathname, join(dir, 'node_modules'));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    writeFileSync(join(dir, 'cover.png'), png);
    writeFileSync(join(dir, 'avatar.png'), png);
    const account = 'ann@example.com';
    // rules that let the account do everything: the examples say "the caller has to be signed in"
    const posts = await app.api('GET', '/api/collections/posts');
    await app.api('PATCH', '/api/collections/posts', { listRule: "@request.auth.id != ''", updateRule: "@request.auth.id != ''" });
    const users = await app.api('GET', '/api/collections/users');
    await app.api('PATCH', '/api/collections/users', { listRule: "@request.auth.id != ''", updateRule: "@request.auth.id != ''" });
    const su = app.auth.token, own = (await api(r.front, 'POST', '/api/collections/users/auth-with-password', { identity: account, password })).token;
    let n = 0;
    const example = async (collection, section, lang, i) => {
      await app.open(`#/api/${collection}/${section}`);
      await p.waitForFunction((s) => location.hash === `#/api/${s[0]}/${s[1]}` && document.querySelector('h1')?.textContent.startsWith(s[0]) && !/RECORD_ID/.test(document.querySelector('pre.example')?.textContent ?? 'RECORD_ID'), [collection, section]);
      await p.getByRole('button', { name: lang, exact: true }).click();
      await p.waitForFunction((l) => document.querySelector('pre.example')?.dataset.language === l, lang === 'JavaScript' ? 'js' : lang);
      const texts = await p.locator('pre.example').allTextContents();
      return { text: texts[i], count: texts.length, superuser: (await p.locator('.who').textContent()).includes('Superusers only') };
    };
    for (const collection of ['posts', 'users']) for (const section of ['list', 'create', 'update', ...(collection === 'users' ? ['auth-with-password', 'auth-methods', 'auth-refresh'] : [])]) for (const lang of ['JavaScript', 'curl']) {
      for (let i = 0, count = 1; i < count; i++) {
        const x = await example(collection, section, lang, i);
        count = x.count;
        const fresh = `person${n++}@example.com`;
        if (collection === 'users' && section === 'create') x.text = x.text.replace('new.person@example.com', fresh);
        if (section === 'auth-with-password') x.text = x.text.replace('YOUR_PASSWORD', password).replace(/[\w.]+@example\.com/, account);
        if (lang === 'JavaScript') {
          const script = x.text.replace("'YOUR_EMAIL', 'YOUR_PASSWORD'", `'${x.superuser ? email : account}', '${password}'`).replaceAll("['content']", `[Buffer.from('${png.toString('base64')}', 'base64')]`);
          const file = join(dir, `e${n}-${i}.mjs`);
          writeFileSync(file, `${script}\nconsole.log('fine');\n`);
          const out = await run(process.execPath, [file], { cwd: dir, timeout: patience }).catch((e) => ({ stdout: `${e.stderr}\n${script}` }));
          assert.match(out.stdout, /fine\s*$/, `${collection} ${section} ${lang} ${i}\n${out.stdout}`);
        } else {
          const out = await run('bash', ['-c', x.text.replace('TOKEN', x.superuser ? su : own).replace(/^curl /, 'curl -sS -w "\\n%{http_code}" ')], { cwd: dir, timeout: patience });
          assert.match(out.stdout, /\n20[04]$/, `${collection} ${section} ${lang} ${i}\n${x.text}\n${out.stdout}`);
        }
      }
    }
    await app.api('PATCH', '/api/collections/posts', { listRule: posts.listRule, updateRule: posts.updateRule });
    await app.api('PATCH', '/api/collections/users', { listRule: users.listRule, updateRule: users.updateRule });
    // sending from the page, as a guest
    await app.open('#/api/categories/list');
    await p.locator('summary', { hasText: 'Try it' }).click();
    await p.getByLabel('As', { exact: true }).selectOption('guest');
    await p.getByRole('button', { name: 'Send' }).click();
    await p.waitForSelector('.answer >> text=totalItems');
  } finally { rmSync(dir, { recursive: true, force: true }); }
});

check('T67 superusers: invitation by mail, the last one stays, own password keeps the login, others are signed out', async () => {
  const s = await startServer();
  const front = await serve({ server: s.url });
  const mail = await smtp();
  const browser = await launch();
  try {
    const app = await App.open(browser, front.url), p = app.page;
    p.setDefaultTimeout(15_000);
    await app.api('PATCH', '/api/settings', { smtp: { enabled: true, host: '127.0.0.1', port: mail.port }, meta: { appURL: front.url } });
    await app.fresh('#/superusers');
    await p.waitForSelector('a.id');
    // the only one cannot be deleted
    await p.locator('a.id').first().click();
    await p.waitForSelector('.drawer footer');
    await p.locator('.drawer header').getByRole('button', { name: 'More' }).click();
    assert.ok(await p.getByRole('menuitem', { name: /Delete/ }).isDisabled());
    await p.keyboard.press('Escape');
    // a new password for the own account: the session goes on without a question
    await p.waitForFunction(() => !document.querySelector('.drawer .input.wait'));
    await p.locator('[data-field=password]').getByRole('button').first().click();
    await p.locator('[data-field=password] input').first().fill('another password');
    await p.keyboard.press('Control+s');
    await p.waitForSelector('.toast >> text=Saved');
    await p.keyboard.press('Escape');
    await p.keyboard.press('Escape');
    await p.waitForSelector('.drawer', { state: 'detached' });
    await app.open('#/settings/mail');
    await p.waitForSelector('h1 >> text=Mail');
    await p.waitForSelector('.screen .input');
    assert.equal(await p.locator('dialog').count(), 0);
    app.auth = await api(front.url, 'POST', '/api/collections/_superusers/auth-with-password', { identity: email, password: 'another password' });
    // the invitation
    await app.open('#/superusers');
    await p.getByRole('button', { name: 'Invite…' }).click();
    await p.locator('dialog input').fill('second@example.com');
    await p.getByRole('button', { name: 'Invite', exact: true }).click();
    await p.waitForSelector('.toast >> text=second@example.com');
    // a mail about the new sign-in may come first
    let link;
    for (let i = 0; i < 3 && !link; i++) link = /\/_\/(#\/auth\/confirm-password-reset\/[\w.-]+)/.exec(await mail.next(i))?.[1];
    assert.ok(link, 'no link in the mail');
    const guest = await App.open(browser, front.url, { auth: false });
    await guest.fresh(link);
    for (const i of [0, 1]) await guest.page.locator('[autocomplete=new-password]').nth(i).fill('the second one');
    await guest.page.keyboard.press('Enter');
    await guest.page.waitForSelector('text=is set');
    const second = await api(front.url, 'POST', '/api/collections/_superusers/auth-with-password', { identity: 'second@example.com', password: 'the second one' });
    // revoking: the second one's token ends
    await app.fresh(`#/collections?collection=_superusers&record=${second.record.id}&tab=auth`);
    await p.getByRole('button', { name: 'Sign out everywhere' }).click();
    await p.locator('dialog .btn.fill').click();
    await p.waitForSelector('.toast >> text=Signed out everywhere');
    await assert.rejects(api(front.url, 'GET', '/api/settings', undefined, second.token), /401|403/);
    await p.locator('.drawer header').getByRole('button', { name: 'More' }).click();
    assert.ok(!(await p.getByRole('menuitem', { name: /Delete/ }).isDisabled()));
    assert.deepEqual(app.problems, []);
  } finally { await browser.close(); front.close(); mail.close(); await s.stop(); }
}, { own: true });
