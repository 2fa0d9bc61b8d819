// One record: form, conflicts, every field type, drafts, views.
export const size = 'full';
import assert from 'node:assert/strict';
import { App, email, password, until } from '../rig.mjs';
import { parseCsvText } from '../csv.mjs';
import { png } from '../seed.mjs';

const list = async (app, p, c, more = '') => { await app.fresh(`#/collections?collection=${c}${more}`); await p.waitForSelector('[role=gridcell]'); };
const rowOf = (p, text) => p.locator('.body [role=row]', { hasText: text }).first();
const cell = (p, text, n) => rowOf(p, text).locator('[role=gridcell]').nth(n);
const openRecord = async (app, p, id, c = 'posts') => { await app.fresh(`#/collections?collection=${c}&record=${id}`); await p.waitForSelector('.drawer footer'); await p.waitForFunction(() => !document.querySelector('.drawer .input.wait')); };
const field = (p, name) => p.locator(`.drawer [data-field="${name}"]`);
const filterBox = (p) => p.locator('.content textarea[role=combobox]');

check('T20 dirty drawer: Back, next record, collection, logout ask; Stay keeps', async (app, p) => {
  await list(app, p, 'posts');
  await p.locator('a.id').nth(2).click();
  await p.waitForSelector('.drawer [data-field=title] textarea');
  await field(p, 'title').locator('textarea').fill('dirty');
  const url = p.url();
  const asked = async (act) => { await act(); await p.waitForSelector('dialog >> text=Unsaved changes'); await p.locator('dialog button', { hasText: 'Stay' }).click(); await p.waitForSelector('dialog', { state: 'detached' }); assert.equal(p.url(), url); assert.equal(await field(p, 'title').locator('textarea').inputValue(), 'dirty'); };
  await asked(() => p.goBack());
  await asked(() => p.keyboard.press('Alt+ArrowDown'));
  await asked(() => p.evaluate(() => { location.hash = '#/collections?collection=users'; }));
  await asked(async () => { await p.locator('.account button').first().click(); await p.getByRole('menuitem', { name: 'Sign out' }).click(); });
  // a reload asks in the browser's own words
  let asked2 = false;
  p.once('dialog', (d) => { asked2 = d.type() === 'beforeunload'; void d.dismiss(); });
  await p.evaluate(() => { setTimeout(() => location.reload(), 0); });
  await until(() => asked2, 'the question at a reload');
  app.clear();
  await p.goBack();
  await p.waitForSelector('dialog');
  await p.locator('dialog button', { hasText: 'Save' }).click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  assert.deepEqual(JSON.parse(app.requests('PATCH')[0].body), { title: 'dirty' });
});

check('T21 T22 two people: different fields survive, the same field asks', async (app, p, r) => {
  const id = r.data.ids[20];
  await p.clock.install();
  await openRecord(app, p, id);
  await app.api('PATCH', `/api/collections/posts/records/${id}`, { slug: 'by-somebody' });
  await field(p, 'title').locator('textarea').fill('mine');
  // what was loaded a moment ago is believed; later the server is asked first
  await p.clock.fastForward(1500);
  await p.keyboard.press('Control+s');
  await p.waitForSelector('.toast >> text=slug');
  await p.waitForSelector('[data-field=slug] >> text=changed by somebody else');
  const now = await app.api('GET', `/api/collections/posts/records/${id}`);
  assert.deepEqual([now.title, now.slug], ['mine', 'by-somebody']);
  await app.api('PATCH', `/api/collections/posts/records/${id}`, { title: 'theirs' });
  await field(p, 'title').locator('textarea').fill('mine again');
  // what was loaded a moment ago is believed; later the server is asked first
  await p.clock.fastForward(1500);
  app.clear();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('dialog >> text=Changed by somebody else');
  assert.equal(app.requests('PATCH').length, 0);
  await p.locator('dialog input[type=radio]').nth(1).check();
  await p.locator('dialog .btn.primary').click();
  await p.waitForFunction(() => !document.querySelector('dialog'));
  await p.waitForFunction(() => !document.querySelector('[data-field=title] .revert'));
  assert.equal((await app.api('GET', `/api/collections/posts/records/${id}`)).title, 'mine again');
});

