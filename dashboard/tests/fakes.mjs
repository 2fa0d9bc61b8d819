// The routes of the extensions as their chapters describe them, answered from memory: for checks of screens whose plugin
// the executable under test does not have, and for what a real one cannot be asked to do (fail now, be slow, lie).
const now = (ms = 0) => new Date(Date.now() + ms).toISOString().replace('T', ' ');
const id = (() => { let n = 0; return (prefix) => `${prefix}${String(++n).padStart(15 - prefix.length, '0')}`; })();
const readBody = (req) => new Promise((go) => { let s = ''; req.on('data', (d) => (s += d)); req.on('end', () => go(s ? JSON.parse(s) : {})); });
const refuse = (status, message, data = {}) => ({ status, body: { status, message, data } });

export function secrets(state = { items: [] }) {
  const mask = (v) => (v.length < 12 ? '***' : `${v.slice(0, 4)}***`);
  const find = (key, env) => state.items.find((s) => s.key === key && s.env === env);
  const put = (key, b) => { const env = b.env || 'global', old = find(key, env); if (old) { old.value = b.value; old.updated = now(); if (b.description !== undefined) old.description = b.description; } else state.items.push({ id: id('sec'), key, env, value: b.value, description: b.description ?? '', created: now(), updated: now() }); };
  return Object.assign((method, path, query, b) => {
    if (!path.startsWith('/api/secrets')) return null;
    const key = path.split('/')[3] && decodeURIComponent(path.split('/')[3]);
    if (method === 'GET' && !key) { const items = [...state.items].sort((x, y) => (`${x.key} ${x.env}` < `${y.key} ${y.env}` ? -1 : 1)).map(({ value, ...s }) => (s.error ? { ...s, masked_value: '***' } : { ...s, masked_value: mask(value) })); return { body: { items, total: items.length } }; }
    if (method === 'POST') { if (!b.key) return refuse(400, 'Secret key cannot be empty.'); put(b.key, b); return { body: { key: b.key, env: b.env || 'global', message: 'Secret created successfully' } }; }
    if (method === 'GET') { const s = find(key, query.get('env') || 'global') ?? find(key, 'global'); return s ? { body: { key, value: s.value, env: s.env } } : refuse(404, 'Secret not found.'); }
    if (method === 'PUT') { put(key, b); return { body: { key, message: 'Secret updated successfully' } }; }
    state.items = state.items.filter((s) => s !== find(key, query.get('env') || 'global'));
    return { status: 204 };
  }, { plugin: 'secrets', state });
}

export function jobs(state = { items: [] }) {
  const show = (j) => ({ ...j, ...(j.last_error ? {} : { last_error: undefined }) });
  const one = (id) => state.items.find((j) => j.id === id);
  return Object.assign((method, path, query, b) => {
    if (!path.startsWith('/api/jobs')) return null;
    if (path === '/api/jobs/enqueue') { if (!b.topic) return refuse(400, 'Topic is required.'); const j = { id: id('job'), topic: b.topic, payload: b.payload ?? {}, status: 'pending', run_at: b.run_at ? b.run_at.replace('T', ' ') : now(), locked_until: '', retries: 0, max_retries: b.max_retries > 0 ? b.max_retries : 3, priority: b.priority ?? 0, created: now(), updated: now() }; state.items.unshift(j); return { body: show(j) }; }
    if (path === '/api/jobs/stats') { const n = (s) => state.items.filter((j) => j.status === s).length, completed = n('completed'), failed = n('failed'); return { body: { pending: n('pending'), processing: n('processing'), completed, failed, total: state.items.length, success_rate: completed + failed ? completed / (completed + failed) : 0 } }; }
    if (path === '/api/jobs') { const limit = Number(query.get('limit')) || 20, offset = Number(query.get('offset')) || 0, all = state.items.filter((j) => (!query.get('topic') || j.topic === query.get('topic')) && (!query.get('status') || j.status === query.get('status'))); return { body: { items: all.slice(offset, offset + limit).map(show), total: all.length, limit, offset } }; }
    const j = one(path.split('/')[3]);
    if (!j) return refuse(404, 'Job not found.');
    if (path.endsWith('/requeue')) { if (j.status !== 'failed') return refuse(400, "Job cannot be requeued (must be in 'failed' status)."); Object.assign(j, { status: 'pending', retries: 0, last_error: '', run_at: now(), updated: now() }); return { body: show(j) }; }
    if (method === 'DELETE') { if (j.status !== 'failed' && j.status !== 'pending') return refuse(400, "Job cannot be deleted (must be in 'pending' or 'failed' status)."); state.items = state.items.filter((x) => x !== j); return { body: { ok: true } }; }
    return { body: show(j) };
  }, {
    plugin: 'jobs', state,
    /** What a worker does with a job that fails. */
    fail(id, error) { const j = one(id); j.retries++; j.last_error = error; if (j.retries >= j.max_retries) j.status = 'failed'; else { j.status = 'pending'; j.run_at = now(j.retries ** 2 * 60_000); } j.updated = now(); },
    finish(id) { const j = one(id); Object.assign(j, { status: 'completed', locked_until: '', updated: now() }); },
  });
}

