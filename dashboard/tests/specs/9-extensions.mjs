// The screens of the extensions, each against the executable with its plugin on, and off.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { App, launch, startServer, until } from '../rig.mjs';
import { serve } from '../serve.mjs';

/** A check against an executable with that environment. */
const real = (name, options, run) => check(name, async () => {
  const s = await startServer(options), front = await serve({ server: s.url }), browser = await launch();
  try {
    const app = await App.open(browser, front.url);
    await run(app, app.page, s);
    if (app.problems.length) throw new Error(app.problems.slice(0, 4).join('\n'));
  } finally { await browser.close(); front.close(); await s.stop(); }
}, { own: true });

const menu = async (p, name, item) => { await p.getByRole('button', { name: `Menu of ${name}`, exact: true }).click(); await p.getByRole('menuitem', { name: item, exact: true }).click(); };
const offered = async (p) => (await p.locator('.rail a').allTextContents()).map((x) => x.trim());
const masterKey = { PB_MASTER_KEY: 'ab'.repeat(32) };

const mailHook = "$jobs.register('mail', () => { if (!$app.countRecords('users')) throw new Error('boom: no mailbox'); });\n$jobs.register('other', () => { throw new Error('never'); });\n";
real('T49 jobs: three failures, run again, done; all failed ones of a topic', { env: { PB_JOBS_POLL_INTERVAL: '200ms' }, files: { 'pb_hooks/jobs.pb.js': mailHook } }, async (app, p) => {
  await app.fresh('#/jobs');
  await p.waitForSelector('text=There are no jobs yet.');
  await p.getByRole('button', { name: 'New job' }).click();
  await p.getByLabel('Topic').last().fill('mail');
  await p.getByLabel('Payload (JSON)').fill('{"to": "x", "big": 12345678901234567890');
  assert.ok(await p.locator('dialog .btn.primary').isDisabled(), 'broken JSON may be sent');
  await p.getByLabel('Payload (JSON)').fill('{"to": "x", "big": 12345678901234567890}');
  app.clear();
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.drawer [data-status]');
  const sent = app.requests('POST', '/api/jobs/enqueue')[0].body;
  assert.ok(sent.includes('12345678901234567890') && sent.includes('"topic":"mail"'), sent);
  assert.ok((await p.locator('.drawer pre').first().textContent()).includes('12345678901234567890'));
  const { id } = (await app.api('GET', '/api/jobs')).items[0];
  assert.ok(p.url().includes(`#/jobs/${id}`));
  const count = (s, n) => p.waitForFunction(([s, n]) => document.querySelector(`[data-count=${s}] strong`)?.textContent === n, [s, String(n)]);
  const job = (id) => app.api('GET', `/api/jobs/${id}`);
  // the next attempt would be in a minute, then in four: its time is turned back
  for (const [n, status] of [[1, 'pending'], [2, 'pending'], [3, 'failed']]) {
    await until(async () => { const j = await job(id); return j.retries === n && j.status === status; }, `failure ${n}`, 100);
    await p.waitForSelector(`.drawer [data-status=${status}]`);
    await p.waitForSelector(`.drawer td >> text=${n} of 3`);
    if (n < 3) await app.sql(`UPDATE _jobs SET run_at = '2026-01-01 00:00:00.000Z' WHERE id = '${id}'`);
  }
  await count('failed', 1);
  await p.waitForSelector('.drawer [data-error] >> text=boom: no mailbox');
  await p.locator('.drawer').getByRole('button', { name: 'Close' }).click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  await p.locator(`[data-job="${id}"]`).waitFor();
  await app.api('POST', '/api/collections/users/records', { email: 'a@example.com', password: '1234567890', passwordConfirm: '1234567890' });
  // by key: choose it, run it again
  app.clear();
  await p.keyboard.press('ArrowDown');
  await p.keyboard.press('r');
  await p.waitForSelector('.toast >> text=The job waits again');
  assert.equal(app.requests('POST', `/api/jobs/${id}/requeue`).length, 1);
  await count('completed', 1);
  await p.locator('.tile', { hasText: 'success rate' }).locator('strong >> text=100.0 %').waitFor();
  // all failed ones of a topic at once, those of another stay
  const [{ id: user }] = (await app.api('GET', '/api/collections/users/records')).items;
  await app.api('DELETE', `/api/collections/users/records/${user}`);
  const made = [];
  for (const topic of ['mail', 'mail', 'other']) made.push((await app.api('POST', '/api/jobs/enqueue', { topic, payload: {}, max_retries: 1 })).id);
  for (const x of made) await until(async () => (await job(x)).status === 'failed', 'the failures', 100);
  await app.api('POST', '/api/collections/users/records', { email: 'b@example.com', password: '1234567890', passwordConfirm: '1234567890' });
  await app.open('#/jobs?topic=mail');
  await p.getByRole('button', { name: 'Run the failed of this topic again' }).click();
  await p.waitForSelector('dialog >> text=Run the 2 failed jobs of “mail” again?');
  await p.locator('dialog .btn.fill').click();
  await p.waitForSelector('.toast >> text=2 wait again');
  for (const x of made.slice(0, 2)) await until(async () => (await job(x)).status === 'completed', 'the jobs of mail', 100);
  assert.equal((await job(made[2])).status, 'failed');
});

