// Starts a server on a fresh directory, seeds it, serves dist/ in front of it and opens Chromium. See README.md.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { api, extended, seed, seedExtensions } from './seed.mjs';
import { serve } from './serve.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const binary = process.env.PB_BIN ?? [`${root}target/release/pocketbase`, `${root}target/debug/pocketbase`].find(existsSync);
/** How long anything is waited for, in ms: generous, as the machine may be busy; nothing waits longer than it must. The one place for it. */
export const patience = 90_000;
/** How long a whole check may take. */
export const checkLimit = 600_000;
/** Until `ask` gives something true; that is returned. */
export async function until(ask, what = 'it', every = 50) {
  for (const end = Date.now() + patience; ;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`waited for ${what} in vain`);
    await new Promise((go) => setTimeout(go, every));
  }
}
export const email = 'root@example.com', password = '1234567890';

const freePort = () => new Promise((go) => { const s = createServer().listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => go(port)); }); });

/** `env`: variables of its environment, which the next `start` reads again; `files`: what lies beside its data, by path. */
export async function startServer({ superuser = true, args = [], env = {}, files = {} } = {}) {
  if (!binary) throw new Error('no server: build it or set PB_BIN');
  // the data directory has a parent of its own: migrations are written beside it
  const home = mkdtempSync(join(tmpdir(), 'dash-')), dir = join(home, 'pb_data');
  for (const [path, text] of Object.entries(files)) { mkdirSync(dirname(join(home, path)), { recursive: true }); writeFileSync(join(home, path), text); }
  if (superuser) execFileSync(binary, ['superuser', 'upsert', email, password, '--dir', dir], { stdio: 'ignore' });
  const port = await freePort();
  let child, log = '';
  const start = async () => {
    child = spawn(binary, ['serve', '--http', `127.0.0.1:${port}`, '--dir', dir, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: home, env: { ...process.env, ...env } });
    child.stdout.on('data', (d) => (log += d));
    child.stderr.on('data', (d) => (log += d));
    await until(() => fetch(`http://127.0.0.1:${port}/api/health`).then((r) => r.ok, () => { if (child.exitCode !== null) throw new Error(`the server did not start\n${log}`); return false; }), 'the server');
  };
  await start();
  const stopChild = () => new Promise((go) => { if (child.exitCode !== null) return go(); child.once('exit', go); child.kill(); });
  return { url: `http://127.0.0.1:${port}`, dir, env, log: () => log, start, stopChild, stop: async () => { await stopChild(); rmSync(home, { recursive: true, force: true }); } };
}

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--js-flags=--expose-gc', '--enable-precise-memory-info'] });

export class App {
  static async open(browser, front, o = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: o.scheme ?? 'light', locale: o.locale ?? 'en-US', timezoneId: o.zone ?? 'Europe/Sofia', reducedMotion: 'reduce', acceptDownloads: true, hasTouch: !!o.touch, isMobile: !!o.touch, ...(o.context ?? {}) });
    context.setDefaultTimeout(patience);
    const app = new App();
    app.front = front;
    app.context = context;
    app.calls = [];
    app.problems = [];
    app.open_ = new Set();
    app.page = await context.newPage();
    app.watch(app.page);
    if (o.auth !== false) {
      const who = await api(front, 'POST', '/api/collections/_superusers/auth-with-password', { identity: o.email ?? email, password: o.password ?? password });
      app.auth = who;
      const key = `__pb_superusers__${new URL(front).pathname.replace(/\/$/, '')}/_`;
      await context.addInitScript(([k, v, f]) => { if (location.protocol === 'about:') return; if (!sessionStorage.getItem('seeded') && !localStorage.getItem(k)) { localStorage.setItem(k, v); sessionStorage.setItem('seeded', '1'); } void f; }, [key, JSON.stringify(who), 0]);
    }
    return app;
  }
  watch(page) {
    page.on('request', (r) => { const u = r.url(); if (u.includes('/api/')) this.calls.push({ method: r.method(), url: u.slice(this.front.length), body: r.postData() ?? undefined, at: Date.now() }); if (!u.startsWith(new URL(this.front).origin) && /^https?:/.test(u)) this.problems.push(`foreign request ${u}`); });
    // the stream of events never ends: it is not what one waits for
    page.on('request', (r) => { if (/\/api\//.test(r.url()) && !(r.method() === 'GET' && /\/api\/realtime$/.test(r.url()))) this.open_.add(r); });
    for (const e of ['requestfinished', 'requestfailed']) page.on(e, (r) => this.open_.delete(r));
    page.on('console', (m) => { if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) this.problems.push(`console: ${m.text()}`); if (/Content Security Policy/.test(m.text())) this.problems.push(`csp: ${m.text()}`); });
    page.on('pageerror', (e) => this.problems.push(`error: ${e.message}\n${e.stack}`));
  }
  async open(hash) {
    if (this.page.url().startsWith(`${this.front}/_/`)) await this.page.evaluate((h) => { location.hash = h; }, hash);
    else await this.page.goto(`${this.front}/_/${hash}`);
  }
  async fresh(hash) { await this.page.goto('about:blank'); this.open_.clear(); await this.page.goto(`${this.front}/_/${hash}`); }
  /** Until every request is answered and none was made for a moment. (`networkidle` is told once per page only.) */
  async quiet() { let calm = 0; await until(() => { calm = this.open_.size ? 0 : calm + 1; return calm > 6; }, `an answer to ${[...this.open_].map((r) => r.url())}`); }
  requests(method, part = '') { return this.calls.filter((c) => (!method || c.method === method) && c.url.includes(part)); }
  /** Until a request of that kind was sent. */
  async asked(method, part = '') { await until(() => this.requests(method, part).length, `${method} ${part}`); }
  /** Until the log (written a few seconds late) has an entry with that text in its address. */
  async logged(text, more = '') { return until(async () => (await this.api('GET', `/api/logs?perPage=1&filter=${encodeURIComponent(`data.url ~ '${text}'${more}`)}`)).items[0], `“${text}” in the log`, 200); }
  clear() { this.calls.length = 0; }
  row(text) { return this.page.locator('[role=row]', { hasText: text }).first(); }
  async sql(query) { return (await api(this.front, 'POST', '/api/sql', { query }, this.auth.token)).rows; }
  api(method, path, body) { return api(this.front, method, path, body, this.auth.token); }
  /** Preferences that the server keeps are gone. */
  async forget() {
    const state = await this.api('GET', '/api/dashboard/state').catch(() => null);
    const none = Object.fromEntries(Object.entries(state ?? {}).map(([part, keys]) => [part, Object.fromEntries(Object.keys(keys).map((k) => [k, null]))]));
    if (Object.values(none).some((keys) => Object.keys(keys).length)) await this.api('PATCH', '/api/dashboard/state', none);
  }
  async close() { await this.context.close(); }
}

/** `extended`: with all extensions on, and something in them. */
export async function rig(o = {}) {
  const server = await startServer(o.extended ? { ...extended, ...o } : o);
  const data = o.superuser === false ? {} : await seed(server.url, email, password, o.size ?? 'full');
  if (o.extended) await seedExtensions(server.url, data.token);
  const faults = { hook: null };
  const front = await serve({ server: server.url, prefix: o.prefix ?? '', hook: (req, res) => faults.hook?.(req, res) });
  const browser = await launch();
  return { server, front: front.url, handle: front.handle, browser, data, faults, stop: async () => { await browser.close(); front.close(); await server.stop(); } };
}
