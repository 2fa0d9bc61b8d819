// What others may do: trying rules, tests of rules, events, figures, what a server cannot do.
import assert from 'node:assert/strict';
import { App, email, password, until } from '../rig.mjs';
import { api } from '../seed.mjs';

const person = async (app, name) => (await app.api('GET', `/api/collections/users/records?filter=${encodeURIComponent(`name = '${name}'`)}`)).items[0];

check('T35 try as: guest, Ann and a superuser get for list, view, create, update, delete what real requests give', async (app, p, r) => {
  const ann = await person(app, 'Ann'), token = (await api(r.front, 'POST', '/api/collections/users/auth-with-password', { identity: 'ann@example.com', password })).token;
  const own = (await app.api('GET', `/api/collections/posts/records?filter=${encodeURIComponent(`author = '${ann.id}'`)}&perPage=1`)).items[0];
  const body = { title: 'tried' };
  const real = async (who, action) => {
    const path = `/api/collections/posts/records${['view', 'update', 'delete'].includes(action) ? `/${own.id}` : ''}`;
    const method = { list: 'GET', view: 'GET', create: 'POST', update: 'PATCH', delete: 'DELETE' }[action];
    const x = await fetch(`${r.front}${path}`, { method, headers: { ...(who === 'ann' ? { Authorization: token } : {}), 'Content-Type': 'application/json' }, ...(method === 'GET' || method === 'DELETE' ? {} : { body: JSON.stringify(body) }) });
    return x.status;
  };
  await app.fresh(`#/collections?collection=posts&record=${own.id}&try=view`);
  const dialog = p.locator('dialog.modal');
  await dialog.waitFor();
  for (const who of ['guest', 'ann']) {
    await p.getByLabel('As', { exact: true }).selectOption(who === 'guest' ? 'guest' : 'users');
    if (who === 'ann') { const box = dialog.locator('input[role=combobox]').first(); await box.fill('Ann'); await p.waitForSelector('.list [role=option] >> text=ann@example.com'); await p.keyboard.press('Enter'); }
    for (const action of ['list', 'view', 'create', 'update', 'delete']) {
      await p.getByLabel('What to try').selectOption(action);
      if (['create', 'update'].includes(action)) await dialog.locator('textarea').first().fill(JSON.stringify(body));
      await dialog.getByRole('button', { name: 'Run', exact: true }).click();
      await dialog.locator('[data-status]').waitFor();
      const shown = Number(await dialog.locator('[data-status]').getAttribute('data-status'));
      assert.equal(shown, await real(who, action), `${who} ${action}`);
      if (who === 'guest' && action === 'update') assert.ok((await dialog.locator('.step[data-result=false]').count()) >= 1, 'the false comparison is marked');
      if (who === 'ann' && action === 'list') assert.match(await dialog.locator('[data-answer]').textContent(), /Sees \d+ of 1\d\d/);
    }
  }
});

check('T36 rule tests: three are kept; a change that breaks one is red before saving', async (app, p) => {
  const ann = await person(app, 'Ann');
  const own = (await app.api('GET', `/api/collections/posts/records?filter=${encodeURIComponent(`author = '${ann.id}'`)}&perPage=1`)).items[0];
  await app.fresh('#/collections?collection=posts&edit=rules');
  const keep = async (rule, who, record) => {
    await p.locator('.rule', { hasText: rule }).first().getByRole('button', { name: 'Try as…' }).click();
    const dialog = p.locator('dialog.modal');
    if (who) { await p.getByLabel('As', { exact: true }).selectOption('users'); await dialog.locator('input[role=combobox]').first().fill(who); await p.waitForSelector(`.list [role=option] >> text=${who}`); await p.keyboard.press('Enter'); }
    if (record) { await dialog.locator('input[role=combobox]').last().fill(record); await p.waitForSelector('.list [role=option]'); await p.keyboard.press('Enter'); }
    await dialog.getByRole('button', { name: 'Run', exact: true }).click();
    await dialog.getByRole('button', { name: 'Keep as a test' }).click();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
  };
  await keep('List and search', '', '');
  await keep('Update', 'Ann', own.id);
  await keep('Update', 'Boris', own.id);
  await p.getByRole('button', { name: 'Run the tests' }).click();
  await p.waitForSelector('[data-tests] [role=status] >> text=3 tests, 0 would fail');
  // only signed in: Boris may now update what is Ann's
  const rule = p.locator('.rule', { hasText: 'Update' }).first();
  await rule.locator('.cm-content').click();
  await p.keyboard.press('Control+a');
  await p.keyboard.insertText("@request.auth.id != ''");
  await p.locator('.drawer footer .primary').click();
  await p.waitForSelector('dialog [data-tests] [role=status] >> text=3 tests, 1 would fail');
  assert.equal(await p.locator('dialog .test[data-ok=false]').count(), 1);
  await p.locator('dialog').getByRole('button', { name: 'Cancel' }).click();
  await p.locator('.drawer footer button', { hasText: 'Reset' }).click();
});

