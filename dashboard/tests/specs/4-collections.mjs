import assert from 'node:assert/strict';

const editor = async (app, p, hash) => { await app.fresh(hash); await p.waitForSelector('.drawer footer'); };
const save = async (p) => { await p.locator('.drawer footer .primary').click(); };

check('T30 a collection with all field types, by keyboard; two indexes; the field opens by its URL', async (app, p) => {
  await editor(app, p, '#/collections?collection=posts&edit=new');
  await p.locator('.names input').fill('everything');
  const quick = p.getByLabel('New field by typing its name and type');
  for (const type of ['text!', 'editor', 'number', 'bool', 'email', 'url', 'date', 'autodate', 'select', 'file', 'json', 'geoPoint', 'password']) { await quick.fill(`f_${type.replace('!', '')} ${type}`); await quick.press('Enter'); await p.waitForSelector(`input.name:focus`); }
  await quick.fill('f_rel relation');
  await quick.press('Enter');
  await p.locator('.settings input[role=combobox]').last().fill('posts');
  await p.waitForSelector('.list [role=option] >> text=posts');
  await p.keyboard.press('Enter');
  const before = await p.locator('input.name').evaluateAll((n) => n.map((x) => x.value));
  await p.locator('input.name').nth(2).focus();
  await p.keyboard.press('Alt+ArrowUp');
  const after = await p.locator('input.name').evaluateAll((n) => n.map((x) => x.value));
  assert.deepEqual([after[1], after[2]], [before[2], before[1]]);
  await p.getByRole('tab', { name: 'Indexes' }).click();
  for (const col of ['f_number', 'f_email']) {
    await p.getByRole('button', { name: 'New index' }).click();
    await p.getByLabel('Columns, in order').last().fill(col);
    await p.waitForSelector(`.list [role=option] >> text=${col}`);
    await p.keyboard.press('Enter');
  }
  await save(p);
  await p.waitForSelector('h1 >> text=everything');
  const c = await app.api('GET', '/api/collections/everything');
  assert.equal(c.fields.length, 1 + 14 + 2);
  assert.equal(c.indexes.length, 2);
  const f = c.fields.find((x) => x.name === 'f_select');
  await app.fresh(`#/collections?collection=everything&edit=fields&field=${f.id}`);
  await p.waitForSelector('.settings >> text=Values');
});

check('T31 a taken name, a bad pattern, a bad index and a bad rule: each at its place, tabs with dots, focus on the first', async (app, p) => {
  await editor(app, p, '#/collections?collection=posts&edit=new');
  await p.locator('.names input').fill('faulty');
  const quick = p.getByLabel('New field by typing its name and type');
  await quick.fill('one text'); await quick.press('Enter');
  await quick.fill('two text'); await quick.press('Enter');
  await p.locator('.settings').getByLabel('Pattern').fill('([');
  await p.getByLabel('Name of the field two').fill('one');
  await p.getByRole('tab', { name: 'Indexes' }).click();
  await p.getByRole('button', { name: 'New index' }).click();
  await p.getByLabel('Columns, in order').last().fill('missing_column');
  await p.keyboard.press('Enter');
  await p.getByRole('tab', { name: 'Rules' }).click();
  await p.locator('.rule .seg').first().getByText('Rule', { exact: true }).click();
  await p.locator('.rule .cm-content').first().click();
  await p.keyboard.insertText('nofield = 1');
  await p.waitForSelector('.rule .issue >> text=unknown field');
  const dots = () => p.locator('[role=tab]:has(.dot.error)').allTextContents();
  // the server would silently keep the last of two equal names: the page says it, nothing is sent
  app.clear();
  await save(p);
  await p.waitForSelector('.drawer .issue >> text=Another field has this name');
  assert.equal(app.requests('POST', '/api/collections').filter((c) => !c.url.includes('explain')).length, 0);
  assert.deepEqual(await dots(), ['Fields']);
  assert.equal(await p.evaluate(() => document.activeElement?.value), 'one');
  await p.keyboard.press('Control+a');
  await p.keyboard.type('two');
  // pattern and rule together
  await save(p);
  await p.waitForFunction(() => document.querySelectorAll('[role=tab] .dot.error').length === 2);
  assert.deepEqual(await dots(), ['Fields', 'Rules']);
  await p.waitForSelector('.drawer .issue');
  assert.ok(await p.evaluate(() => document.activeElement?.getAttribute('aria-invalid') === 'true'), 'the focus is on the first fault');
  await p.locator('.settings').getByLabel('Pattern').fill('');
  await p.getByRole('tab', { name: 'Rules' }).click();
  await p.waitForSelector('.rule .issue >> text=Invalid rule');
  await p.locator('.rule .seg').first().getByText('Everyone', { exact: true }).click();
  await save(p);
  await p.waitForFunction(() => [...document.querySelectorAll('[role=tab]')].some((x) => x.textContent.includes('Indexes') && x.querySelector('.dot.error')));
  await p.waitForSelector('.drawer .card >> text=missing_column');
  await p.waitForSelector('.drawer .issue');
});