real('T49 jobs that nobody takes: somebody should look', { env: { PB_JOBS_AUTO_START: 'false' }, files: { 'pb_hooks/jobs.pb.js': mailHook } }, async (app, p) => {
  const { id } = await app.api('POST', '/api/jobs/enqueue', { topic: 'mail', payload: {} });
  // the clock of the page is turned: the list is read every five seconds
  await p.clock.install();
  await app.fresh('#/jobs');
  await p.locator(`[data-job="${id}"]`).waitFor();
  for (let i = 0; i < 4; i++) { const n = app.requests('GET', '/api/jobs/stats').length; await p.clock.runFor(5100); await until(() => app.requests('GET', '/api/jobs/stats').length > n, 'a reading'); await app.quiet(); }
  await p.waitForSelector('[data-stuck]');
  await app.sql(`UPDATE _jobs SET status = 'completed' WHERE id = '${id}'`);
  await p.clock.runFor(6000);
  await p.waitForSelector('[data-stuck]', { state: 'detached' });
});

const nothing = { PB_MASTER_KEY: '', PB_JOBS_DISABLED: 'true', PB_GATEWAY_DISABLED: 'true', PB_ANALYTICS_ENABLED: 'false', TOF_APP_TOKEN: '' };
real('T49 T50 T55 switched off: not offered; the address says which variable to set', { env: nothing }, async (app, p) => {
  await app.fresh('#/secrets');
  await p.waitForSelector('[data-off=secrets] >> text=openssl rand -hex 32');
  await p.waitForSelector('[data-off=secrets] >> text=Please set PB_MASTER_KEY');
  for (const x of ['jobs', 'gateway', 'analytics']) { await app.open(`#/${x}`); await p.waitForSelector(`[data-off=${x}]`); }
  // programs and hooks may start processes without a file
  await app.open('#/processes');
  await p.waitForSelector('.empty');
  const places = await offered(p);
  for (const x of ['Jobs', 'Secrets', 'Gateway', 'Analytics']) assert.ok(!places.includes(x), `${x} is offered`);
  await app.open('#/system');
  await p.locator('[data-plugin=secrets] >> text=off').waitFor();
  assert.equal(await p.locator('[data-plugin=jobs] a').getAttribute('href'), '#/jobs');
  // a field that this server could not keep is not offered
  await app.open('#/collections?collection=users&edit=fields');
  await p.getByRole('button', { name: 'New field' }).click();
  await p.getByRole('menuitem', { name: /Password/ }).waitFor();
  assert.equal(await p.getByRole('menuitem', { name: /^Secret/ }).count(), 0);
});

