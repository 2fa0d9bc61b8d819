// Serves dist/ as the Rust crate will (headers, CSP, ETag, gzip) under <prefix>/_/ and hands everything else to the server.
// `node tests/serve.mjs --server http://127.0.0.1:8090 --port 8091 [--prefix /sub/path]`
import { createHash } from 'node:crypto';
import { createServer, request } from 'node:http';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

export const csp = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https://tile.openstreetmap.org; connect-src 'self' https://nominatim.openstreetmap.org; media-src 'self' blob:; worker-src 'self'; frame-src 'self' blob:; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.json': 'application/json' };
const own = fileURLToPath(new URL('../dist', import.meta.url));

function load(dist) {
  const files = new Map();
  const walk = (dir, base) => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name), rel = base ? `${base}/${name}` : name;
      if (statSync(path).isDirectory()) { walk(path, rel); continue; }
      const body = readFileSync(path);
      files.set(rel, { body, gz: gzipSync(body, { level: 9 }), etag: `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`, type: types[extname(name)] ?? 'application/octet-stream', hashed: rel.startsWith('assets/') });
    }
  };
  if (existsSync(dist)) walk(dist, '');
  return files;
}

/** `hook(req, res)` may answer first (true = answered): tests use it for faults. */
/** `dist`: another build; `rewrite(path, text)`: changes JSON answers of the server. */
export function serve({ server, port = 0, prefix = '', hook, dist = own, rewrite }) {
  const files = load(dist);
  const target = new URL(server);
  const handle = (req, res) => {
    if (hook?.(req, res)) return;
    const url = req.url ?? '/';
    const path = url.split('?')[0];
    if (prefix && !path.startsWith(prefix)) { res.writeHead(404).end(); return; }
    const inner = path.slice(prefix.length);
    if (inner === '/_') { res.writeHead(307, { Location: `${prefix}/_/` }).end(); return; }
    if (inner.startsWith('/_/')) {
      const file = files.get(inner.slice(3) || 'index.html');
      if (!file) {
        if (inner === '/_/extensions.js') { res.writeHead(200, { 'Content-Type': 'text/javascript' }).end(); return; }
        res.writeHead(404).end(); return;
      }
      const headers = { 'Content-Type': file.type, ETag: file.etag, 'Cache-Control': file.hashed ? 'public, max-age=31536000, immutable' : 'no-cache', 'X-Content-Type-Options': 'nosniff', 'Content-Security-Policy': csp, 'Cross-Origin-Opener-Policy': 'same-origin', 'X-Frame-Options': 'SAMEORIGIN', Vary: 'Accept-Encoding' };
      if (req.headers['if-none-match'] === file.etag) { res.writeHead(304, headers).end(); return; }
      const gz = /gzip/.test(String(req.headers['accept-encoding'])) && file.gz.length < file.body.length;
      res.writeHead(200, gz ? { ...headers, 'Content-Encoding': 'gzip' } : headers).end(gz ? file.gz : file.body);
      return;
    }
    const up = request({ host: target.hostname, port: target.port, path: url.slice(prefix.length), method: req.method, headers: rewrite ? { ...req.headers, 'accept-encoding': 'identity' } : req.headers }, (r) => {
      if (!rewrite || !/json/.test(String(r.headers['content-type'])) || r.headers['content-encoding']) { res.writeHead(r.statusCode ?? 502, r.headers); r.pipe(res); return; }
      const parts = [];
      r.on('data', (d) => parts.push(d));
      r.on('end', () => { const body = Buffer.from(rewrite(url.slice(prefix.length), Buffer.concat(parts).toString())); res.writeHead(r.statusCode ?? 502, { ...r.headers, 'content-length': body.length }).end(body); });
    });
    up.on('error', () => { if (!res.headersSent) res.writeHead(502); res.end(); });
    req.pipe(up);
    res.on('close', () => up.destroy());
  };
  const http = createServer(handle);
  return new Promise((resolve) => http.listen(port, '127.0.0.1', () => resolve({ http, handle, url: `http://127.0.0.1:${http.address().port}${prefix}`, close: () => { http.closeAllConnections(); http.close(); } })));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const arg = (name, or) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? or : process.argv[i + 1]; };
  const s = await serve({ server: arg('server', 'http://127.0.0.1:8090'), port: Number(arg('port', '8091')), prefix: arg('prefix', '') });
  console.log(`${s.url}/_/`);
}
