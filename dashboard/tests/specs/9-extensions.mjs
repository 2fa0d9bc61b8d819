// The screens of the extensions: against the executable, and (for what it cannot be asked to do) against ../fakes.mjs, which answers
// their routes from the chapters of the specification.
import assert from 'node:assert/strict';
import * as fakes from '../fakes.mjs';
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

check('T49 jobs: enqueue, three failures, run again, done; counters; nobody takes them', async (app, p, r) => {
  const jobs = fakes.jobs();
  r.faults.hook = fakes.plugins([jobs]);
  await p.clock.install();
  await app.fresh('#/jobs');
  await p.waitForSelector('text=There are no jobs yet.');
  await p.getByRole('button', { name: 'New job' }).click();
  await p.getByLabel('Topic').last().fill('mail');
  await p.getByLabel('Payload (JSON)').fill('{"to": "x", "big": 12345678901234567890');
  assert.ok(await p.locator('dialog .btn.primary').isDisabled(), 'broken JSON may be sent');
  await p.getByLabel('Payload (JSON)').fill('{"to": "x", "big": 12345678901234567890}');
  app.clear();
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.drawer [data-status=pending]');
  const sent = app.requests('POST', '/api/jobs/enqueue')[0].body;
  assert.ok(sent.includes('12345678901234567890') && sent.includes('"topic":"mail"'), sent);
  assert.ok((await p.locator('.drawer pre').first().textContent()).includes('"to": "x"'));
  const id = jobs.state.items[0].id;
  assert.ok(p.url().includes(`#/jobs/${id}`));
  const count = async (s, n) => { await p.waitForFunction(([s, n]) => document.querySelector(`[data-count=${s}] strong`)?.textContent === n, [s, String(n)]); };
  // the clock of the page is turned: the list is read every five seconds
  for (const [n, status] of [[1, 'pending'], [2, 'pending'], [3, 'failed']]) {
    jobs.fail(id, 'boom: no mailbox\n  at send (mail.js:1)');
    await p.clock.runFor(6000);
    await p.waitForSelector(`.drawer [data-status=${status}]`);
    await p.waitForSelector(`.drawer td >> text=${n} of 3`);
  }
  await count('failed', 1);
  await p.waitForSelector('.drawer [data-error] summary >> text=boom: no mailbox');
  assert.ok(await p.locator('.drawer [data-error]').evaluate((n) => !n.open), 'the stack is folded');
  await p.locator('.drawer').getByRole('button', { name: 'Close' }).click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  await p.locator(`[data-job=${id}]`).waitFor();
  // by key: choose it, run it again
  await p.keyboard.press('ArrowDown');
  await p.keyboard.press('r');
  await p.waitForSelector('.toast >> text=The job waits again');
  await count('pending', 1);
  assert.equal(app.requests('POST', `/api/jobs/${id}/requeue`).length, 1);
  // waiting and waiting: somebody should look
  for (let i = 0; i < 3; i++) { const n = app.requests('GET', '/api/jobs/stats').length; await p.clock.runFor(5100); await until(() => app.requests('GET', '/api/jobs/stats').length > n, 'a reading'); await app.quiet(); }
  await p.waitForSelector('[data-stuck]');
  jobs.finish(id);
  await p.clock.runFor(6000);
  await count('completed', 1);
  await p.waitForSelector('[data-stuck]', { state: 'detached' });
  await p.locator('.tile', { hasText: 'success rate' }).locator('strong >> text=100.0 %').waitFor();
  // all failed ones of a topic at once, those of another stay
  for (const topic of ['mail', 'mail', 'other']) { const j = { id: `x${jobs.state.items.length}`, topic, payload: {}, status: 'failed', run_at: '2026-01-01 00:00:00.000Z', locked_until: '', retries: 3, max_retries: 3, last_error: 'x', created: '2026-01-01 00:00:00.000Z', updated: '2026-01-01 00:00:00.000Z' }; jobs.state.items.push(j); }
  await app.open('#/jobs?topic=mail');
  await p.getByRole('button', { name: 'Run the failed of this topic again' }).click();
  await p.waitForSelector('dialog >> text=Run the 2 failed jobs of “mail” again?');
  await p.locator('dialog .btn.fill').click();
  await p.waitForSelector('.toast >> text=2 wait again');
  assert.equal(jobs.state.items.find((j) => j.topic === 'other').status, 'failed');
});