real('T50 secrets: two environments; the value hides by itself and is kept nowhere', { env: masterKey }, async (app, p, s) => {
  const value = 'sk_live_never_seen_again', other = 'sk_test_never_seen_again';
  await app.api('GET', '/api/collections/_proxies');
  await app.api('POST', '/api/collections/_proxies/records', { path: '/-/pay', upstream: 'https://pay.example', headers: { Authorization: 'Bearer {secret.STRIPE}' } });
  await p.clock.install();
  await app.fresh('#/secrets');
  await p.waitForSelector('text=There are no secrets yet.');
  for (const [env, text] of [['global', value], ['test', other]]) {
    await p.getByRole('button', { name: 'New secret' }).click();
    await p.getByLabel('Key').fill('STRIPE');
    await p.locator('dialog').getByLabel('Environment').fill(env);
    await p.getByLabel('Value', { exact: true }).fill(text);
    await p.locator('dialog .btn.primary').click();
    await p.waitForSelector('dialog', { state: 'detached' });
    await p.locator(`[data-secret="STRIPE/${env}"]`).waitFor();
  }
  const valueOf = async (key, env = 'global') => (await app.api('GET', `/api/secrets/${key}?env=${env}`)).value;
  assert.deepEqual([await valueOf('STRIPE'), await valueOf('STRIPE', 'test')], [value, other]);
  const row = p.locator('[data-secret="STRIPE/test"]');
  await p.locator('[data-secret="STRIPE/global"]', { hasText: '/-/pay' }).waitFor();
  app.clear();
  await row.getByRole('button', { name: 'Reveal' }).click();
  await row.locator(`text=${other}`).waitFor();
  assert.ok(app.requests('GET', '/api/secrets/STRIPE')[0].url.endsWith('?env=test'));
  // nowhere but on the screen
  const kept = await p.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href, document.cookie]));
  assert.ok(!kept.includes('never_seen_again'));
  assert.ok(!app.calls.some((c) => c.url.includes('never_seen_again')));
  await p.clock.runFor(31_000);
  await row.locator(`text=${other}`).waitFor({ state: 'detached' });
  assert.ok(!(await p.content()).includes('never_seen_again'));
  // leaving hides, too
  await row.getByRole('button', { name: 'Reveal' }).click();
  await row.locator(`text=${other}`).waitFor();
  await app.open('#/logs');
  await app.open('#/secrets');
  await row.getByRole('button', { name: 'Reveal' }).waitFor();
  // keys by environment: what is missing, what global stands in for
  await app.api('POST', '/api/secrets', { key: 'ONLY_TEST', env: 'test', value: 'x' });
  await app.fresh('#/secrets?by=env');
  await p.locator('[data-matrix] tr', { hasText: 'ONLY_TEST' }).getByRole('button', { name: 'missing' }).waitFor();
  // a .env file: seen first
  await p.getByRole('button', { name: 'Import .env…' }).click();
  await p.getByLabel('Text of the file').fill('# note\nexport MAIL="a # b"\nSTRIPE=new\nnonsense');
  await p.waitForSelector('dialog >> text=No assignment in line 4');
  await p.locator('dialog tr', { hasText: 'STRIPE' }).locator('text=is written over').waitFor();
  await p.locator('dialog').getByRole('button', { name: 'Import 2' }).click();
  await p.waitForSelector('dialog', { state: 'detached' });
  assert.deepEqual([await valueOf('MAIL'), await valueOf('STRIPE'), await valueOf('STRIPE', 'test')], ['a # b', 'new', other]);
  // deleting wants the name and says who uses it
  await app.open('#/secrets');
  await menu(p, 'STRIPE global', 'Delete…');
  await p.waitForSelector('dialog >> text=These proxies send it: /-/pay');
  assert.ok(await p.locator('dialog .btn.fill').isDisabled());
  await p.locator('dialog input').fill('STRIPE');
  await p.locator('dialog .btn.fill').click();
  await p.locator('[data-secret="STRIPE/global"]').waitFor({ state: 'detached' });
  await p.locator('[data-secret="STRIPE/test"]').waitFor();
  // what cannot be read, with another key, is said
  await s.stopChild();
  s.env.PB_MASTER_KEY = 'cd'.repeat(32);
  await s.start();
  await app.fresh('#/secrets');
  await p.waitForSelector('[role=alert] >> text=PB_MASTER_KEY_PREVIOUS');
});

