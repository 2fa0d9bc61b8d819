import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { App, email, launch, password, startServer, until } from '../rig.mjs';
import { seed } from '../seed.mjs';
import { serve } from '../serve.mjs';
import { smtp } from '../smtp.mjs';

check('T40 T41 logs: zoom in the URL, Back unzooms; deep link; token unreadable', async (app, p) => {
  await fetch(`${app.front}/api/health?token=verysecrettoken`);
  await fetch(`${app.front}/api/nothing?token=verysecrettoken`);
  await app.logged('nothing');
  await app.fresh('#/logs?superuserRequests=1');
  await p.waitForSelector('.log');
  await p.waitForSelector('.chart canvas');
  const box = await p.locator('.chart .u-over').boundingBox();
  await p.mouse.move(box.x + 20, box.y + 30);
  await p.mouse.down();
  await p.mouse.move(box.x + box.width / 2, box.y + 30, { steps: 5 });
  await p.mouse.up();
  await p.waitForFunction(() => location.hash.includes('from=') && location.hash.includes('to='));
  await p.goBack();
  await p.waitForFunction(() => !location.hash.includes('from='));
  await p.locator('.head textarea').fill("data.url ~ 'nothing'");
  await p.keyboard.press('Enter');
  await p.waitForFunction(() => document.querySelectorAll('.log').length > 0 && [...document.querySelectorAll('.log .url')].every((n) => n.textContent.includes('nothing')));
  await p.locator('.log').first().click();
  await p.waitForSelector('.drawer table');
  const url = p.url();
  assert.ok(!(await p.evaluate(() => document.body.innerText)).includes('verysecrettoken'));
  await app.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await p.getByRole('button', { name: 'Copy as JSON' }).click();
  await p.waitForSelector('.toast >> text=Copied');
  assert.ok(!(await p.evaluate(() => navigator.clipboard.readText())).includes('verysecrettoken'));
  await p.goto('about:blank');
  await p.goto(url);
  await p.waitForSelector('.drawer table');
  await p.keyboard.press('Escape');
  await p.locator('.head').getByRole('button', { name: 'More' }).click();
  const [file] = await Promise.all([p.waitForEvent('download'), p.getByRole('menuitem', { name: 'Export the loaded entries' }).click()]);
  const exported = readFileSync(await file.path(), 'utf8');
  assert.ok(exported.includes('nothing') && !exported.includes('verysecrettoken'));
  // levels
  await p.getByRole('button', { name: 'error', exact: true }).click();
  await p.waitForFunction(() => location.hash.includes('level=8'));
});

check('T40 50,000 entries scroll; few are in the page', async (app, p, r) => {
  // the log's pages are made here: it is the list that is tested
  const made = (n) => ({ id: `log${String(n).padStart(12, '0')}`, created: '2026-05-05 10:00:00.000Z', level: n % 4 ? 0 : 8, message: `GET /api/things/${n}`, data: { type: 'request', method: 'GET', status: 200, url: `/api/things/${n}`, execTime: 1.5, auth: '', userIP: '127.0.0.1' } });
  r.faults.hook = (req, res) => { const u = new URL(req.url, 'http://x'); if (u.pathname !== '/api/logs') return false; const page = Number(u.searchParams.get('page')); res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ page, perPage: 100, totalItems: -1, totalPages: -1, items: page > 500 ? [] : Array.from({ length: 100 }, (_, i) => made((page - 1) * 100 + i)) })); return true; };
  await app.fresh('#/logs?superuserRequests=1');
  await p.waitForSelector('.log');
  const out = await p.evaluate(async () => {
    const box = document.querySelector('[role=listbox][aria-busy]');
    let most = 0;
    for (let i = 0; i < 20_000; i++) { box.scrollTop = box.scrollHeight; await new Promise((go) => requestAnimationFrame(go)); most = Math.max(most, document.querySelectorAll('.log').length); if (document.querySelector('.log:last-of-type') && [...document.querySelectorAll('.log .url')].some((n) => n.textContent.endsWith('/49999'))) break; }
    return { most, last: [...document.querySelectorAll('.log .url')].at(-1)?.textContent, heap: performance.memory.usedJSHeapSize / 1e6 };
  });
  assert.equal(out.last, '/api/things/49999');
  assert.ok(out.most < 80, `${out.most} rows in the page`);
  assert.ok(out.heap < 150, `${out.heap} MB`);
});