check('T49 T50 switched off: not offered; the address says which variable to set', async (app, p, r) => {
  const missing = { status: 404, body: { status: 404, message: "The requested resource wasn't found.", data: {} } };
  r.faults.hook = fakes.plugins([], { jobs: missing, secrets: { status: 503, body: { status: 503, message: 'Secrets feature is disabled. Please set PB_MASTER_KEY environment variable.', data: {} } }, gateway: missing, processman: missing, analytics: { body: { enabled: false } } });
  await app.fresh('#/secrets');
  await p.waitForSelector('[data-off=secrets] >> text=openssl rand -hex 32');
  await p.waitForSelector('[data-off=secrets] >> text=Please set PB_MASTER_KEY');
  for (const x of ['jobs', 'gateway', 'processes', 'analytics']) { await app.open(`#/${x}`); await p.waitForSelector(`[data-off=${x === 'processes' ? 'processman' : x}]`); }
  const places = await offered(p);
  for (const x of ['Jobs', 'Secrets', 'Gateway', 'Processes', 'Analytics']) assert.ok(!places.includes(x), `${x} is offered`);
  await app.open('#/system');
  await p.locator('[data-plugin=secrets] >> text=off').waitFor();
  assert.equal(await p.locator('[data-plugin=jobs] a').getAttribute('href'), '#/jobs');
}, { allow: true });

check('T50 secrets: two environments; the value hides by itself and is kept nowhere', async (app, p, r) => {
  const secrets = fakes.secrets(), gateway = fakes.gateway({ items: [{ id: 'p1', path: '/-/pay', upstream: 'https://pay.example', headers: { Authorization: 'Bearer {secret.STRIPE}' }, accessRule: '', active: true }], requests: new Map() });
  r.faults.hook = fakes.plugins([secrets, gateway]);
  const value = 'sk_live_never_seen_again', other = 'sk_test_never_seen_again';
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
  assert.deepEqual(secrets.state.items.map((s) => [s.env, s.value]), [['global', value], ['test', other]]);
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
  secrets.state.items.push({ id: 'z', key: 'ONLY_TEST', env: 'test', value: 'x', description: '', created: '', updated: '2026-01-01 00:00:00.000Z' });
  await app.open('#/secrets?by=env');
  await app.fresh('#/secrets?by=env');
  await p.locator('[data-matrix] tr', { hasText: 'ONLY_TEST' }).getByRole('button', { name: 'missing' }).waitFor();
  // a .env file: seen first
  await p.getByRole('button', { name: 'Import .env…' }).click();
  await p.getByLabel('Text of the file').fill('# note\nexport MAIL="a # b"\nSTRIPE=new\nnonsense');
  await p.waitForSelector('dialog >> text=No assignment in line 4');
  await p.locator('dialog tr', { hasText: 'STRIPE' }).locator('text=is written over').waitFor();
  await p.locator('dialog').getByRole('button', { name: 'Import 2' }).click();
  await p.waitForSelector('dialog', { state: 'detached' });
  assert.deepEqual(secrets.state.items.filter((s) => s.env === 'global').map((s) => [s.key, s.value]).sort(), [['MAIL', 'a # b'], ['STRIPE', 'new']]);
  // deleting wants the name and says who uses it
  await app.open('#/secrets');
  await menu(p, 'STRIPE global', 'Delete…');
  await p.waitForSelector('dialog >> text=These proxies send it: /-/pay');
  assert.ok(await p.locator('dialog .btn.fill').isDisabled());
  await p.locator('dialog input').fill('STRIPE');
  await p.locator('dialog .btn.fill').click();
  await p.locator('[data-secret="STRIPE/global"]').waitFor({ state: 'detached' });
  await p.locator('[data-secret="STRIPE/test"]').waitFor();
  // what cannot be read is said
  Object.assign(secrets.state.items[0], { error: 'decryption_failed' });
  await app.fresh('#/secrets');
  await p.waitForSelector('[role=alert] >> text=PB_MASTER_KEY_PREVIOUS');
});