real('T50 fields of type secret: made, set, shown for a while, replaced, cleared; kept nowhere', { env: masterKey }, async (app, p, s) => {
  const value = 'tok_never_seen_again', next = 'tok_second_unseen';
  await p.clock.install();
  await app.fresh('#/collections?collection=users&edit=new');
  await p.getByLabel('Name').first().fill('keys');
  await p.getByRole('button', { name: 'New field' }).click();
  await p.getByRole('menuitem', { name: /^Secret/ }).waitFor();
  await p.keyboard.press('Escape');
  const quick = p.getByLabel('New field by typing its name and type');
  await quick.fill('token secret');
  await quick.press('Enter');
  await p.getByLabel('At most').fill('20');
  await p.locator('.drawer footer .primary').click();
  await p.waitForFunction(() => location.hash.includes('collection=keys'));
  const field = (await app.api('GET', '/api/collections/keys')).fields.find((f) => f.name === 'token');
  assert.deepEqual([field.type, field.hidden, field.maxSize], ['secret', true, 20]);
  // a new record: too long is said before anything is sent
  await app.fresh('#/collections?collection=keys&record=new');
  const box = p.locator('[data-field=token]');
  await box.locator('textarea').fill('x'.repeat(21));
  await box.locator('.issue', { hasText: 'at most 20 bytes' }).waitFor();
  await box.locator('textarea').fill(value);
  assert.equal(await box.locator('textarea').evaluate((n) => getComputedStyle(n).webkitTextSecurity), 'disc');
  await p.clock.runFor(1000);
  const kept = () => p.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href]));
  assert.ok(!(await kept()).includes(value), 'a draft has it');
  await p.locator('.drawer footer .primary').click();
  const stored = async () => (await app.api('GET', '/api/collections/keys/records')).items[0];
  await until(async () => (await stored())?.token === value, 'the record', 100);
  // the list does not ask for it, the form says that it is set, and shows it on demand
  app.clear();
  await app.fresh(`#/collections?collection=keys&record=${(await stored()).id}`);
  await box.locator('text=is set').waitFor();
  assert.ok(app.requests('GET', '/api/collections/keys/records?').every((c) => !decodeURIComponent(c.url).includes('token')));
  assert.ok(!(await p.locator('body').innerText()).includes(value));
  await box.getByRole('button', { name: 'Reveal' }).click();
  await box.locator(`text=${value}`).waitFor();
  await p.clock.runFor(31_000);
  await box.locator(`text=${value}`).waitFor({ state: 'detached' });
  await box.getByRole('button', { name: 'Replace' }).click();
  await box.locator('textarea').fill(next);
  app.clear();
  await p.keyboard.press('Control+s');
  await until(async () => (await stored()).token === next, 'the new value', 100);
  assert.deepEqual(JSON.parse(app.requests('PATCH', '/records/')[0].body), { token: next });
  await box.getByRole('button', { name: 'Clear' }).click();
  await p.keyboard.press('Control+s');
  await until(async () => (await stored()).token === '', 'no value', 100);
  await box.getByPlaceholder('is not set').waitFor();
  assert.ok(!(await kept()).includes('seen'));
  // neither completed nor among the words of a search
  await app.open('#/collections?collection=keys');
  await p.locator('[role=gridcell]').first().waitFor();
  assert.equal(await p.locator('[role=columnheader]', { hasText: 'token' }).count(), 0);
});

/** An upstream that says what it was asked, and sends one piece more whenever it is told to. */
async function upstream() {
  const state = { seen: [], stream: null };
  const http = createServer((req, res) => { state.seen.push({ url: req.url, auth: req.headers.authorization }); res.writeHead(200, { 'Content-Type': 'text/event-stream' }); state.stream = res; res.write('data: 1\n\n'); });
  await new Promise((go) => http.listen(0, '127.0.0.1', go));
  return Object.assign(state, { url: `http://127.0.0.1:${http.address().port}`, close: () => { http.closeAllConnections(); http.close(); } });
}