check('T43 settings: accent and SMTP host; guard; two keys only; secrets nowhere', async (app, p) => {
  await app.fresh('#/settings/mail');
  await p.getByLabel('Use an SMTP server').check({ force: true });
  await p.getByLabel('Host').fill('mail.example.com');
  await p.getByLabel('Sender name').fill('Acme mails');
  await p.evaluate(() => { location.hash = '#/logs'; });
  await p.waitForSelector('dialog >> text=Unsaved changes');
  await p.locator('dialog button', { hasText: 'Stay' }).click();
  app.clear();
  await p.locator('.savebar .primary').click();
  await p.waitForSelector('.toast >> text=Saved');
  assert.deepEqual(JSON.parse(app.requests('PATCH')[0].body), { meta: { senderName: 'Acme mails' }, smtp: { enabled: true, host: 'mail.example.com' } });
  await app.fresh('#/settings/superuser-ips');
  await p.locator('.screen textarea').fill('127.0.0.1\nnonsense');
  await p.locator('.savebar .primary').click();
  await p.waitForSelector('.issue >> text=nonsense');
  await app.api('PATCH', '/api/settings', { smtp: { enabled: false } });
});

check('T44 rate limits: unreachable rule flagged, the tester names the rule that applies', async (app, p) => {
  await app.fresh('#/settings/rate-limits');
  await p.waitForSelector('tbody tr');
  await p.getByRole('button', { name: 'New limit' }).click();
  const input = p.locator('tbody tr').last().locator('input[role=combobox]');
  await input.fill('*:auth');
  await p.waitForSelector('.list [role=option]');
  await p.keyboard.press('Enter');
  await p.waitForSelector('text=never reached');
  await p.waitForSelector('[role=status] >> text=“*:auth”');
});