check('T23 a password is never sent unless typed', async (app, p) => {
  const [door] = (await app.api('GET', '/api/collections/vault/records?filter=title="door"')).items;
  const before = (await app.sql('SELECT length(pass) FROM vault WHERE title = \'door\''))[0][0];
  await openRecord(app, p, door.id, 'vault');
  await field(p, 'title').locator('textarea').fill('door');
  await field(p, 'title').locator('textarea').fill('door two');
  app.clear();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('text=Saved');
  assert.deepEqual(JSON.parse(app.requests('PATCH')[0].body), { title: 'door two' });
  assert.equal((await app.sql('SELECT length(pass) FROM vault WHERE title = \'door two\''))[0][0], before);
  assert.ok(Number(before) > 50);
});

check('T24 JSON stays as it was written', async (app, p, r) => {
  const id = r.data.ids[100];
  const text = async () => (await app.sql(`SELECT meta FROM posts WHERE id = '${id}'`))[0][0];
  assert.equal(await text(), '{"big":12345678901234567890,"z":1.10,"a":1e3}');
  await openRecord(app, p, id);
  await field(p, 'title').locator('textarea').fill('edited title');
  await p.keyboard.press('Control+s');
  await p.waitForSelector('text=Saved');
  assert.equal(await text(), '{"big":12345678901234567890,"z":1.10,"a":1e3}');
  const code = field(p, 'meta').locator('.cm-content');
  await code.waitFor();
  await code.click();
  await p.keyboard.press('Control+a');
  const shown = await code.evaluate((n) => n.innerText);
  assert.ok(shown.includes('12345678901234567890') && shown.includes('1.10'));
  await p.keyboard.insertText(shown.replace('1e3', '2e3'));
  await field(p, 'meta').locator('.revert').waitFor();
  app.clear();
  await p.locator('.drawer footer .primary').click();
  await p.waitForFunction(() => !document.querySelector('[data-field=meta] .revert'));
  await app.quiet();
  assert.equal(await text(), '{"big":12345678901234567890,"z":1.10,"a":2e3}');
});

check('T25 files: two new, one removed, one request; protected token only when shown', async (app, p, r) => {
  const id = r.data.ids[0];
  await openRecord(app, p, id);
  const files = field(p, 'attachments');
  await files.locator('input[type=file]').setInputFiles([{ name: 'one.txt', mimeType: 'text/plain', buffer: Buffer.from('1') }, { name: 'two.txt', mimeType: 'text/plain', buffer: Buffer.from('2') }]);
  await files.getByRole('button', { name: /^Remove paper/ }).click();
  await files.getByRole('button', { name: 'Move two.txt up' }).click();
  app.clear();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('text=Saved');
  const sent = app.requests('PATCH');
  assert.equal(sent.length, 1);
  const now = await app.api('GET', `/api/collections/posts/records/${id}`);
  assert.equal(now.attachments.length, 3);
  assert.ok(!now.attachments.some((n) => n.startsWith('paper')) && now.attachments.some((n) => n.startsWith('one')));
  await files.locator('input[type=file]').setInputFiles([{ name: 'big.bin', mimeType: 'text/plain', buffer: Buffer.alloc(300_000) }]);
  await files.locator('.issue', { hasText: 'larger than' }).first().waitFor();
  await app.fresh('#/collections?collection=vault');
  await p.waitForSelector('[role=gridcell]');
  app.clear();
  await rowOf(p, 'paper').locator('a.id').click();
  await p.waitForSelector('[data-field=doc]');
  assert.equal(app.requests('POST', 'files/token').length, 0);
  await field(p, 'doc').getByRole('button', { name: /Preview/ }).click();
  await p.waitForSelector('dialog >> text=secret text');
  assert.equal(app.requests('POST', 'files/token').length, 1);
}, { allow: false });

check('T26 relation: 100,000 targets, by typing; nested new; a missing one is marked', async (app, p) => {
  await app.fresh('#/collections?collection=big_refs&record=new');
  const input = field(p, 'target').locator('input');
  await input.waitFor();
  await input.fill('Row 99991');
  const t = Date.now();
  await p.waitForSelector('.list [role=option] >> text=Row 99991');
  await p.keyboard.press('Enter');
  await p.waitForSelector('[data-field=target] .chip >> text=Row 99991');
  console.log(`     ${Date.now() - t} ms`);
  await p.getByRole('button', { name: /Remove Row/ }).click();
  await input.fill('brand new');
  await p.locator('.list .new').click();
  await p.waitForSelector('.drawer.nested [data-field=label] textarea');
  assert.equal(await p.locator('.drawer.nested [data-field=label] textarea').inputValue(), 'brand new');
  await p.locator('.drawer.nested footer .primary').click();
  await p.waitForSelector('[data-field=target] .chip >> text=brand new');
  await p.locator('.drawer:not(.nested) footer .primary').click();
  // (the nested one has said “Created”, too)
  await app.asked('POST', '/big_refs/records');
  await app.quiet();
  // a target that is gone is marked
  const made = (await app.api('GET', '/api/collections/big_refs/records?sort=-@rowid&perPage=1')).items[0];
  await app.sql(`DELETE FROM big WHERE id = '${made.target}'`);
  await openRecord(app, p, made.id, 'big_refs');
  await field(p, 'target').locator('.chip.gone').waitFor();
});

