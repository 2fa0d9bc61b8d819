// Pictures of every screen: `PB_BIN=… node tests/shots.mjs [--only text] [--sizes 1280x800,360x740] [--schemes light,dark] [--server URL]` → tests/out/*.png
import { mkdirSync } from 'node:fs';
import { App, launch, rig } from './rig.mjs';
import { serve } from './serve.mjs';

const arg = (name, or) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? or : process.argv[i + 1]; };
const out = new URL('./out/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const sizes = arg('sizes', '1280x800,1920x1080,360x740').split(',').map((s) => s.split('x').map(Number));
const schemes = arg('schemes', 'light,dark').split(',');
const only = arg('only', '');

const gridReady = (p) => p.waitForSelector('[role=gridcell], [role=listitem], .empty');
export const screens = [
  { name: 'login', guest: true, hash: '#/login', ready: (p) => p.waitForSelector('[name=password]') },
  { name: 'forgot', guest: true, hash: '#/request-password-reset', ready: (p) => p.waitForSelector('[type=email]') },
  { name: 'confirm-damaged', guest: true, hash: '#/auth/confirm-verification/abc', ready: (p) => p.waitForSelector('[role=alert]') },
  { name: 'install-dead', guest: true, hash: '#/pbinstall/abc', ready: (p) => p.waitForSelector('[role=alert]') },
  { name: 'list', hash: '#/collections?collection=posts', ready: gridReady },
  { name: 'list-users', hash: '#/collections?collection=users', ready: gridReady },
  { name: 'list-wide', hash: '#/collections?collection=wide', ready: gridReady },
  { name: 'list-empty', hash: '#/collections?collection=empty_001', ready: gridReady },
  { name: 'list-nomatch', hash: "#/collections?collection=posts&filter=title='nothing'", ready: gridReady },
  { name: 'list-badfilter', hash: "#/collections?collection=posts&filter=bogus%20%3D%201", ready: (p) => p.waitForSelector('.issue') },
  { name: 'record', hash: '#/collections?collection=posts', ready: async (p) => { await gridReady(p); const row = p.locator('[role=row] a.id, [role=listitem] a').first(); await row.click(); await p.waitForSelector('.drawer .ProseMirror'); } },
  { name: 'record-user', hash: '#/collections?collection=users', ready: async (p) => { await gridReady(p); await p.locator('[role=row] a.id, [role=listitem] a').first().click(); await p.waitForSelector('.drawer .row button'); await p.getByRole('tab', { name: 'Sign-in' }).click(); await p.waitForSelector('text=Known devices'); } },
  { name: 'record-new', hash: '#/collections?collection=posts&record=new', ready: (p) => p.waitForSelector('.drawer footer') },
  { name: 'record-json', hash: '#/collections?collection=posts&record=new&tab=json', ready: (p) => p.waitForSelector('.cm-content') },
  { name: 'fields', hash: '#/collections?collection=posts&edit=fields&field=title', ready: (p) => p.waitForSelector('.settings') },
  { name: 'indexes', hash: '#/collections?collection=posts&edit=indexes', ready: (p) => p.waitForSelector('.drawer .card') },
  { name: 'rules', hash: '#/collections?collection=posts&edit=rules', ready: (p) => p.waitForSelector('.cm-content') },
  { name: 'options', hash: '#/collections?collection=users&edit=options', ready: (p) => p.waitForSelector('.drawer section') },
  { name: 'query', hash: '#/collections?collection=post_stats&edit=query', ready: (p) => p.waitForSelector('.drawer [role=gridcell]') },
  { name: 'collection-new', hash: '#/collections?collection=posts&edit=new', ready: (p) => p.waitForSelector('.drawer .line') },
  { name: 'logs', hash: '#/logs?superuserRequests=1&follow=1', ready: (p) => p.waitForSelector('.log') },
  { name: 'log', hash: '#/logs?superuserRequests=1&follow=1', ready: async (p) => { await p.waitForSelector('.log'); await p.locator('.log').first().click(); await p.waitForSelector('.drawer table'); } },
  ...['application', 'mail', 'storage', 'backups', 'crons', 'logs', 'rate-limits', 'proxy', 'superuser-ips', 'batch', 'export-collections', 'import-collections', 'sql', 'appearance', 'shortcuts'].map((s) => ({ name: `settings-${s}`, hash: `#/settings/${s}`, ready: (p) => p.waitForSelector('.screen .input, .screen .btn, .screen table, .screen [role=switch]') })),
  { name: 'erd', hash: '#/overview/erd', ready: (p) => p.waitForSelector('.table .field') },
  { name: 'erd-one', hash: '#/overview/erd?collection=posts', ready: (p) => p.waitForSelector('.table .field') },
  { name: 'rules-all', hash: '#/overview/rules', ready: (p) => p.waitForSelector('tbody td .cell') },
  { name: 'stats', hash: '#/overview/stats', ready: (p) => p.waitForSelector('tbody td') },
  { name: 'api', hash: '#/api/posts/create', ready: (p) => p.waitForSelector('pre.example') },
  { name: 'api-auth', hash: '#/api/users/auth-with-password', ready: (p) => p.waitForSelector('pre.example') },
  { name: 'api-types', hash: '#/api/-/types', ready: (p) => p.waitForSelector('.screen pre, .screen .bar') },
  { name: 'realtime', hash: '#/realtime?topic=posts/*', ready: (p) => p.waitForSelector('form .field') },
  { name: 'metrics', hash: '#/metrics', ready: (p) => p.waitForSelector('.tile strong') },
  { name: 'system', hash: '#/system', ready: (p) => p.waitForSelector('.screen table, .screen .muted') },
  { name: 'jobs', hash: '#/jobs', ready: (p) => p.waitForSelector('[data-job]') },
  { name: 'job', hash: '#/jobs?status=failed', ready: async (p) => { await p.locator('[data-job] a, [data-job] button').first().click(); await p.waitForSelector('.drawer [data-status]'); } },
  { name: 'secrets', hash: '#/secrets', ready: (p) => p.waitForSelector('[data-secret]') },
  { name: 'secrets-env', hash: '#/secrets?by=env', ready: (p) => p.waitForSelector('[data-matrix] th') },
  { name: 'secret-new', hash: '#/secrets', ready: async (p) => { await p.getByRole('button', { name: 'New secret' }).click(); await p.waitForSelector('dialog input'); } },
  { name: 'secret-field', hash: '#/collections?collection=keys', ready: async (p) => { await gridReady(p); await p.locator('[role=row] a.id, [role=listitem] a').first().click(); await p.waitForSelector('.drawer [data-set=true]'); } },
  { name: 'processes', hash: '#/processes', ready: (p) => p.waitForSelector('[data-process=waiter] [data-status=backoff]') },
  { name: 'process', hash: '#/processes/ticker', ready: (p) => p.waitForSelector('.log .line') },
  { name: 'gateway', hash: '#/gateway', ready: (p) => p.waitForSelector('[data-proxy]') },
  { name: 'proxy', hash: '#/gateway', ready: async (p) => { await p.locator('[data-proxy="/-/pay"] a').click(); await p.waitForSelector('[data-send]'); } },
  { name: 'proxy-new', hash: '#/gateway/new', ready: (p) => p.getByLabel('Upstream', { exact: true }).waitFor() },
  { name: 'analytics', hash: '#/analytics', ready: (p) => p.waitForSelector('[data-list=pages] .bar-row') },
  { name: 'tof', hash: '#/settings/tof', ready: (p) => p.waitForSelector('[data-tof]') },
  { name: 'job-new', hash: '#/jobs', ready: async (p) => { await p.waitForSelector('[data-screen] h1, [role=gridcell]'); const b = p.getByRole('button', { name: 'New job' }); if (await b.count()) { await b.click(); await p.waitForSelector('dialog textarea'); } } },
  { name: 'review', hash: '#/collections?collection=posts&edit=fields', ready: async (p) => { await p.getByLabel('Name of the field views').fill('visits'); await p.locator('.drawer footer .primary').click(); await p.locator('dialog [data-sql] summary').click(); await p.waitForSelector('dialog [data-sql] pre'); } },
  { name: 'usage', hash: '#/collections?collection=posts&edit=usage', ready: (p) => p.waitForSelector('.drawer section') },
  { name: 'chips', hash: `#/collections?collection=posts&filter=${encodeURIComponent("status = 'published' && views > 100 && author.name ~ 'Ann'")}`, ready: (p) => p.waitForSelector('[role=gridcell], [role=listitem]') },
  { name: 'explain', hash: `#/collections?collection=posts&filter=${encodeURIComponent('views > 100')}&sort=title&explain=filter`, ready: (p) => p.waitForSelector('dialog [data-steps] li, dialog .issue') },
  { name: 'try', hash: '#/collections?collection=posts&try=list', ready: async (p) => { await p.waitForSelector('dialog form'); await p.locator('dialog').getByRole('button', { name: 'Run', exact: true }).click(); await p.waitForSelector('dialog [data-status], dialog .issue'); } },
  { name: 'invite', hash: '#/superusers', ready: async (p) => { await gridReady(p); await p.getByRole('button', { name: 'Invite…' }).click(); await p.waitForSelector('dialog input'); } },
  { name: 'palette', hash: '#/collections?collection=posts', ready: async (p) => { await gridReady(p); await p.keyboard.press('Control+k'); await p.waitForSelector('#palette-list'); } },
  { name: 'export', hash: '#/collections?collection=posts', ready: async (p) => { await gridReady(p); await p.getByRole('button', { name: 'More' }).first().click(); await p.getByRole('menuitem', { name: 'Export…' }).click(); await p.waitForSelector('dialog .names'); } },
];

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const given = arg('server', '');
  const r = given ? null : await rig({ extended: true });
  const front = given ? await serve({ server: given }) : null;
  const browser = given ? await launch() : r.browser;
  const base = given ? front.url : r.front;
  for (const [width, height] of sizes) for (const scheme of schemes) {
    for (const guest of [true, false]) {
      const list = screens.filter((s) => !!s.guest === guest && only.split(',').some((o) => s.name.includes(o)));
      if (!list.length) continue;
      const app = await App.open(browser, base, { auth: !guest, scheme, touch: width < 640, context: { viewport: { width, height } } });
      for (const s of list) {
        try { await app.fresh(s.hash); await s.ready(app.page); await app.page.waitForTimeout(400); } catch (e) { console.log(`${s.name} ${width} ${scheme}: ${e.message.split('\n')[0]}`); }
        await app.page.screenshot({ path: `${out}${s.name}-${width}-${scheme}.png` });
        const wide = await app.page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
        if (wide) console.log(`${s.name} ${width}: the page scrolls sideways`);
      }
      if (app.problems.length) console.log(width, scheme, [...new Set(app.problems)].slice(0, 8));
      await app.close();
    }
  }
  await browser.close();
  front?.close();
  await r?.stop();
}