real('T51 gateway: a proxy with a secret streams; an unknown variable is a configuration error; off is 404', { env: masterKey }, async (app, p) => {
  const up = await upstream();
  try {
    await app.api('POST', '/api/secrets', { key: 'API_KEY', value: 'hidden-value' });
    await app.fresh('#/gateway');
    await p.getByRole('link', { name: 'New proxy' }).first().click();
    await p.getByLabel('Path', { exact: true }).fill('/api/x');
    await p.locator('.issue', { hasText: '/api is the API of this server' }).waitFor();
    await p.getByLabel('Path', { exact: true }).fill('/-/ai');
    await p.getByLabel('Upstream', { exact: true }).fill(`${up.url}/v1`);
    await p.getByRole('radio', { name: 'Everyone' }).check();
    await p.getByRole('button', { name: 'Header', exact: true }).click();
    await p.getByLabel('Name of header 1').fill('Authorization');
    await p.getByLabel('Value of header 1').fill('Bearer {secret.API_KY}');
    await p.waitForSelector('.issue >> text=No such secret: API_KY');
    await p.waitForSelector('[data-exposed]');
    app.clear();
    await p.locator('.savebar .primary').click();
    await p.waitForSelector('[data-send]');
    assert.deepEqual(JSON.parse(app.requests('POST', '/_proxies/records')[0].body).headers, { Authorization: 'Bearer {secret.API_KY}' });
    const send = p.locator('[data-send]').getByRole('button', { name: 'Send', exact: true }), stop = p.locator('[data-send]').getByRole('button', { name: 'Stop' });
    // the mistake is told as one of the proxy, by its name
    await send.click();
    await p.waitForSelector('[data-configuration] >> text=API_KY');
    assert.equal(up.seen.length, 0, 'nothing is sent on');
    await p.getByLabel('Value of header 1').fill('Bearer {secret.API_KEY}');
    app.clear();
    await p.locator('.savebar .primary').click();
    await p.waitForSelector('.savebar', { state: 'detached' });
    assert.deepEqual(Object.keys(JSON.parse(app.requests('PATCH', '/_proxies/records')[0].body)), ['headers']);
    await app.open('#/gateway');
    await p.locator('[data-proxy="/-/ai"] a').click();
    // parts are shown as they come, before the end
    await send.click();
    await p.waitForSelector('[data-answer] >> text=data: 1');
    assert.deepEqual(up.seen, [{ url: '/v1', auth: 'Bearer hidden-value' }]);
    up.stream.write('data: 2\n\n');
    await p.waitForSelector('[data-answer] >> text=data: 2');
    await stop.waitFor();
    up.stream.end();
    await stop.waitFor({ state: 'detached' });
    assert.ok(!(await p.content()).includes('hidden-value'));
    // its figures are read from the server; which proxy, then off
    await app.open('#/gateway');
    await p.getByLabel('Path of a request').fill('/-/ai/chat?x=1');
    await p.waitForSelector(`[data-match] >> text=${up.url}/v1/chat?x=1`);
    await p.locator('[data-proxy="/-/ai"] [role=switch]').click();
    await p.locator('dialog .btn.fill').click();
    await p.waitForSelector('[data-match] >> text=None: the answer is 404.');
    assert.equal((await app.api('GET', '/api/collections/_proxies/records')).items[0].active, false);
    await p.locator('[data-proxy="/-/ai"] a').click();
    await send.click();
    await p.waitForSelector('[data-status="404"]');
    assert.equal(up.seen.length, 1);
    // an upstream that is gone, through a proxy that is on
    await app.api('PATCH', `/api/collections/_proxies/records/${(await app.api('GET', '/api/collections/_proxies/records')).items[0].id}`, { active: true });
    up.close();
    await send.click();
    await p.waitForSelector('[data-status="502"]');
  } finally { up.close(); }
});

real('TOF: masked keys, the mock is warned of', { args: ['--dev'], env: { TOF_APP_KEY: 'myapp12345', TOF_APP_TOKEN: '0123456789abcdef0123456789abcdef', TOF_DEV_MOCK_USER: 'mock' } }, async (app, p) => {
  await app.fresh('#/settings/tof');
  await p.waitForSelector('[data-tof] >> text=0123****cdef');
  await p.waitForSelector('[data-tof] >> text=myap****2345');
  await p.waitForSelector('[role=alert] >> text=TOF_DEV_MOCK_USER');
  await p.locator('.side a', { hasText: 'TOF sign-in' }).waitFor();
});