export function gateway(state = { items: [], requests: new Map() }) {
  const records = '/api/collections/_proxies/records';
  return Object.assign((method, path, query, b, req, res) => {
    if (path === '/api/gateway/metrics') return { type: 'text/plain', text: state.items.map((p) => `gateway_requests_total{proxy="${p.id}"} ${state.requests.get(p.id) ?? 0}\ngateway_circuit_breaker_state{proxy="${p.id}"} 0\n`).join('') || '# nothing\n' };
    if (path === records && method === 'GET') return { body: { page: 1, perPage: 500, totalItems: -1, totalPages: -1, items: [...state.items].sort((x, y) => (x.path < y.path ? -1 : 1)) } };
    if (path === records) { if (/^\/(api|_)(\/|$)/.test(b.path)) return refuse(400, 'Failed to create record.', { path: { code: 'validation_invalid_proxy_path', message: 'path cannot start with /api/ (reserved for data API)' } }); const p = { stripPath: true, accessRule: '', headers: null, timeout: 30, active: true, maxConcurrent: 0, circuitBreaker: null, timeoutConfig: null, ...b, id: id('prx'), collectionName: '_proxies' }; state.items.push(p); return { body: p }; }
    if (path.startsWith(`${records}/`)) { const p = state.items.find((x) => x.id === path.slice(records.length + 1)); if (!p) return refuse(404, 'Not found.'); if (method === 'DELETE') { state.items = state.items.filter((x) => x !== p); return { status: 204 }; } return { body: Object.assign(p, b) }; }
    if (!path.startsWith('/-/')) return null;
    const p = state.items.filter((x) => x.active && (path === x.path || path.startsWith(`${x.path}/`)))[0];
    if (!p) return refuse(404, 'No matching proxy found.');
    state.requests.set(p.id, (state.requests.get(p.id) ?? 0) + 1);
    const unknown = Object.values(p.headers ?? {}).flatMap((v) => [...v.matchAll(/\{secret\.([^}]+)\}/g)].map((m) => m[1])).find((k) => !(state.secrets ?? []).includes(k));
    if (unknown) return { status: 500, body: { error: 'Gateway Configuration Error', details: `secret "${unknown}" is not set` } };
    // an answer in parts, each sent when the test says so
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    state.stream = res;
    res.write('data: 1\n\n');
    return true;
  }, { plugin: 'gateway', state });
}