check('T27 rich text: odd HTML as source, nothing rewritten, nothing runs', async (app, p, r) => {
  await openRecord(app, p, r.data.ids[123]);
  await field(p, 'body').locator('textarea.source').waitFor();
  assert.match(await field(p, 'body').locator('textarea.source').inputValue(), /<my-tag>/);
  await p.keyboard.press('Escape');
  await p.keyboard.press('Escape');
  await openRecord(app, p, r.data.ids[121]);
  await field(p, 'body').locator('.source, .ProseMirror').first().waitFor();
  assert.equal(await p.evaluate(() => window.xss), undefined);
  await openRecord(app, p, r.data.ids[50]);
  const pm = field(p, 'body').locator('.ProseMirror');
  await pm.waitFor();
  assert.equal(await field(p, 'body').locator('.revert').count(), 0);
  await pm.locator('p').first().click();
  await p.keyboard.press('Control+a');
  await p.keyboard.press('Control+b');
  await field(p, 'body').locator('.revert').waitFor();
  await p.keyboard.press('Control+k');
  await p.waitForSelector('dialog >> text=Address');
  await p.keyboard.type('https://example.com/');
  await p.keyboard.press('Enter');
  await field(p, 'body').locator('.ProseMirror a').first().waitFor();
  await p.keyboard.press('Control+End');
  await field(p, 'body').getByRole('button', { name: 'Table' }).click();
  await field(p, 'body').locator('.ProseMirror table td').first().waitFor();
  // a picture that is stored in a record, in one of its sizes
  await field(p, 'body').getByRole('button', { name: 'Stored file…' }).click();
  await p.locator('dialog .pick input').fill('posts');
  await p.waitForSelector('.list [role=option] >> text=posts');
  await p.keyboard.press('Enter');
  await p.locator('dialog .file').first().click();
  await p.locator('dialog select').selectOption('100x100');
  await p.locator('dialog .btn.primary').click();
  await field(p, 'body').locator('.ProseMirror img[src*="thumb=100x100"]').waitFor();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('text=Saved');
  assert.match((await app.api('GET', `/api/collections/posts/records/${r.data.ids[50]}`)).body, /<strong>/);
});

check('T28 place: no foreign request before Map; pasted pairs; 91 is refused', async (app, p, r) => {
  await openRecord(app, p, r.data.ids[30]);
  const lat = field(p, 'place').locator('input').first();
  await lat.fill('42.69, 23.32');
  assert.equal(await field(p, 'place').locator('input').nth(1).inputValue(), '23.32');
  await lat.fill('91');
  await field(p, 'place').locator('.issue', { hasText: 'latitude' }).waitFor();
  assert.ok(!app.problems.some((x) => x.startsWith('foreign')));
  await lat.fill('42.69');
  await p.route('https://tile.openstreetmap.org/**', (route) => route.fulfill({ body: png, contentType: 'image/png' }));
  await field(p, 'place').getByRole('button', { name: 'Map' }).click();
  await p.waitForSelector('.leaflet-container .leaflet-tile');
  assert.ok(app.problems.every((x) => x.startsWith('foreign request https://tile.openstreetmap.org')));
  app.problems.length = 0;
});

