import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { App } from '../rig.mjs';
import { serve } from '../serve.mjs';
import { screens } from '../shots.mjs';

export const extended = true;

const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

for (const scheme of ['light', 'dark']) check(`T57 accessibility, ${scheme}: no serious finding on any screen`, async (app, p, r) => {
  const found = [];
  for (const guest of [true, false]) {
    const one = await App.open(r.browser, r.front, { auth: !guest, scheme });
    for (const s of screens.filter((x) => !!x.guest === guest)) {
      try { await one.fresh(s.hash); await s.ready(one.page); } catch (e) { throw new Error(`${s.name}: ${e.message}`); }
      await one.page.evaluate(() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go))));
      // the debugger evaluates it: no hole in the CSP is needed
      await one.page.evaluate(axe);
      const out = await one.page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'], rules: { region: { enabled: false } } })).violations.filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 2).map((n) => `${n.target.join(' ')} ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''}`).join(' | ')}`));
      for (const o of out) found.push(`${s.name}: ${o}`);
    }
    if (one.problems.length) found.push(...one.problems);
    await one.close();
  }
  assert.deepEqual(found, []);
});

check('T57 dialogs trap the focus and give it back; accents are readable; 200 % loses nothing', async (app, p) => {
  await app.fresh('#/collections?collection=posts');
  await p.waitForSelector('[role=gridcell]');
  await p.locator('[role=grid]').focus();
  await p.keyboard.press('?');
  await p.getByRole('button', { name: 'Account' }).focus();
  await p.keyboard.press('?');
  await p.waitForSelector('dialog.modal');
  for (let i = 0; i < 12; i++) { await p.keyboard.press('Tab'); assert.ok(await p.evaluate(() => document.activeElement === document.body || !!document.activeElement?.closest('dialog')), 'the focus left the dialog'); }
  await p.keyboard.press('Escape');
  await p.waitForSelector('dialog.modal', { state: 'detached' });
  assert.equal(await p.evaluate(() => document.activeElement?.getAttribute('aria-label')), 'Account');
  const luminance = `(() => { const lin = (v) => { const x = v / 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }; const probe = document.createElement('i'); document.body.append(probe); const of = (name) => { probe.style.color = 'var(' + name + ')'; const m = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number); return 0.2126 * lin(m[0]) + 0.7152 * lin(m[1]) + 0.0722 * lin(m[2]); }; const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); return [['--accent', '--surface-1'], ['--accent', '--surface-2'], ['--on-accent', '--accent']].map(([a, b]) => ratio(of(a), of(b))); })()`;
  const before = (await app.api('GET', '/api/settings')).meta.accentColor;
  for (const accent of ['#1055c9', '#0f766e', '#15803d', '#b45309', '#be123c', '#6d28d9', '#ffee00']) {
    await app.api('PATCH', '/api/settings', { meta: { accentColor: accent } });
    await app.fresh('#/settings/application');
    await p.waitForSelector('.screen .input');
    for (const scheme of ['light', 'dark']) { await p.emulateMedia({ colorScheme: scheme }); for (const r of await p.evaluate(luminance)) assert.ok(r >= 4.5, `${accent} ${scheme}: ${r}`); }
  }
  await app.api('PATCH', '/api/settings', { meta: { accentColor: before } });
  await p.emulateMedia({ colorScheme: 'light' });
  // 200 %: the window is half as large in CSS pixels
  await p.setViewportSize({ width: 640, height: 400 });
  for (const hash of ['#/collections?collection=posts', '#/settings/mail', '#/overview/rules', '#/api/posts/list', '#/logs']) {
    await app.fresh(hash);
    await p.waitForSelector('h1');
    assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1), hash);
  }
});