check('T42 explain from a log entry: filter and sort of that request', async (app, p) => {
  const mark = `views > ${100000 + (Date.now() % 1000)}`;
  await api(app.front, 'GET', `/api/collections/posts/records?filter=${encodeURIComponent(mark)}&sort=-views`);
  // logs are written a little later
  const found = await app.logged(mark.slice(8), " && data.auth = ''");
  await app.fresh(`#/logs?superuserRequests=1&logId=${found.id}`);
  await p.getByRole('link', { name: 'Explain this list' }).click();
  await p.waitForSelector('dialog [data-steps] li');
  const q = new URLSearchParams(new URL(p.url()).hash.split('?')[1]);
  assert.deepEqual([q.get('filter'), q.get('sort')], [mark, '-views']);
});

check('T48 realtime: a guest with a filter gets allowed events only; a second tab needs no second stream', async (app, p, r) => {
  await app.fresh('#/realtime?topic=posts/*');
  await p.waitForSelector('form .field');
  await p.getByLabel('As', { exact: true }).selectOption('guest');
  await p.locator('form textarea').fill('views > 10');
  await p.getByRole('button', { name: 'Connect', exact: true }).click();
  await p.waitForSelector('[role=status] >> text=connected');
  // with an author: "author = @request.auth.id" is true of nobody's record for a guest
  const author = (await person(app, 'Ann')).id;
  const make = (title, status, views) => app.api('POST', '/api/collections/posts/records', { title, status, views, author });
  await make('draft event', 'draft', 99);
  await make('small event', 'published', 5);
  const seen = await make('wanted event', 'published', 50);
  await p.waitForSelector(`.event >> text=${seen.id}`);
  assert.equal(await p.locator('.event').count(), 1);
  await app.api('PATCH', `/api/collections/posts/records/${seen.id}`, { views: 60 });
  await p.waitForSelector('.event[data-action=update] >> text=views');
  await p.getByRole('button', { name: 'Disconnect' }).click();
  // live lists in two tabs: one stream, both hear
  const open = [];
  const count = (page) => page.on('request', (q) => { if (q.method() === 'GET' && q.url().endsWith('/api/realtime')) open.push(page); });
  count(p);
  await app.fresh('#/collections?collection=posts&live=1&sort=-created');
  await p.waitForSelector('[role=gridcell]');
  await p.waitForFunction(() => document.querySelector('button.live'));
  const other = await app.context.newPage();
  app.watch(other);
  count(other);
  const subscribed = () => app.requests('POST', '/api/realtime').length;
  await other.goto(`${app.front}/_/#/collections?collection=posts&live=1&sort=-created`);
  await other.waitForSelector('[role=gridcell]');
  await until(subscribed, 'a subscription');
  // an event is the proof that the subscription stands: repeated until it is seen
  const shown = (page) => page.locator('.body [role=row]', { hasText: /live \d+/ }).first();
  let n = 0;
  await until(async () => { if (await shown(other).count()) return true; await app.api('PATCH', `/api/collections/posts/records/${seen.id}`, { title: `live ${n++}` }); return false; }, 'an event', 150);
  await shown(other).waitFor();
  await shown(p).waitFor();
  assert.equal(open.length, 1, 'streams opened');
  await make('one more', 'published', 1);
  await p.getByRole('button', { name: '1 new' }).waitFor();
  await app.api('DELETE', `/api/collections/posts/records/${seen.id}`);
  await p.waitForSelector('.td.gone');
  await other.close();
  assert.ok(r);
});