real('T49 jobs of the executable: done, failed, run again; a topic without handler', { env: { PB_JOBS_POLL_INTERVAL: '200ms' }, files: { 'pb_hooks/jobs.pb.js': "$jobs.register('fine', () => {});\n$jobs.register('bad', (job) => { throw new Error('boom ' + job.payload.n); });\n" } }, async (app, p) => {
  await app.fresh('#/collections?collection=users');
  await p.getByRole('link', { name: 'Jobs' }).click();
  await p.waitForSelector('text=There are no jobs yet.');
  const make = async (topic, payload, attempts) => {
    await p.getByRole('button', { name: 'New job' }).click();
    await p.locator('dialog').getByLabel('Topic').fill(topic);
    await p.locator('dialog').getByLabel('Payload (JSON)').fill(payload);
    await p.locator('dialog').getByLabel('Attempts').fill(String(attempts));
    await p.locator('dialog .btn.primary').click();
    await p.waitForSelector('dialog', { state: 'detached' });
    await p.locator('.drawer [data-status]').waitFor();
  };
  const state = (s) => p.waitForSelector(`.drawer [data-status=${s}]`);
  const close = async () => { await p.locator('.drawer').getByRole('button', { name: 'Close' }).click(); await p.waitForSelector('.drawer', { state: 'detached' }); };
  await make('fine', '{"n": 12345678901234567890}', 3);
  await state('completed');
  await close();
  await make('bad', '{"n": 7}', 1);
  await state('failed');
  await p.waitForSelector('.drawer [data-error] >> text=boom 7');
  const before = (await app.api('GET', '/api/jobs?topic=bad')).items[0].updated;
  await p.locator('.drawer').getByRole('button', { name: 'Run again' }).click();
  await until(async () => { const j = (await app.api('GET', '/api/jobs?topic=bad')).items[0]; return j.status === 'failed' && j.updated !== before; }, 'the second failure', 200);
  await close();
  await make('nobody', '{}', 3);
  await close();
  await p.waitForSelector('[data-orphans] >> text=nobody');
  await p.locator('[data-count=pending] strong >> text=1').waitFor();
  await p.locator('[data-count=completed] strong >> text=1').waitFor();
  await p.locator('.tile', { hasText: 'success rate' }).locator('strong >> text=50.0 %').waitFor();
});

real('T50 secrets of the executable: two environments; the value is in no log', { env: { PB_MASTER_KEY: 'ab'.repeat(32) } }, async (app, p) => {
  await app.fresh('#/secrets');
  await p.waitForSelector('text=There are no secrets yet.');
  for (const [env, text] of [['global', 'first_value_hidden'], ['test', 'second_value_hidden']]) {
    await p.getByRole('button', { name: 'New secret' }).click();
    await p.locator('dialog').getByLabel('Key').fill('API/KEY b');
    await p.locator('dialog').getByLabel('Environment').fill(env);
    await p.getByLabel('Value', { exact: true }).fill(text);
    await p.locator('dialog .btn.primary').click();
    await p.waitForSelector('dialog', { state: 'detached' });
  }
  const row = p.locator('[data-secret="API/KEY b/test"]');
  await row.getByText('seco***').waitFor();
  await row.getByRole('button', { name: 'Reveal' }).click();
  await row.locator('text=second_value_hidden').waitFor();
  await p.locator('[data-secret="API/KEY b/global"]').getByRole('button', { name: 'Reveal' }).click();
  await p.locator('[data-secret="API/KEY b/global"] >> text=first_value_hidden').waitFor();
  await app.logged('/api/secrets');
  const logs = await app.api('GET', '/api/logs?perPage=500');
  assert.ok(logs.items.length > 0 && !JSON.stringify(logs).includes('value_hidden'));
  await menu(p, 'API/KEY b test', 'Delete…');
  await p.locator('dialog input').fill('API/KEY b');
  await p.locator('dialog .btn.fill').click();
  await row.waitFor({ state: 'detached' });
  assert.deepEqual((await app.api('GET', '/api/secrets')).items.map((x) => x.env), ['global']);
});

real('T50 the executable without a master key says so', { env: { PB_MASTER_KEY: '' } }, async (app, p) => {
  await app.fresh('#/secrets');
  await p.waitForSelector('[data-off=secrets] >> text=Please set PB_MASTER_KEY');
  assert.ok(!(await offered(p)).includes('Secrets'));
});