check('T56 phone: find a record, edit, delete, read a log; no sideways scroll; targets', async (app, p) => {
  await app.fresh('#/collections');
  await p.waitForSelector('.side a.item');
  await p.locator('.side input').fill('pinned');
  await p.locator('.side a.item').first().click();
  await p.waitForSelector('[role=listitem] a');
  await p.locator('[role=listitem] a').first().click();
  await p.waitForSelector('[data-field=rank] input');
  await p.locator('[data-field=rank] input').fill('5');
  await p.locator('.drawer footer .primary').click();
  await p.waitForSelector('.toast >> text=Saved');
  const small = await p.evaluate(() => [...document.querySelectorAll('.drawer .btn, .drawer .input, .rail .place')].filter((n) => n.getClientRects().length && n.getBoundingClientRect().height < 43.5).map((n) => n.outerHTML.slice(0, 120)));
  assert.deepEqual(small, []);
  assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await p.locator('.drawer header').getByRole('button', { name: 'Close' }).click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  // one is deleted
  const rows = await p.locator('[role=listitem]').count();
  await p.locator('[role=listitem] a').first().click();
  await p.locator('.drawer header').getByRole('button', { name: 'More' }).click();
  await p.getByRole('menuitem', { name: 'Delete' }).click();
  await p.locator('dialog .btn.fill').click();
  await p.waitForFunction((n) => document.querySelectorAll('[role=listitem]').length === n - 1 || !!document.querySelector('.empty'), rows);
  await p.locator('.rail a', { hasText: 'Logs' }).click();
  await p.locator('.head').waitFor();
  await p.locator('.log').first().click();
  await p.waitForSelector('.drawer table');
  assert.ok(await p.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}, { touch: true, context: { viewport: { width: 360, height: 740 } } });

check('T59 under a sub-path', async (app, p, r) => {
  const front = await serve({ server: r.server.url, prefix: '/sub/path' });
  const one = await App.open(r.browser, front.url);
  await one.fresh('#/collections?collection=posts');
  await one.page.waitForSelector('[role=gridcell]');
  await one.page.locator('a.id').first().click();
  await one.page.waitForSelector('.drawer .ProseMirror');
  await one.page.locator('[data-field=title] textarea').fill('under a path');
  await one.page.keyboard.press('Control+s');
  await one.page.waitForSelector('text=Saved');
  assert.ok(one.calls.every((c) => c.url.startsWith('/api/')));
  assert.deepEqual(one.problems, []);
  await one.close();
  front.close();
});

check('T60 stored scripts of an account run nowhere: fields, file names and previews, logs, mails, names, extensions', async (app, p, r) => {
  const evil = '<img src=x onerror="window.xss=1"><script>window.xss=1</script>', link = 'javascript:window.xss=1';
  // what runs, in this page or in a frame, and what the policy had to stop
  await app.context.exposeFunction('tellXss', (what) => app.problems.push(what));
  await app.context.addInitScript(() => {
    let ran; Object.defineProperty(window, 'xss', { configurable: true, get: () => ran, set: (v) => { ran = v; void window.tellXss?.(`a script ran at ${location.href}`); } });
    document.addEventListener('securitypolicyviolation', (e) => void window.tellXss?.(`csp report: ${e.violatedDirective} ${e.blockedURI} at ${location.href}`));
  });
  const call = (m, path, b) => app.api(m, path, b);
  await call('POST', '/api/collections', { name: 'evil', type: 'base', listRule: '', viewRule: '', createRule: "@request.auth.id != ''", fields: [
    { name: 't', type: 'text', help: evil, presentable: true }, { name: 'e', type: 'editor' }, { name: 'j', type: 'json' }, { name: 's', type: 'select', values: [evil], maxSelect: 1 }, { name: 'm', type: 'select', values: [evil, 'b'], maxSelect: 2 },
    { name: 'u', type: 'url' }, { name: 'g', type: 'geoPoint' }, { name: 'f', type: 'file', maxSelect: 9 }, { name: 'p', type: 'password' }] });
  const evilId = (await call('GET', '/api/collections/evil')).id;
  await call('POST', '/api/collections', { name: 'evil_refs', type: 'base', fields: [{ name: 'to', type: 'relation', collectionId: evilId, maxSelect: 1 }] });
  await call('POST', '/api/collections', { name: 'evil_view', type: 'view', viewQuery: 'SELECT id, t, j, e FROM evil' });
  // an account writes it, as whoever signs up could
  const who = await (await fetch(`${r.front}/api/collections/users/auth-with-password`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ identity: 'ann@example.com', password: '1234567890' }) })).json();
  const form = new FormData();
  form.set('@jsonPayload', JSON.stringify({ t: evil, e: `${evil}<a href="${link}">x</a><iframe srcdoc="<script>parent.xss=1</script>"></iframe><svg onload="window.xss=1"></svg><form action="${link}"><button>b</button></form>`, j: { [evil]: [evil, link] }, s: evil, m: [evil, 'b'], u: `https://example.com/?${encodeURIComponent(evil)}`, g: { lon: 1, lat: 2 }, p: '1234567890' }));
  const files = { 'a"><img src=x onerror=xss=1>.svg': ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg" onload="parent.xss=1"><script>parent.xss=1;window.xss=1</script><foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="parent.xss=1"/></foreignObject></svg>'], 'page.html': ['text/html', evil], 'page.xhtml': ['application/xhtml+xml', `<html xmlns="http://www.w3.org/1999/xhtml"><script>window.xss=1</script></html>`], 'note.txt': ['text/plain', evil], 'data.json': ['application/json', JSON.stringify(evil)], 'paper.pdf': ['application/pdf', `%PDF-1.4\n${evil}`] };
  for (const [name, [type, text]] of Object.entries(files)) form.append('f', new Blob([text], { type }), name);
  const made = await fetch(`${r.front}/api/collections/evil/records`, { method: 'POST', headers: { Authorization: who.token }, body: form });
  const rec = await made.json();
  assert.equal(made.status, 200, JSON.stringify(rec));
  await fetch(`${r.front}/api/collections/users/records/${who.record.id}`, { method: 'PATCH', headers: { Authorization: who.token, 'Content-Type': 'application/json' }, body: JSON.stringify({ name: evil }) });
  await fetch(`${r.front}/api/${encodeURIComponent(evil)}`, { headers: { 'User-Agent': evil, Referer: `https://x/?${encodeURIComponent(evil)}` } });
  await call('POST', '/api/collections/evil_refs/records', { to: rec.id });
  const meta = (await call('GET', '/api/settings')).meta;
  await call('PATCH', '/api/settings', { meta: { appName: evil, senderName: evil } });
  try {
    await app.logged('onerror');
    const settled = async () => { await app.quiet(); await p.evaluate(() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))); };
    const places = ['#/collections?collection=evil', '#/collections?collection=evil_refs', '#/collections?collection=evil_view', '#/collections?collection=users', '#/collections?collection=evil&edit=fields&field=t', '#/collections?collection=evil_view&edit=query', '#/logs?superuserRequests=1', `#/collections?collection=evil&filter=${encodeURIComponent(evil)}`, `#/${encodeURIComponent(evil)}`, `#/collections?collection=${encodeURIComponent(evil)}`,
      '#/overview/erd', '#/overview/rules', '#/api/evil/create', '#/settings/application', '#/settings/mail', '#/settings/export-collections', '#/realtime?topic=evil/*', '#/jobs', '#/secrets', '#/gateway', '#/processes/ticker', '#/analytics'];
    for (const hash of places) { await app.fresh(hash); await p.waitForSelector('h1, [role=gridcell], .drawer .line, .empty'); await settled(); }
    await app.open('#/logs?superuserRequests=1');
    await p.locator('.log', { hasText: 'onerror' }).first().click();
    await p.waitForSelector('.drawer table');
    // the record: rich text, files and their previews, JSON
    await app.fresh(`#/collections?collection=evil&record=${rec.id}`);
    await p.waitForSelector('.drawer .source, .drawer .ProseMirror');
    for (const name of rec.f) {
      const preview = p.getByRole('button', { name: `Preview ${name}` });
      // others go to a page of their own, below
      if (/\.(xhtml|pdf)$/.test(name)) continue;
      await preview.click();
      await p.locator('dialog header button').first().waitFor();
      await settled();
      await p.locator('dialog header button').first().click();
    }
    for (const tab of ['JSON', 'References', 'Activity']) { await p.getByRole('tab', { name: tab }).click(); await settled(); }
    assert.deepEqual(app.problems, []);
    // the server's own answer for a file that is opened by its address is no page that runs
    for (const name of rec.f) {
      const file = await app.context.newPage();
      app.watch(file);
      await Promise.race([file.goto(`${r.front}/api/files/evil/${rec.id}/${name}`).catch(() => null), file.waitForEvent('download').catch(() => null)]);
      await file.close();
    }
    // what a sandboxed frame refuses to run is said in the console by its own document, which is what it is for
    app.problems = app.problems.filter((x) => !x.includes('/api/files/') && !/sandboxed|Content Security Policy/.test(x));
    assert.deepEqual(app.problems, []);
    // mail templates are shown in a frame that may run nothing
    await app.fresh('#/collections?collection=users&edit=options');
    await p.locator('.drawer summary', { hasText: 'Password reset' }).click();
    await p.locator('.drawer details[open] .cm-content').last().click();
    await p.keyboard.press('Control+a');
    await p.keyboard.insertText(evil);
    await p.locator('.drawer details[open]').getByRole('button', { name: 'Preview' }).click();
    await p.waitForSelector('iframe');
    assert.equal(await p.locator('iframe').getAttribute('sandbox'), '');
    await p.frameLocator('iframe').locator('img').first().waitFor({ state: 'attached' });
    await settled();
    assert.equal(await p.evaluate(() => window.xss), undefined);
    app.problems = app.problems.filter((x) => !/sandbox|about:srcdoc|inline (event handler|script)/i.test(x));
  } finally { await call('PATCH', '/api/settings', { meta: { appName: meta.appName, senderName: meta.senderName } }); }
});