check('T54 metrics: p95 of a route is that of two scrapes; leaving stops the polling', async (app, p) => {
  const texts = [];
  p.on('response', async (x) => { if (x.url().endsWith('/api/metrics') && x.ok()) texts.push(await x.text().catch(() => '')); });
  await app.fresh('#/metrics');
  await p.waitForSelector('.tile strong');
  for (let i = 0; i < 30; i++) await api(app.front, 'GET', '/api/health');
  await p.getByLabel('Time span').selectOption('600');
  await p.waitForFunction(() => [...document.querySelectorAll('[data-routes] tbody tr')].some((r) => r.textContent.includes('/api/health')), null);
  const row = await p.locator('[data-routes] tbody tr', { hasText: '/api/health' }).first().locator('td').allTextContents();
  const bucket = (text) => new Map([...text.matchAll(/^pocketbase_http_request_duration_seconds_bucket\{([^}]*)\} (\S+)/gm)].filter((m) => m[1].includes('/api/health') && m[1].includes(row[0].split(' ')[0] || '')).map((m) => [m[1].match(/le="([^"]+)"/)[1], Number(m[2])]));
  const a = bucket(texts[0]), b = bucket(texts[texts.length - 1]);
  const grown = [...b].map(([le, n]) => [le === '+Inf' ? Infinity : Number(le), n - (a.get(le) ?? 0)]).sort((x, y) => x[0] - y[0]);
  const rank = 0.95 * grown.at(-1)[1];
  let lower = 0, below = 0, p95 = 0;
  for (const [le, n] of grown) { if (n >= rank) { p95 = le === Infinity ? lower : lower + ((le - lower) * (rank - below)) / Math.max(1, n - below); break; } lower = le; below = n; }
  const shown = Number.parseFloat(row[5]) / 1000;
  assert.ok(Math.abs(shown - p95) <= 0.0006 + p95 * 0.02, `${row.join(' | ')}: shown ${shown}, computed ${p95}`);
  await app.open('#/logs');
  await p.waitForSelector('h1 >> text=Logs');
  app.clear();
  // the clock is turned, not waited for
  await p.clock.install().catch(() => undefined);
  await p.clock.runFor(16_000).catch(() => undefined);
  assert.equal(app.requests('GET', '/api/metrics').length, 0);
});

check('T55 a server without an extension: no entry, no request, even when unknown addresses answer with a page', async (app, p, r) => {
  r.faults.hook = (req, res) => { const path = req.url.split('?')[0]; if (/^\/api\/(jobs|secrets|gateway|pm|analytics|system|kv|dashboard)/.test(path) || path.endsWith('/status')) { res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>app</title>'); return true; } return false; };
  await app.fresh('#/collections?collection=posts');
  await p.waitForSelector('[role=gridcell]');
  const places = await p.locator('.rail a').allTextContents();
  for (const x of ['Jobs', 'Secrets', 'Gateway', 'Processes', 'Analytics', 'System']) assert.ok(!places.some((y) => y.includes(x)), `${x} is offered`);
  for (const x of ['jobs', 'secrets', 'gateway', 'pm', 'analytics']) assert.equal(app.requests('', `/api/${x}`).length, 0, x);
  for (const x of ['/jobs', '/secrets', '/gateway', '/processes', '/analytics']) { await app.fresh(`#${x}`); await p.waitForSelector('[role=gridcell]'); }
  void App; void email;
});

check('T22 history: kept where it is wanted, shown in the record, taken back', async (app, p) => {
  await app.api('POST', '/api/collections', { name: 'kept', type: 'base', fields: [{ name: 'title', type: 'text', presentable: true }] });
  await app.fresh('#/collections?collection=kept&edit=usage');
  await p.getByLabel('Keep who changed what').check({ force: true });
  await app.asked('PATCH', '/api/collections/kept/history');
  await app.quiet();
  const rec = await app.api('POST', '/api/collections/kept/records', { title: 'first' });
  await app.api('PATCH', `/api/collections/kept/records/${rec.id}`, { title: 'second' });
  await app.fresh(`#/collections?collection=kept&record=${rec.id}&tab=activity`);
  await p.waitForSelector('[data-history] td.old >> text=first');
  await p.waitForSelector('[data-history] td.new >> text=second');
  await p.locator('[data-history]').getByRole('button', { name: 'Take back' }).first().click();
  await p.locator('dialog .btn.fill').click();
  await p.waitForSelector('.toast >> text=Taken back');
  assert.equal((await app.api('GET', `/api/collections/kept/records/${rec.id}`)).title, 'first');
});