check('T51 gateway: a proxy with a secret streams; an unknown variable is a configuration error; off is 404', async (app, p, r) => {
  const gateway = fakes.gateway(), secrets = fakes.secrets({ items: [{ id: 's', key: 'API_KEY', env: 'global', value: 'hidden-value', description: '', created: '', updated: '' }] });
  gateway.state.secrets = ['API_KEY'];
  r.faults.hook = fakes.plugins([gateway, secrets]);
  await app.fresh('#/gateway');
  await p.getByRole('link', { name: 'New proxy' }).click();
  await p.getByLabel('Path', { exact: true }).fill('/api/x');
  await p.locator('.issue', { hasText: '/api is the API of this server' }).waitFor();
  await p.getByLabel('Path', { exact: true }).fill('/-/ai');
  await p.getByLabel('Upstream', { exact: true }).fill('https://ai.example/v1');
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
  // the mistake is told as one of the proxy, by its name
  await p.locator('[data-send]').getByRole('button', { name: 'Send', exact: true }).click();
  await p.waitForSelector('[data-configuration] >> text=API_KY');
  await p.getByLabel('Value of header 1').fill('Bearer {secret.API_KEY}');
  app.clear();
  await p.locator('.savebar .primary').click();
  await p.waitForSelector('.savebar', { state: 'detached' });
  assert.deepEqual(Object.keys(JSON.parse(app.requests('PATCH', '/_proxies/records')[0].body)), ['headers']);
  await app.open('#/gateway');
  await p.locator('[data-proxy="/-/ai"] a').click();
  // parts are shown as they come, before the end
  await p.locator('[data-send]').getByRole('button', { name: 'Send', exact: true }).click();
  await p.waitForSelector('[data-answer] >> text=data: 1');
  gateway.state.stream.write('data: 2\n\n');
  await p.waitForSelector('[data-answer] >> text=data: 2');
  await p.locator('[data-send]').getByRole('button', { name: 'Stop' }).waitFor();
  gateway.state.stream.end();
  await p.locator('[data-send]').getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' });
  // which proxy, then off
  await app.open('#/gateway');
  await p.getByLabel('Path of a request').fill('/-/ai/chat?x=1');
  await p.waitForSelector('[data-match] >> text=https://ai.example/v1/chat?x=1');
  await p.locator('[data-proxy="/-/ai"] [role=switch]').click();
  await p.locator('dialog .btn.fill').click();
  await p.waitForSelector('[data-match] >> text=None: the answer is 404.');
  assert.equal(gateway.state.items[0].active, false);
  await p.locator('[data-proxy="/-/ai"] a').click();
  await p.locator('[data-send]').getByRole('button', { name: 'Send', exact: true }).click();
  await p.waitForSelector('[data-status="404"]');
});

check('T52 processes: stop, start, restart; the log follows; a crash loop shows', async (app, p, r) => {
  const pm = fakes.processes();
  pm.state.items = ['worker', 'looper'].map((id, i) => ({ id, pid: 100 + i, status: 'running', startTime: new Date().toISOString(), uptime: '5s', restartCount: 0, config: { id, script: 'w.py', env: { API_TOKEN: '****' } } }));
  pm.state.lines.worker = [{ timestamp: '2026-01-01T10:00:00.000Z', processId: 'worker', stream: 'stdout', content: 'ready <img src=x onerror="window.xss=1">' }, { timestamp: '2026-01-01T10:00:01.000Z', processId: 'worker', stream: 'stderr', content: 'careful' }];
  r.faults.hook = fakes.plugins([pm]);
  await app.fresh('#/processes');
  const row = (id) => p.locator(`[data-process=${id}]`);
  await row('worker').locator('[data-status=running]').waitFor();
  await row('worker').getByRole('button', { name: 'Stop' }).click();
  await p.locator('dialog .btn.fill').click();
  await row('worker').locator('[data-status=stopped]').waitFor();
  await row('worker').getByRole('button', { name: 'Start', exact: true }).click();
  await row('worker').locator('[data-status=running]').waitFor();
  await row('worker').getByRole('button', { name: 'Restart' }).click();
  await p.locator('dialog .btn.fill').click();
  await p.waitForFunction(() => document.querySelector('[data-process=worker] td:nth-child(5)').textContent === '1');
  // what it prints, as it prints it
  await row('worker').locator('a').click();
  await p.waitForSelector('.log .line >> text=ready <img');
  await p.waitForSelector('.log .line.err >> text=careful');
  pm.state.lines.worker.push({ timestamp: '2026-01-01T10:00:02.000Z', processId: 'worker', stream: 'stdout', content: 'one more line' });
  await p.waitForSelector('.log .line >> text=one more line');
  await p.getByLabel('Search the lines').fill('careful');
  await p.waitForFunction(() => document.querySelectorAll('.log .line').length === 1);
  assert.equal(await p.evaluate(() => window.xss), undefined);
  await p.locator('summary', { hasText: 'Configuration' }).click();
  await p.waitForSelector('pre >> text=****');
  Object.assign(pm.state.items[1], { status: 'backoff', pid: 0, uptime: '', restartCount: 4, lastError: 'exit status 3', nextStart: new Date(Date.now() + 600_000).toISOString() });
  await app.open('#/processes/looper');
  await p.waitForSelector('[data-loop]');
  await p.waitForSelector('[data-status=backoff]');
  await p.waitForSelector('text=exit status 3');
});