real('T52 processes of the executable: stop, start, restart, output, a crash loop', { files: { 'pb_processes.json': JSON.stringify([{ id: 'ticker', command: 'sh', args: ['-c', 'n=0; while :; do n=$((n+1)); echo "tick $n <img src=x onerror=window.xss=1>"; sleep 0.2; done'], cwd: '.', env: { API_TOKEN: 'hidden-token' } }, { id: 'waiter', command: 'sh', args: ['-c', 'exit 3'], backoff: '600s' }, { id: 'looper', command: 'sh', args: ['-c', 'echo dying >&2; exit 3'], maxRetries: 3, backoff: '50ms' }]) } }, async (app, p) => {
  await app.fresh('#/processes');
  const row = p.locator('[data-process=ticker]');
  await row.locator('[data-status=running]').waitFor();
  await row.getByRole('button', { name: 'Stop' }).click();
  await p.locator('dialog .btn.fill').click();
  await row.locator('[data-status=stopped]').waitFor();
  await row.getByRole('button', { name: 'Start', exact: true }).click();
  await row.locator('[data-status=running]').waitFor();
  const pid = await row.locator('td').nth(2).textContent();
  await row.getByRole('button', { name: 'Restart' }).click();
  await p.locator('dialog .btn.fill').click();
  await p.waitForFunction((old) => { const r = document.querySelector('[data-process=ticker]'); return r.querySelector('[data-status=running]') && ![old, '—'].includes(r.querySelectorAll('td')[2].textContent); }, pid);
  await row.locator('a').click();
  await p.waitForSelector('.log .line >> text=tick 3');
  await p.getByLabel('Search the lines').fill('tick 3 ');
  await p.waitForFunction(() => document.querySelectorAll('.log .line').length === 1);
  assert.equal(await p.evaluate(() => window.xss), undefined);
  await p.locator('summary', { hasText: 'Configuration' }).click();
  await p.waitForSelector('pre >> text=API_TOKEN');
  assert.ok(!(await p.content()).includes('hidden-token'));
  await app.open('#/processes/waiter');
  await p.waitForSelector('[data-status=backoff]');
  await p.waitForSelector('text=exit status 3');
  await app.open('#/processes/looper');
  await p.waitForSelector('[data-loop]');
  await p.waitForSelector('.log .line.err >> text=dying');
  await p.waitForSelector('text=max retries exceeded');
});

real('T53 analytics of the executable: seeded events show the numbers of the API; markup is text', { env: { PB_ANALYTICS_FLUSH_INTERVAL: '1' } }, async (app, p, s) => {
  const evil = '/<img src=x onerror="window.xss=1">';
  const events = Array.from({ length: 12 }, (_, i) => ({ event: 'page_view', path: i % 3 ? '/start' : evil, sid: `s${i % 4}`, referrer: 'https://news.example/x' }));
  const sent = await fetch(`${s.url}/api/analytics/events`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }, body: JSON.stringify({ events }) });
  assert.equal((await sent.json()).accepted, 12);
  // written by and by
  await until(async () => (await app.api('GET', '/api/analytics/stats')).summary.totalPV === 12, 'the figures', 200);
  const { pages } = await app.api('GET', '/api/analytics/top-pages');
  await app.fresh('#/analytics');
  await p.locator('[data-tile=pv] strong >> text=12').waitFor();
  await p.locator('[data-tile=uv] strong >> text=4').waitFor();
  assert.deepEqual(await p.locator('[data-list=pages] .bar-row').evaluateAll((n) => n.map((x) => [x.querySelector('.name').textContent, Number(x.querySelector('.num').textContent)])), pages.map((x) => [x.path, x.pv]));
  await p.locator('[data-list=sources] >> text=news.example').waitFor();
  await p.locator('[data-list=browsers] >> text=Firefox').waitFor();
  assert.equal(await p.evaluate(() => window.xss), undefined);
  assert.ok(pages.some((x) => x.path === evil));
  assert.equal(await p.locator('[data-list=pages] img').count(), 0);
  await p.locator('summary', { hasText: 'By day' }).click();
  assert.equal(await p.locator('[data-daily] tbody tr').count(), (await app.api('GET', '/api/analytics/stats')).daily.length);
  await p.getByRole('radio', { name: '30 days' }).check({ force: true });
  await p.waitForFunction(() => location.hash.includes('range=30d'));
  await p.waitForFunction((n) => document.querySelectorAll('[data-daily] tbody tr').length === n, (await app.api('GET', '/api/analytics/stats?range=30d')).daily.length);
  app.clear();
  await p.getByRole('button', { name: 'Send a test event' }).click();
  // this browser says that it is driven by a program, which the server does not count
  await p.waitForSelector('.toast >> text=bot traffic ignored');
  assert.equal(JSON.parse(app.requests('POST', '/api/analytics/events')[0].body).events[0].event, 'page_view');
});

real('T53 analytics without data: how to make some', {}, async (app, p) => {
  await app.fresh('#/analytics');
  await p.locator('.empty pre', { hasText: '/api/analytics/events' }).waitFor();
});