export function processes(state = { items: [], lines: {} }) {
  const zero = '0001-01-01T00:00:00Z';
  return Object.assign((method, path, query) => {
    if (!path.startsWith('/api/pm')) return null;
    if (path === '/api/pm/list') return { body: state.items };
    const [, , , name, verb] = path.split('/'), p = state.items.find((x) => x.id === decodeURIComponent(name));
    if (!p) return refuse(404, 'Process not found.');
    if (verb === 'logs') return { body: (state.lines[p.id] ?? []).slice(-Number(query.get('lines') ?? 100)) };
    if (verb === 'start' && p.status === 'running') return refuse(400, 'Process is already running.');
    if (verb === 'stop') Object.assign(p, { status: 'stopped', pid: 0, uptime: '', startTime: zero });
    else Object.assign(p, { status: 'running', pid: p.pid + 1000 || 4242, uptime: '1s', startTime: new Date().toISOString(), restartCount: p.restartCount + (verb === 'restart' ? 1 : 0) });
    return { body: { id: p.id, message: `Process ${verb} initiated` } };
  }, { plugin: 'processman', state });
}

export function analytics(state) {
  return Object.assign((method, path, query, b) => {
    if (!path.startsWith('/api/analytics')) return null;
    const what = path.slice('/api/analytics/'.length), span = { startDate: '', endDate: '' };
    if (what === 'config') return { body: { enabled: true, mode: 'conditional', retention: 90, flushInterval: 10, hasS3: false } };
    if (what === 'events') { state.events = [...(state.events ?? []), ...b.events]; return { status: 202, body: { accepted: b.events.length, total: b.events.length } }; }
    if (what === 'raw-logs') return { body: { dates: [] } };
    const days = { today: 1, '7d': 8, '30d': 31, '90d': 91 }[query.get('range') ?? '7d'];
    if (what === 'stats') { const daily = Array.from({ length: days }, (_, i) => { const date = new Date(Date.now() - (days - 1 - i) * 86_400_000).toISOString().slice(0, 10); return { date, ...(state.daily(days - 1 - i)) }; }); const totalPV = daily.reduce((n, d) => n + d.pv, 0); return { body: { summary: { totalPV, totalUV: state.uv, bounceRate: 41.5, avgDur: 12_300 }, daily, ...span } }; }
    if (what === 'top-pages') return { body: { pages: state.pages, ...span } };
    if (what === 'top-sources') return { body: { sources: state.sources, ...span } };
    if (what === 'devices') return { body: { browsers: state.browsers, os: state.os, devices: state.devices, ...span } };
    return refuse(404, 'Not found.');
  }, { plugin: 'analytics', state });
}

export function tof(state) {
  return Object.assign((method, path) => (path === '/api/tof/status' ? { body: state } : null), { plugin: 'tof', state });
}

/** A hook for `faults`: the server has these plugins. `off(name)`: it is compiled in but switched off. */
export function plugins(list, off = {}) {
  return (req, res) => {
    const url = new URL(req.url, 'http://x');
    const send = ({ status = 200, body, type = 'application/json', text }) => res.writeHead(status, body === undefined && text === undefined ? {} : { 'Content-Type': type }).end(text ?? (body === undefined ? undefined : JSON.stringify(body)));
    if (url.pathname === '/api/system') { send({ body: { version: '0', engine: 'SQLite', engineVersion: '3', nodeId: null, instanceId: 'faked', startedAt: now(), dev: false, features: [], limits: {}, paths: {}, warnings: [], plugins: [...list.map((x) => x.plugin), ...Object.keys(off)].map((name) => ({ name, enabled: true })) } }); return true; }
    for (const [name, answer] of Object.entries(off)) if (url.pathname.startsWith({ secrets: '/api/secrets', jobs: '/api/jobs', gateway: '/api/gateway', processman: '/api/pm', analytics: '/api/analytics', tof: '/api/tof' }[name])) { send(answer); return true; }
    const mine = list.filter((f) => /^\/api\/(secrets|jobs|gateway|pm|analytics|tof)(\/|$)|^\/api\/collections\/_proxies\/|^\/-\//.test(url.pathname) && f);
    if (!mine.length) return false;
    void readBody(req).then((b) => {
      for (const f of mine) { const r = f(req.method, url.pathname, url.searchParams, b, req, res); if (r === true) return; if (r) { send(r); return; } }
      send(refuse(404, "The requested resource wasn't found."));
    });
    return true;
  };
}