check('T29 draft: after a crash it is offered; no password in storage; logout removes it', async (app, p, r) => {
  const id = r.data.people[0].id;
  await openRecord(app, p, id, 'users');
  await field(p, 'name').locator('textarea').fill('Ann drafted');
  await field(p, 'password').getByRole('button').first().click();
  await field(p, 'password').locator('input').fill('topsecret123');
  await p.waitForFunction(() => JSON.stringify(localStorage).includes('Ann drafted'));
  assert.ok(!(await p.evaluate(() => JSON.stringify(localStorage))).includes('topsecret123'));
  const crash = await app.context.newPage();
  app.watch(crash);
  await p.close({ runBeforeUnload: false });
  app.page = crash;
  await crash.goto(`${app.front}/_/#/collections?collection=users&record=${id}`);
  await crash.waitForSelector('text=There are unsaved changes');
  await crash.getByRole('button', { name: 'Restore' }).click();
  assert.equal(await crash.locator('[data-field=name] textarea').inputValue(), 'Ann drafted');
  await crash.locator('.account button').first().click();
  await crash.getByRole('menuitem', { name: 'Sign out' }).click();
  await crash.locator('dialog button', { hasText: 'Discard' }).click();
  await crash.waitForSelector('[name=password]');
  assert.ok(!(await crash.evaluate(() => Object.keys(localStorage).some((k) => k.startsWith('draft_')))));
});

check('T61 offline: banner, data stays, the save waits for the user', async (app, p, r) => {
  await openRecord(app, p, r.data.ids[40]);
  await field(p, 'title').locator('textarea').fill('written offline');
  await app.context.setOffline(true);
  app.clear();
  await p.keyboard.press('Control+s');
  await p.waitForSelector('[role=alert] >> text=No connection');
  assert.equal(await field(p, 'title').locator('textarea').inputValue(), 'written offline');
  await app.context.setOffline(false);
  await p.waitForFunction(() => !document.querySelector('.strip.danger'), null);
  assert.equal(app.requests('PATCH').length <= 1, true);
  assert.notEqual((await app.api('GET', `/api/collections/posts/records/${r.data.ids[40]}`)).title, 'written offline');
  await p.keyboard.press('Control+s');
  await p.waitForSelector('text=Saved');
}, { allow: true });

check('T68 saved views: make, rename by menu, delete with undo', async (app, p) => {
  await list(app, p, 'posts', `&filter=${encodeURIComponent("status = 'draft'")}`);
  await p.getByRole('button', { name: 'Save as a view' }).click();
  await p.keyboard.type('Drafts');
  await p.keyboard.press('Enter');
  await p.waitForSelector('.views a >> text=Drafts');
  await p.reload();
  await p.waitForSelector('.views a >> text=Drafts');
  await p.getByRole('button', { name: 'Menu of Drafts' }).click();
  await p.getByRole('menuitem', { name: 'Delete' }).click();
  await p.locator('.toast button', { hasText: 'Undo' }).click();
  await p.waitForSelector('.views a >> text=Drafts');
  // rename and order
  p.once('dialog', (d) => void d.accept('Open drafts'));
  await p.getByRole('button', { name: 'Menu of Drafts' }).click();
  await p.getByRole('menuitem', { name: 'Rename' }).click();
  await p.waitForSelector('.views a >> text=Open drafts');
  await p.evaluate(() => { location.hash = `#/collections?collection=posts&filter=${encodeURIComponent('views > 500')}`; });
  await p.getByRole('button', { name: 'Save as a view' }).click();
  await p.keyboard.type('Popular');
  await p.keyboard.press('Enter');
  await p.getByRole('button', { name: 'Menu of Popular' }).click();
  await p.getByRole('menuitem', { name: 'Move left' }).click();
  await p.waitForFunction(() => document.querySelectorAll('.views a')[1]?.textContent.startsWith('Popular'));
  // folders, pins and views follow the person to another browser; shared views are seen by others
  const other = async (o) => { const one = await App.open(p.context().browser(), app.front, o); await one.fresh('#/collections?collection=posts'); await one.page.waitForSelector('[role=gridcell]'); return one; };
  await p.getByRole('button', { name: 'Menu of Popular' }).click();
  await p.getByRole('menuitem', { name: 'Share with all superusers' }).waitFor();
  await p.getByRole('menuitem', { name: 'Share with all superusers' }).click();
  await p.waitForSelector('.toast >> text=All superusers see the view now');
  await app.asked('PATCH', '/api/dashboard/state');
  await app.quiet();
  const again = await other({});
  await again.page.waitForSelector('.views a >> text=Open drafts');
  await again.page.waitForSelector('.views a >> text=Popular');
  await again.close();
  await app.api('POST', '/api/collections/_superusers/records', { email: 'colleague@example.com', password: '1234567890', passwordConfirm: '1234567890' });
  const colleague = await other({ email: 'colleague@example.com', password: '1234567890' });
  await colleague.page.waitForSelector('.views a >> text=Popular');
  assert.equal(await colleague.page.locator('.views a >> text=Open drafts').count(), 0);
  await colleague.close();
});