check('T44 the rule that the tester names is the one that the server applies', async () => {
  const s = await startServer();
  const front = await serve({ server: s.url });
  const browser = await launch();
  try {
    const app = await App.open(browser, front.url), p = app.page;
    const { rateLimits } = await app.api('GET', '/api/settings');
    await app.api('PATCH', '/api/settings', { rateLimits: { ...rateLimits, enabled: true, rules: [{ label: 'users:auth', maxRequests: 2, duration: 60, audience: '' }, { label: '*:auth', maxRequests: 900, duration: 60, audience: '' }, { label: '/api/', maxRequests: 3000, duration: 60, audience: '' }] } });
    await app.fresh('#/settings/rate-limits');
    await p.waitForSelector('tbody tr');
    await p.waitForSelector('[role=status] >> text=“users:auth”');
    const status = [];
    for (let i = 0; i < 4; i++) status.push((await fetch(`${front.url}/api/collections/users/auth-with-password`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"identity":"a","password":"b"}' })).status);
    assert.deepEqual(status, [400, 400, 429, 429]);
  } finally { await browser.close(); front.close(); await s.stop(); }
}, { own: true });

check('T45 superuser addresses without the own one need its name typed', async (app, p) => {
  await app.fresh('#/settings/superuser-ips');
  await p.waitForSelector('text=Add mine');
  await p.locator('.screen textarea').fill('10.0.0.0/8');
  await p.locator('.savebar .primary').click();
  await p.waitForSelector('dialog >> text=Lock yourself out');
  assert.ok(await p.locator('dialog .btn.fill').isDisabled());
  await p.locator('dialog button', { hasText: 'Cancel' }).click();
  await p.locator('.screen textarea').fill('127.0.0.1');
  await p.locator('.savebar .primary').click();
  await p.waitForSelector('.toast >> text=Saved');
  await app.api('PATCH', '/api/settings', { superuserIPs: [] });
});

check('T46 backup: make, fetch, upload, restore, sign in again', async () => {
  const s = await startServer();
  await seed(s.url, email, password, 'small');
  const front = await serve({ server: s.url });
  const browser = await launch();
  try {
    const app = await App.open(browser, front.url);
    const p = app.page;
    await app.fresh('#/settings/backups');
    await p.getByRole('button', { name: 'Make a backup' }).click();
    await p.locator('dialog input').fill('first.zip');
    await p.keyboard.press('Enter');
    await p.waitForSelector('td >> text=first.zip');
    const [file] = await Promise.all([p.waitForEvent('download'), p.getByRole('button', { name: 'Download' }).click()]);
    const zip = readFileSync(await file.path());
    assert.equal(zip.subarray(0, 2).toString(), 'PK');
    await p.setInputFiles('.screen [type=file]', { name: 'second.zip', mimeType: 'application/zip', buffer: zip });
    await p.waitForSelector('td >> text=second.zip');
    // (a changed collection would come back: its migration file is applied at the next start)
    await app.api('POST', '/api/collections/categories/records', { name: 'Later' });
    await p.getByRole('button', { name: 'Menu of second.zip' }).click();
    await p.getByRole('menuitem', { name: 'Restore…' }).click();
    await p.locator('dialog input').fill('second.zip');
    await p.locator('dialog .btn.fill').click();
    await p.waitForSelector('[name=password]');
    await p.fill('[name=identity]', email);
    await p.fill('[name=password]', password);
    await p.keyboard.press('Enter');
    await p.locator('.side a.item', { hasText: 'categories' }).click();
    await p.waitForSelector('.body [role=row] >> text=Guides');
    assert.equal(await p.locator('.body [role=row]', { hasText: 'Later' }).count(), 0);
  } finally { await browser.close(); front.close(); await s.stop(); }
}, { own: true });

check('T47 SQL: read only blocks, confirmation counts, 1,000-row notice, error', async (app, p) => {
  await app.fresh('#/settings/sql');
  const code = p.locator('.cm-content');
  const type = async (text) => { await code.click(); await p.keyboard.press('Control+a'); await p.keyboard.insertText(text); };
  await code.waitFor();
  await type("UPDATE wide SET field_000 = 'x'");
  await p.keyboard.press('Control+Enter');
  await p.waitForSelector('.bar.danger >> text=writes');
  await p.getByLabel('Read only').uncheck({ force: true });
  await code.click();
  await p.keyboard.press('Control+Enter');
  await p.waitForSelector('dialog >> text=It touches 1 rows');
  await p.locator('dialog .btn.fill').click();
  await p.waitForSelector('[role=status] >> text=1 rows changed');
  await type('WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<1200) SELECT * FROM s');
  await p.keyboard.press('Control+Enter');
  await p.waitForSelector('text=1,000 rows');
  await p.waitForSelector('.result [role=gridcell]');
  await type('SELECT nope FROM posts');
  await p.keyboard.press('Control+Enter');
  await p.waitForSelector('.bar.danger >> text=nope');
  await p.waitForSelector('.bar.danger >> text=Line 1, column 8');
  // a statement without end is stopped on the server
  await type('WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s) SELECT count(*) FROM s');
  app.clear();
  await p.keyboard.press('Control+Enter');
  await p.getByRole('button', { name: 'Stop' }).click();
  await p.waitForSelector('[role=status] >> text=Stopped on the server.');
  const { id } = JSON.parse(app.requests('POST', '/api/sql')[0].body);
  assert.ok(app.requests('DELETE', `/api/sql/${id}`).length >= 1);
});

check('T69 crons: the next run is the real one; run now shows what was logged', async (app, p) => {
  await p.clock.install({ time: new Date('2026-05-05T11:59:30Z') });
  await app.fresh('#/settings/crons');
  const row = p.locator('tr', { hasText: '__pbLogsCleanup__' });
  await row.waitFor();
  const { expression } = (await app.api('GET', '/api/crons')).find((c) => c.id === '__pbLogsCleanup__');
  assert.equal(expression, '0 */6 * * *');
  await row.locator('td >> text=2026-05-05 12:00').waitFor();
  // a minute later the next one is six hours away
  await p.clock.runFor(60_000);
  await row.locator('td >> text=2026-05-05 18:00').waitFor();
  app.clear();
  await row.getByRole('button').click();
  await p.waitForSelector('.toast >> text=Started');
  assert.equal(app.requests('POST', '/api/crons/__pbLogsCleanup__').length, 1);
  await p.waitForSelector('[data-ran]');
  await until(async () => { await p.clock.runFor(2100); await app.quiet(); return p.locator('[data-ran] p:not(:has(.spin))').count(); }, 'the run in the log');
});

check('T70 mail: the test mail is sent, a hidden placeholder is flagged', async (app, p) => {
  const mail = await smtp();
  await app.api('PATCH', '/api/settings', { smtp: { enabled: true, host: '127.0.0.1', port: mail.port } });
  await app.fresh('#/settings/mail');
  await p.getByRole('button', { name: 'Send a test mail' }).click();
  await p.locator('dialog [type=email]').fill('test@example.com');
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.toast >> text=Sent');
  assert.match(await mail.next(0), /test@example\.com/);
  // the preview of a template says what the mail says
  const users = await app.api('GET', '/api/collections/users');
  await app.api('PATCH', '/api/collections/users', { resetPasswordTemplate: { subject: 'Hello from {APP_NAME}', body: '<p>Reset at <b>{APP_NAME}</b></p><p><a href="{APP_URL}/_/#/auth/confirm-password-reset/{TOKEN}">Reset</a></p>' } });
  await app.api('POST', '/api/settings/test/email', { email: 'other@example.com', template: 'password-reset', collection: 'users' });
  const words = (html) => html.replace(/<style[\s\S]*?<\/style>/g, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();
  const sent = await mail.next(1);
  await app.fresh('#/collections?collection=users&edit=options');
  await p.locator('.drawer summary', { hasText: 'Password reset' }).click();
  await p.locator('.drawer details[open]').getByRole('button', { name: 'Preview' }).click();
  const frame = await p.locator('.drawer details[open] iframe').getAttribute('srcdoc');
  const shown = words(frame);
  assert.equal(shown, 'Reset at Acme Reset');
  assert.ok(words(sent).includes(shown), words(sent).slice(0, 400));
  assert.match(sent, /Hello from Acme/);
  assert.equal(await p.locator('.drawer details[open] strong').first().textContent(), 'Hello from Acme');
  await app.api('PATCH', '/api/collections/users', { resetPasswordTemplate: users.resetPasswordTemplate });
  await app.api('PATCH', '/api/settings', { smtp: { enabled: false } });
  mail.close();
  await app.fresh('#/collections?collection=users&edit=options');
  await p.locator('.drawer summary', { hasText: 'Password reset' }).click();
  const code = p.locator('.drawer details[open] .cm-content').last();
  await code.click();
  await p.keyboard.press('Control+End');
  await p.keyboard.insertText('{RECORD:tokenKey} {NOPE}');
  await p.waitForSelector('.bar >> text={RECORD:tokenKey} {NOPE}');
});

check('T62 production lock: nothing changes without unlock', async (app, p) => {
  await app.api('PATCH', '/api/settings', { meta: { hideControls: true } });
  try {
    await app.fresh('#/collections?collection=categories');
    await p.waitForSelector('[role=gridcell]');
    await p.waitForSelector('text=Production lock');
    assert.equal(await p.locator('text=New collection').count(), 0);
    await p.locator('[role=grid]').focus();
    await p.keyboard.press('ArrowRight');
    await p.keyboard.type('x');
    assert.equal(await p.locator('.cellbox').count(), 0);
    await p.locator('a.id').first().click();
    await p.waitForSelector('.drawer');
    assert.equal(await p.locator('.drawer footer').count(), 0);
    await p.keyboard.press('Escape');
    await p.clock.install();
    await p.getByRole('button', { name: 'Unlock for 15 minutes' }).click();
    await p.waitForSelector('text=New collection');
    // and locked again after a quarter of an hour
    await p.clock.runFor(15 * 60_000 + 1000);
    await p.waitForSelector('text=Production lock');
    assert.equal(await p.locator('text=New collection').count(), 0);
  } finally { await app.api('PATCH', '/api/settings', { meta: { hideControls: false } }); }
});