check('T53 analytics: the numbers of the API; a path with markup is text; another span', async (app, p, r) => {
  const evil = '/<img src=x onerror="window.xss=1">';
  const fake = fakes.analytics({ uv: 321, daily: (back) => (back < 8 ? { pv: 10 + back, uv: 5 } : { pv: 5, uv: 2 }), pages: [{ path: '/', pv: 70, visitors: 40 }, { path: evil, pv: 38, visitors: 3 }], sources: [{ source: 'direct', visitors: 30 }], browsers: [{ name: 'Firefox', visitors: 20 }], os: [{ name: 'Linux', visitors: 20 }], devices: [{ name: 'desktop', visitors: 20 }] });
  r.faults.hook = fakes.plugins([fake]);
  await app.fresh('#/analytics');
  await p.locator('[data-tile=pv] strong >> text=108').waitFor();
  await p.locator('[data-tile=uv] strong >> text=321').waitFor();
  await p.locator('[data-tile=bounce] strong >> text=41.5 %').waitFor();
  // eight days before: 8 × 5 views
  await p.locator('[data-tile=pv] >> text=+170 %').waitFor();
  assert.deepEqual(await p.locator('[data-list=pages] .bar-row').evaluateAll((n) => n.map((x) => x.textContent.trim())), ['/70', `${evil}38`]);
  assert.equal(await p.evaluate(() => window.xss), undefined);
  assert.equal(await p.locator('[data-list=pages] img').count(), 0);
  await p.locator('summary', { hasText: 'By day' }).click();
  assert.equal(await p.locator('[data-daily] tbody tr').count(), 8);
  await p.getByRole('radio', { name: '30 days' }).check({ force: true });
  await p.waitForFunction(() => location.hash.includes('range=30d'));
  await p.waitForFunction(() => document.querySelectorAll('[data-daily] tbody tr').length === 31);
  await p.getByRole('button', { name: 'Send a test event' }).click();
  await p.waitForSelector('.toast >> text=Taken');
  assert.equal(fake.state.events[0].event, 'page_view');
});

check('T53 analytics without data: how to make some', async (app, p, r) => {
  r.faults.hook = fakes.plugins([fakes.analytics({ uv: 0, daily: () => ({ pv: 0, uv: 0 }), pages: [], sources: [], browsers: [], os: [], devices: [] })]);
  await app.fresh('#/analytics');
  await p.locator('.empty pre', { hasText: '/api/analytics/events' }).waitFor();
});

check('TOF: masked keys, the mock is warned of', async (app, p, r) => {
  r.faults.hook = fakes.plugins([fakes.tof({ enabled: true, appKey: 'myap****2345', appToken: '0123****cdef', devMockUser: 'mock' })]);
  await app.fresh('#/settings/tof');
  await p.waitForSelector('[data-tof] >> text=0123****cdef');
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

real('T52 processes of the executable: stop, start, restart, output, a crash loop', { files: { 'pb_processes.json': JSON.stringify([{ id: 'ticker', command: 'sh', args: ['-c', 'n=0; while :; do n=$((n+1)); echo tick $n; sleep 0.2; done'], cwd: '.' }, { id: 'looper', command: 'sh', args: ['-c', 'echo dying >&2; exit 3'], maxRetries: 3, backoff: '50ms' }]) } }, async (app, p) => {
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
  await app.open('#/processes/looper');
  await p.waitForSelector('[data-loop]');
  await p.waitForSelector('.log .line.err >> text=dying');
  await p.waitForSelector('text=max retries exceeded');
});
