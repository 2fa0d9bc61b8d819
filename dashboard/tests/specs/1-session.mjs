import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { App, binary, email, launch, password, startServer, until } from '../rig.mjs';
import { serve } from '../serve.mjs';
import { smtp } from '../smtp.mjs';
import { api } from '../seed.mjs';

check('T1 install: link, errors at their fields, signed in, used link', async () => {
  const s = await startServer({ superuser: false });
  const front = await serve({ server: s.url });
  const browser = await launch();
  try {
    let link;
    link = await until(() => /\/_\/(#\/pbinstall\/[\w.-]+)/.exec(s.log())?.[1], 'the link');
    // a server without a dashboard prints no link: an installer token is what the link carries
    if (!link) { console.log('     (no link printed: the server has no dashboard embedded)'); return; }
    const app = await App.open(browser, front.url, { auth: false });
    const p = app.page;
    await app.fresh(link);
    await p.fill('[type=email]', 'first@example.com');
    await p.fill('[name=password]', 'short');
    await p.fill('[name=passwordConfirm]', 'short');
    await p.keyboard.press('Enter');
    await p.waitForSelector('.issue >> text=At least 8');
    await p.fill('[name=password]', 'long enough');
    await p.fill('[name=passwordConfirm]', 'different one');
    await p.keyboard.press('Enter');
    await p.waitForSelector('.issue >> text=differ');
    await p.fill('[name=passwordConfirm]', 'long enough');
    await p.keyboard.press('Enter');
    await p.waitForSelector('nav[aria-label=Collections]');
    const again = await App.open(browser, front.url, { auth: false });
    await again.fresh(link);
    await again.page.fill('[type=email]', 'second@example.com');
    await again.page.fill('[name=password]', 'long enough');
    await again.page.fill('[name=passwordConfirm]', 'long enough');
    await again.page.keyboard.press('Enter');
    await again.page.waitForSelector('text=already installed');
  } finally { await browser.close(); front.close(); await s.stop(); }
}, { own: true });

check('T1 install from a backup: restored, ends at the login', async () => {
  const first = await startServer();
  const s = await startServer({ superuser: false });
  const front = await serve({ server: s.url });
  const browser = await launch();
  try {
    const { token } = await api(first.url, 'POST', '/api/collections/_superusers/auth-with-password', { identity: email, password });
    await api(first.url, 'POST', '/api/collections', { name: 'from_backup', type: 'base', fields: [{ name: 'title', type: 'text' }] }, token);
    await api(first.url, 'POST', '/api/backups', { name: 'start.zip' }, token);
    const file = (await api(first.url, 'POST', '/api/files/token', undefined, token)).token;
    const zip = Buffer.from(await (await fetch(`${first.url}/api/backups/start.zip?token=${file}`)).arrayBuffer());
    let link;
    link = await until(() => /\/_\/(#\/pbinstall\/[\w.-]+)/.exec(s.log())?.[1], 'the link');
    assert.ok(link, 'no link printed');
    const app = await App.open(browser, front.url, { auth: false }), p = app.page;
    await app.fresh(link);
    await p.setInputFiles('[type=file]', { name: 'start.zip', mimeType: 'application/zip', buffer: zip });
    await p.locator('dialog .btn.fill').click();
    await p.waitForSelector('[name=identity]');
    await p.fill('[name=identity]', email);
    await p.fill('[name=password]', password);
    await p.keyboard.press('Enter');
    await p.waitForSelector('.side >> text=from_backup');
  } finally { await browser.close(); front.close(); await first.stop(); await s.stop(); }
}, { own: true });

check('T2 login: wrong password, then the route of back', async (app, p) => {
  await app.fresh('#/settings/mail');
  await p.waitForSelector('[name=password]');
  await p.fill('[name=identity]', email);
  await p.fill('[name=password]', 'wrong');
  await p.keyboard.press('Enter');
  await p.waitForSelector('text=Wrong e-mail or password');
  assert.equal(await p.evaluate(() => document.activeElement?.getAttribute('name')), 'password');
  await p.keyboard.type(password);
  await p.keyboard.press('Enter');
  await p.waitForSelector('h1 >> text=Mail');
  assert.match(p.url(), /#\/settings\/mail$/);
}, { auth: false });

check('T5 attributes for password managers', async (app, p) => {
  await app.fresh('#/login');
  await p.waitForSelector('[name=password]');
  assert.ok(await p.$('[autocomplete=username]'));
  assert.ok(await p.$('[autocomplete=current-password]'));
  await app.fresh(`#/auth/confirm-password-reset/x.${Buffer.from('{"email":"a@b.co","collectionId":"c"}').toString('base64url')}.y`);
  await p.waitForSelector('[autocomplete=new-password]');
}, { auth: false });

check('T3 T4 T7 second factor, reset and confirm links by mail', async () => {
  const s = await startServer();
  const front = await serve({ server: s.url });
  const mail = await smtp();
  const browser = await launch();
  try {
    const admin = await App.open(browser, front.url);
    await admin.api('PATCH', '/api/settings', { smtp: { enabled: true, host: '127.0.0.1', port: mail.port }, meta: { appURL: front.url } });
    const su = await admin.api('GET', '/api/collections/_superusers');
    await admin.api('PATCH', '/api/collections/_superusers', { otp: { ...su.otp, enabled: true }, mfa: { ...su.mfa, enabled: true }, authAlert: { ...su.authAlert, enabled: false } });
    const login = await App.open(browser, front.url, { auth: false, token: null }).catch(() => null);
    const p = login.page;
    await login.fresh('#/login');
    await p.waitForSelector('text=Step 1 of 2');
    await p.fill('[name=identity]', email);
    await p.fill('[name=password]', password);
    await p.keyboard.press('Enter');
    await p.waitForSelector('text=A code was sent');
    assert.ok(await p.$('[name=code][autocomplete=one-time-code]')); // T5
    const code = />\s*(\d{8})\s*</.exec(await mail.next(0))?.[1] ?? /\b(\d{8})\b/.exec(mail.mails[0])[1];
    await p.fill('[name=code]', code);
    await p.keyboard.press('Enter');
    await p.waitForSelector('nav[aria-label=Collections]');
    // the second factor's session is over: back to step 1, with the reason
    const late = await App.open(browser, front.url, { auth: false });
    const before = mail.mails.length;
    await late.fresh('#/login');
    await late.page.fill('[name=identity]', email);
    await late.page.fill('[name=password]', password);
    await late.page.keyboard.press('Enter');
    await late.page.waitForSelector('text=A code was sent');
    const lateMail = await mail.next(before), lateCode = />\s*(\d{8})\s*</.exec(lateMail)?.[1] ?? /\b(\d{8})\b/.exec(lateMail)[1];
    for (const x of (await admin.api('GET', '/api/collections/_mfas/records')).items) await admin.api('DELETE', `/api/collections/_mfas/records/${x.id}`);
    await late.page.fill('[name=code]', lateCode);
    await late.page.keyboard.press('Enter');
    await late.page.waitForSelector('text=has expired');
    await late.page.waitForSelector('text=Step 1 of 2');
    await late.close();
    // id and code of the command line
    const cli = await App.open(browser, front.url, { auth: false });
    await cli.fresh('#/login');
    await cli.page.fill('[name=identity]', email);
    await cli.page.fill('[name=password]', password);
    await cli.page.keyboard.press('Enter');
    await cli.page.waitForSelector('text=A code was sent');
    const out = execFileSync(binary, ['superuser', 'otp', email, '--dir', s.dir], { encoding: 'utf8' });
    const id = /id:?\s+"?([a-z0-9]{15})/i.exec(out)?.[1], pin = /(?:pass|password|otp|code)\w*:?\s+"?(\d{6,})/i.exec(out)?.[1] ?? /\b(\d{8})\b/.exec(out)?.[1];
    await cli.page.click('summary');
    await cli.page.fill('[name=otpId]', id ?? '');
    await cli.page.fill('[name=code]', pin ?? '');
    await cli.page.keyboard.press('Enter');
    await cli.page.waitForSelector('nav[aria-label=Collections]').catch(async (e) => { throw new Error(`${await cli.page.locator('body').innerText()}\n${out}\n${e.message}`); });
    // forgotten password
    await admin.api('PATCH', '/api/collections/_superusers', { mfa: { ...su.mfa, enabled: false }, otp: { ...su.otp, enabled: false } });
    let n = mail.mails.length;
    const forgot = await App.open(browser, front.url, { auth: false });
    await forgot.fresh('#/request-password-reset');
    await forgot.page.fill('[type=email]', email);
    await forgot.page.keyboard.press('Enter');
    await forgot.page.waitForSelector('[role=status] >> text=mail');
    const linkOf = (text) => /\/_\/(#\/auth\/[\w-]+\/[\w.-]+)/.exec(text)?.[1];
    await forgot.fresh(linkOf(await mail.next(n)));
    const pw = forgot.page.locator('[autocomplete=new-password]');
    await pw.nth(0).fill('a new password');
    await pw.nth(1).fill('a new password');
    await forgot.page.keyboard.press('Enter');
    await forgot.page.waitForSelector('text=is set');
    const r = await api(front.url, 'POST', '/api/collections/_superusers/auth-with-password', { identity: email, password: 'a new password' });
    assert.ok(r.token);
    admin.auth = r;
    // the three links of an end user, while a superuser is signed in
    await admin.api('POST', '/api/collections/users/records', { email: 'end@example.com', password: '1234567890', passwordConfirm: '1234567890' });
    const stored = JSON.stringify(r);
    const both = await App.open(browser, front.url, { password: 'a new password' });
    n = mail.mails.length;
    await api(front.url, 'POST', '/api/collections/users/request-verification', { email: 'end@example.com' });
    await both.fresh(linkOf(await mail.next(n)));
    await both.page.waitForSelector('text=is confirmed');
    n = mail.mails.length;
    await api(front.url, 'POST', '/api/collections/users/request-password-reset', { email: 'end@example.com' });
    await both.fresh(linkOf(await mail.next(n)));
    await both.page.locator('[autocomplete=new-password]').nth(0).fill('another one');
    await both.page.locator('[autocomplete=new-password]').nth(1).fill('another one');
    await both.page.keyboard.press('Enter');
    await both.page.waitForSelector('text=is set');
    const end = await api(front.url, 'POST', '/api/collections/users/auth-with-password', { identity: 'end@example.com', password: 'another one' });
    n = mail.mails.length;
    await api(front.url, 'POST', '/api/collections/users/request-email-change', { newEmail: 'new@example.com' }, end.token);
    await both.fresh(linkOf(await mail.next(n)));
    await both.page.fill('[autocomplete=current-password]', 'another one');
    await both.page.keyboard.press('Enter');
    await both.page.waitForSelector('text=new@example.com is confirmed');
    assert.ok(await both.page.evaluate(() => Object.keys(localStorage).some((k) => k.startsWith('__pb_superusers__'))));
    assert.ok(!both.calls.some((c) => c.url.includes('confirm') && c.headers?.authorization), stored ? '' : '');
    await both.fresh('#/auth/confirm-verification/damaged');
    await both.page.waitForSelector('text=damaged');
  } finally { await browser.close(); front.close(); mail.close(); await s.stop(); }
}, { own: true });

check('T6 token that became invalid: dialog, no guest rows, the form stays', async (app, p) => {
  await p.clock.install();
  await app.fresh('#/collections?collection=categories');
  await p.waitForSelector('[role=gridcell]');
  // all definitions are here: nothing but the save will meet the dead token
  await p.locator('.side input').focus();
  await app.asked('GET', '/api/collections?page=1&perPage=1000&skipTotal=1&sort=name');
  await app.asked('GET', '/api/dashboard/state');
  await app.quiet();
  await p.locator('a.id').first().click();
  await p.waitForSelector('.drawer [data-field=name] textarea');
  await p.locator('[data-field=name] textarea').fill('half typed');
  await app.api('PATCH', `/api/collections/_superusers/records/${app.auth.record.id}`, { 'tokenKey:autogenerate': '' });
  // a proven login is believed for four seconds
  await p.clock.fastForward(5000);
  app.clear();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('dialog >> text=sign in again');
  assert.equal(await p.locator('[data-field=name] textarea').inputValue(), 'half typed');
  await p.locator('dialog [name=password]').fill(password);
  await p.keyboard.press('Enter');
  await p.waitForSelector('dialog', { state: 'detached' });
  await p.waitForSelector('text=Saved');
  assert.equal((await api(app.front, 'GET', '/api/collections/categories/records?filter=name="half typed"')).items.length, 1);
});

check('T6b a list as a guest is never shown', async (app, p) => {
  await p.clock.install();
  await app.fresh('#/collections?collection=categories');
  await p.waitForSelector('[role=gridcell]');
  await app.asked('GET', '/api/dashboard/state');
  await app.api('PATCH', `/api/collections/_superusers/records/${app.auth.record.id}`, { 'tokenKey:autogenerate': '' });
  await p.clock.fastForward(5000);
  await p.evaluate(() => { location.hash = '#/collections?collection=comments'; });
  await p.waitForSelector('dialog >> text=sign in again');
  assert.equal(await p.locator('[role=gridcell]').count(), 0);
  await p.locator('dialog [name=password]').fill(password);
  await p.keyboard.press('Enter');
  await p.waitForSelector('[role=gridcell]');
});

check('T8 OAuth2 pages: one sentence in a normal tab', async (app, p) => {
  await app.fresh('#/auth/oauth2-redirect-success');
  await p.waitForSelector('text=close this window');
  await app.fresh('#/auth/oauth2-redirect-failure');
  await p.waitForSelector('text=not completed');
}, { auth: false });

check('T58 scheme: switch without reload, in all tabs, right at the first paint', async (app, p) => {
  await app.fresh('#/settings/appearance');
  await p.waitForSelector('select');
  const bg = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await bg(p);
  const other = await app.context.newPage();
  await other.goto(`${app.front}/_/#/settings/appearance`);
  await other.waitForSelector('select');
  await p.locator('select').first().selectOption('dark');
  await p.waitForFunction((l) => getComputedStyle(document.body).backgroundColor !== l, light);
  await other.waitForFunction((l) => getComputedStyle(document.body).backgroundColor !== l, light);
  await p.reload({ waitUntil: 'commit' });
  assert.notEqual(await p.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'light');
});

check('T65 every URL opens directly, as superuser and as guest', async (app, p) => {
  const paths = ['/', '/collections', '/superusers', '/logs', '/settings', '/overview/erd', '/overview/rules', '/overview/stats', '/api', '/api/posts/create', '/api/-/types', '/realtime', '/metrics', '/system', ...['application', 'mail', 'storage', 'backups', 'crons', 'export-collections', 'import-collections', 'sql', 'rate-limits', 'proxy', 'batch', 'superuser-ips', 'logs', 'shortcuts', 'appearance'].map((s) => `/settings/${s}`), '/nonsense'];
  for (const x of paths) { await app.fresh(`#${x}`); await p.waitForSelector('h1, .empty'); }
  for (const x of ['/login', '/collections?collectionId=posts&recordId=new']) { await app.fresh(`#${x}`); await p.waitForSelector('h1'); }
  assert.match(p.url(), /collection/);
  const guest = await App.open(p.context().browser(), app.front, { auth: false });
  for (const x of ['/', '/collections?collection=posts', '/settings/sql']) { await guest.fresh(`#${x}`); await guest.page.waitForSelector('[name=password]'); }
  await guest.close();
});