check('T32 review: a deleted field is named with its count and typed', async (app, p) => {
  await editor(app, p, '#/collections?collection=posts&edit=fields');
  await p.locator('.drawer').getByRole('button', { name: 'Menu of slug' }).click();
  await p.getByRole('menuitem', { name: 'Delete' }).click();
  await p.locator('input.name').nth(5).waitFor();
  await save(p);
  await p.waitForSelector('dialog >> text=Field slug and its data are deleted');
  await p.waitForSelector('dialog >> text=records have a value');
  // what the database is told, in full
  await p.locator('dialog [data-sql] summary').click();
  await p.locator('dialog [data-sql] pre', { hasText: /ALTER TABLE .posts. DROP COLUMN .slug./ }).waitFor();
  assert.ok(await p.locator('dialog .btn.primary').isDisabled());
  await p.locator('dialog button', { hasText: 'Cancel' }).click();
  await p.locator('.drawer footer button', { hasText: 'Reset' }).click();
  // renaming status: the rules that use it are listed
  await p.getByLabel('Name of the field status').fill('state');
  await save(p);
  await p.waitForSelector('dialog >> text=posts.listRule still says status');
  await p.waitForSelector('dialog >> text=post_stats.viewQuery still says status');
  await p.locator('dialog button', { hasText: 'Cancel' }).click();
  await p.locator('.drawer footer button', { hasText: 'Reset' }).click();
});

check('T32 review: several values to one, and a renamed collection, are named', async (app, p) => {
  await editor(app, p, '#/collections?collection=posts&edit=fields&field=tags');
  await p.locator('.settings').getByLabel('How many may be chosen').fill('1');
  await p.keyboard.press('Tab');
  await p.locator('.names input').fill('articles');
  await save(p);
  await p.waitForSelector('dialog >> text=Field tags keeps only the last of several values');
  await p.waitForSelector('dialog >> text=Renamed from posts to articles');
  await p.locator('dialog button', { hasText: 'Cancel' }).click();
  await p.locator('.drawer footer button', { hasText: 'Reset' }).click();
});

check('T33 a rule may use a field that is renamed in the same draft', async (app, p) => {
  await editor(app, p, '#/collections?collection=comments&edit=fields');
  await p.getByLabel('Name of the field text').fill('words');
  await p.getByRole('tab', { name: 'Rules' }).click();
  const rule = p.locator('.rule').first();
  await rule.locator('.seg').getByText('Rule', { exact: true }).click();
  await rule.locator('.cm-content').click();
  await p.keyboard.insertText("words != ''");
  // checked here, then by the server with the draft
  await app.asked('POST', '/explain');
  await app.quiet();
  assert.equal(await rule.locator('.issue').count(), 0);
  await save(p);
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  const c = await app.api('GET', '/api/collections/comments');
  assert.equal(c.listRule, "words != ''");
  assert.ok(c.fields.some((f) => f.name === 'words'));
  await app.api('PATCH', '/api/collections/comments', { listRule: '', fields: c.fields.map((f) => (f.name === 'words' ? { ...f, name: 'text' } : f)) });
});