check('T63 zh-CN: no English sentence is left; the catalogue is complete', async (app, p) => {
  const sentences = new Set();
  const walk = (dir) => { for (const f of readdirSync(dir)) { const path = `${dir}/${f}`; if (f === 'i18n') continue; if (statSync(path).isDirectory()) walk(path); else if (/\.(svelte|ts)$/.test(f)) for (const m of readFileSync(path, 'utf8').matchAll(/\bt\(\s*(['"])((?:\\.|(?!\1).)*)\1/g)) sentences.add(m[2].replace(/\\'/g, "'")); } };
  walk(new URL('../../src', import.meta.url).pathname);
  const catalogue = readFileSync(new URL('../../src/i18n/zh-CN.ts', import.meta.url), 'utf8');
  const missing = [...sentences].filter((s) => !catalogue.includes(JSON.stringify(s)));
  assert.deepEqual(missing, []);
  await app.fresh('#/collections?collection=posts');
  await p.waitForSelector('[role=gridcell]');
  const text = await p.evaluate(() => [...document.querySelectorAll('button, .rail a, input[placeholder], h1, label')].map((n) => n.placeholder || n.textContent.trim()).filter((x) => /^[A-Z][a-z]+( [a-z]+)+$/.test(x)));
  assert.deepEqual(text, []);
}, { context: { locale: 'zh-CN' } });

check('T64 a new field type is one file: editor, list, drawer, filter, API examples', async (app, p, r) => {
  // a copy of the sources, with one file more, built and served in front of the same server
  const home = mkdtempSync(join(tmpdir(), 'dash-type-')), from = new URL('../../', import.meta.url).pathname;
  try {
    for (const f of ['src', 'public', 'index.html', 'package.json', 'vite.config.ts', 'svelte.config.js', 'tsconfig.json']) cpSync(join(from, f), join(home, f), { recursive: true });
    symlinkSync(join(from, 'node_modules'), join(home, 'node_modules'));
    writeFileSync(join(home, 'src/fields/Color.svelte'), `<script lang="ts" module>
  import type { FieldModule, FormProps } from './types';
  export const field: FieldModule['field'] = { type: 'color', label: 'Colour tone', icon: 'sun', empty: '', width: 120, inline: true, get cell() { return cell; }, sample: () => '#1055c9', parse: (s) => { if (!/^#[0-9a-f]{6}$/.test(s)) throw new Error('no colour'); return s; } };
</script>
<script lang="ts">
  let { value, onchange, id, disabled }: FormProps = $props();
</script>
<input class="input colour-widget" {id} {disabled} value={String(value ?? '')} oninput={(e) => onchange(e.currentTarget.value)} />
{#snippet cell(v: unknown)}<span class="colour-cell">{v}</span>{/snippet}
`);
    await promisify(execFile)(process.execPath, [join(from, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error'], { cwd: home });
    await app.api('POST', '/api/collections', { name: 'paints', type: 'base', fields: [{ name: 'tone', type: 'text' }, { name: 'title', type: 'text' }] });
    await app.api('POST', '/api/collections/paints/records', { tone: '#aabbcc', title: 'grey' });
    // the server of this branch would know the type: its answers say so
    const front = await serve({ server: r.server.url, dist: join(home, 'dist'), rewrite: (path, text) => (path.startsWith('/api/collections') && !path.includes('/records') ? text.replace(/("name":"tone"[^{}]*?"type":")text"/g, '$1color"') : text) });
    const one = await App.open(r.browser, front.url), q = one.page;
    await one.fresh('#/collections?collection=paints');
    await q.waitForSelector('.colour-cell >> text=#aabbcc');
    await q.locator('a.id').first().click();
    await q.waitForSelector('[data-field=tone] .colour-widget');
    await one.fresh('#/collections?collection=paints&edit=fields');
    await q.getByLabel('New field by typing its name and type').fill('shade color');
    await q.keyboard.press('Enter');
    await q.waitForSelector('.drawer >> text=Colour tone');
    await q.getByRole('button', { name: 'Reset' }).click();
    await one.fresh('#/api/paints/create');
    await q.waitForSelector("pre.example >> text=tone: '#1055c9'");
    await one.fresh('#/collections?collection=paints');
    await q.waitForSelector('[role=gridcell]');
    await q.getByRole('button', { name: 'More' }).first().click();
    await q.getByRole('menuitem', { name: 'Import…' }).click();
    await q.locator('dialog textarea').fill('tone,title\n#ffffff,ok\nnot a colour,bad');
    await q.locator('dialog .btn.primary').click();
    await q.locator('dialog .btn.primary').click();
    await q.waitForSelector('dialog >> text=1 rows are fine, 1 are not');
    await q.waitForSelector('dialog >> text=no colour');
    assert.deepEqual(one.problems, []);
    await one.close();
    front.close();
  } finally { rmSync(home, { recursive: true, force: true }); }
});