check('T34 explain: plan, SQL and steps of a filter; the advised index is made and the scan is gone; a rule, too', async (app, p) => {
  await app.api('POST', '/api/collections', { name: 'stock', type: 'base', fields: [{ name: 'state', type: 'text' }, { name: 'n', type: 'number' }] });
  await app.sql("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<3000) INSERT INTO stock (id,state,n) SELECT printf('r%014d', i), 's' || (i % 50), i FROM s");
  await app.fresh(`#/collections?collection=stock&filter=${encodeURIComponent("state = 's7'")}&sort=n`);
  await p.waitForSelector('[role=gridcell]');
  await p.locator('[role=grid]').focus();
  await p.keyboard.press('Control+Shift+E');
  await p.waitForSelector('dialog [data-steps] .scan');
  await p.getByRole('button', { name: 'Run it' }).click();
  await p.waitForSelector('dialog [role=status] >> text=60 rows match');
  await p.getByRole('tab', { name: 'SQL' }).click();
  await p.waitForSelector('dialog pre >> text=SELECT');
  await p.getByRole('tab', { name: 'Plan', exact: true }).click();
  await p.waitForSelector('dialog pre');
  await p.getByRole('tab', { name: 'Advice' }).click();
  await p.getByRole('link', { name: 'Add this index' }).first().click();
  await p.waitForSelector('.drawer .card >> text=state');
  await save(p);
  await p.locator('dialog .btn.primary').click();
  await p.waitForSelector('.drawer', { state: 'detached' });
  assert.ok((await app.api('GET', '/api/collections/stock')).indexes.some((x) => x.includes('state')));
  await app.fresh(`#/collections?collection=stock&filter=${encodeURIComponent("state = 's7'")}&explain=filter`);
  await p.waitForSelector('dialog [data-steps] .index');
  assert.equal(await p.locator('dialog [data-steps] .scan').count(), 0);
  await editor(app, p, '#/collections?collection=posts&edit=rules');
  await p.locator('.rule').first().getByRole('button', { name: 'Explain' }).click();
  await p.waitForSelector('.rule [data-steps] li');
});

check('T66 view query: columns and rows while typing; an error keeps the sample; id fix', async (app, p) => {
  await editor(app, p, '#/collections?collection=posts&edit=new');
  await p.locator('.names select').selectOption('view');
  await p.locator('.names input').fill('by_status');
  const code = p.locator('.cm-content');
  await code.click();
  await p.keyboard.insertText('SELECT id, title, views FROM posts');
  await p.waitForSelector('.drawer [role=gridcell]');
  await code.click();
  await p.keyboard.press('Control+End');
  await p.keyboard.insertText(' WHERE nope = 1');
  await p.waitForSelector('.drawer .bar.danger');
  assert.ok((await p.locator('.drawer [role=gridcell]').count()) > 0);
  await code.click();
  await p.keyboard.press('Control+a');
  await p.keyboard.insertText('SELECT status, count(*) AS total FROM posts GROUP BY status');
  await p.getByRole('button', { name: 'Number the rows' }).click();
  await p.waitForSelector('.badge >> text=total');
  await save(p);
  await p.waitForSelector('h1 >> text=by_status');
});

check('T39 export, delete a field, import exact: the diff says what returns; no data is lost without ids', async (app, p) => {
  const before = await app.api('GET', '/api/collections/categories');
  await app.api('PATCH', '/api/collections/categories', { fields: [...before.fields, { name: 'extra', type: 'text' }] });
  const withExtra = await app.api('GET', '/api/collections/categories');
  const bare = { name: 'categories', type: 'base', fields: withExtra.fields.map(({ id, ...f }) => f), indexes: withExtra.indexes, listRule: '', viewRule: '' };
  await app.api('PATCH', '/api/collections/categories', { fields: before.fields });
  await app.fresh('#/settings/import-collections');
  await p.locator('.cm-content').click();
  await p.keyboard.insertText(JSON.stringify([bare]));
  await p.waitForSelector('text=0 added, 1 changed, 0 removed');
  await p.waitForSelector('td >> text=extra');
  await p.locator('.screen .btn.primary').click();
  await p.waitForSelector('.toast >> text=Imported');
  const rows = (await app.api('GET', '/api/collections/categories/records')).items;
  assert.ok(rows.every((r) => r.name) && 'extra' in rows[0]);
});
