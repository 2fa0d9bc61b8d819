// The test data of spec §10, over HTTP only. Deterministic: no random, no clock beyond the server's own.
const lorem = ['index', 'guide', 'river', 'summer', 'paper', 'engine', 'garden', 'signal', 'winter', 'harbor', 'copper', 'window'];
const words = (n, from) => Array.from({ length: n }, (_, i) => lorem[(from * 7 + i * 5) % lorem.length]).join(' ');
export const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR4nGNgaPhPGhrVMKph5GoAAPqv/gEm1ZEkAAAAAElFTkSuQmCC', 'base64');

export async function api(base, method, path, body, token) {
  const form = body instanceof FormData;
  const r = await fetch(`${base}${path}`, { method, headers: { ...(token ? { Authorization: token } : {}), ...(body && !form ? { 'Content-Type': 'application/json' } : {}) }, body: form ? body : body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body) });
  const text = await r.text();
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text.slice(0, 600)}`);
  return text ? JSON.parse(text) : null;
}

/** What the extensions need to be on, beside `seedExtensions`. */
export const extended = {
  args: ['--dev'],
  env: { PB_MASTER_KEY: 'ab'.repeat(32), PB_JOBS_POLL_INTERVAL: '200ms', PB_ANALYTICS_FLUSH_INTERVAL: '1', TOF_APP_KEY: 'myapp12345', TOF_APP_TOKEN: '0123456789abcdef0123456789abcdef', TOF_DEV_MOCK_USER: 'mock' },
  files: {
    'pb_hooks/jobs.pb.js': "$jobs.register('mails', () => {});\n$jobs.register('reports', (job) => { throw new Error(`no printer ${job.payload.text}`); });\n",
    'pb_processes.json': JSON.stringify([{ id: 'ticker', command: 'sh', args: ['-c', 'n=0; while :; do n=$((n+1)); echo "tick $n of a line that goes on <b>and on</b>"; [ $n -gt 30 ] && sleep 1; done'], env: { API_TOKEN: 'hidden' } }, { id: 'waiter', command: 'sh', args: ['-c', 'echo no >&2; exit 3'], backoff: '600s' }]),
  },
};

/** Something on each screen of the extensions; texts with markup among it. */
export async function seedExtensions(base, token) {
  const call = (m, p, b) => api(base, m, p, b, token);
  const evil = '<img src=x onerror="window.xss=1"><script>window.xss=1</script>';
  await call('POST', '/api/collections', { name: 'keys', type: 'base', fields: [{ name: 'title', type: 'text' }, { name: 'token', type: 'secret' }] });
  await call('POST', '/api/collections/keys/records', { title: 'one', token: 'a token of the seed' });
  for (const topic of ['mails', 'reports', `nobody ${evil}`]) await call('POST', '/api/jobs/enqueue', { topic, payload: { text: evil }, max_retries: 1 });
  for (const [key, env] of [['STRIPE', 'global'], ['STRIPE', 'test'], ['A_KEY_WITH_A_VERY_LONG_NAME_THAT_GOES_ON_AND_ON_AND_ON', 'global']]) await call('POST', '/api/secrets', { key, env, value: `sk_${env}_0123456789`, description: `For payments ${evil}` });
  await call('GET', '/api/collections/_proxies');
  await call('POST', '/api/collections/_proxies/records', { path: '/-/pay', upstream: 'https://pay.example/v1', headers: { Authorization: 'Bearer {secret.STRIPE}', 'X-Note': evil }, accessRule: 'true' });
  await call('POST', '/api/collections/_proxies/records', { path: '/-/a/path/that/is/rather/long/for/its/column', upstream: 'https://a-host-with-a-long-name.of-a-department.example.com/base/path', accessRule: "@request.auth.id != '' && @request.auth.verified = true", active: false });
  await fetch(`${base}/api/analytics/events`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }, body: JSON.stringify({ events: Array.from({ length: 60 }, (_, i) => ({ event: 'page_view', path: i % 7 ? `/guides/${i % 5}` : `/${evil}`, sid: `s${i % 23}`, dur: 1000 * i, referrer: i % 3 ? 'https://news.example/x' : '' })) }) });
}

const auto = [{ name: 'created', type: 'autodate', onCreate: true, onUpdate: false }, { name: 'updated', type: 'autodate', onCreate: true, onUpdate: true }];

export async function seed(base, email = 'root@example.com', password = '1234567890', size = 'full') {
  const { token } = await api(base, 'POST', '/api/collections/_superusers/auth-with-password', { identity: email, password });
  const call = (m, p, b) => api(base, m, p, b, token);
  await call('PATCH', '/api/settings', { meta: { appName: 'Acme', appURL: base }, batch: { enabled: true, maxRequests: 100, timeout: 20 }, logs: { minLevel: 0 } });
  const users = await call('GET', '/api/collections/users');
  const categories = await call('POST', '/api/collections', { name: 'categories', type: 'base', listRule: '', viewRule: '', fields: [{ name: 'name', type: 'text', required: true, presentable: true }, ...auto], indexes: ['CREATE UNIQUE INDEX `idx_categories_name` ON `categories` (`name`)'] });
  const posts = await call('POST', '/api/collections', {
    name: 'posts', type: 'base', listRule: "status = 'published' || author = @request.auth.id", viewRule: "status = 'published' || author = @request.auth.id", createRule: "@request.auth.id != ''", updateRule: 'author = @request.auth.id', deleteRule: null,
    fields: [
      { name: 'title', type: 'text', required: true, max: 200, presentable: true, help: 'Shown in lists' }, { name: 'slug', type: 'text', pattern: '^[a-z0-9-]*$' },
      { name: 'body', type: 'editor' }, { name: 'status', type: 'select', values: ['draft', 'review', 'published', 'archived'], maxSelect: 1 }, { name: 'tags', type: 'select', values: ['red', 'green', 'blue', 'new'], maxSelect: 4 },
      { name: 'views', type: 'number', onlyInt: true, min: 0 }, { name: 'rating', type: 'number' }, { name: 'featured', type: 'bool' }, { name: 'publish_at', type: 'date' },
      { name: 'contact', type: 'email' }, { name: 'website', type: 'url' }, { name: 'meta', type: 'json' }, { name: 'place', type: 'geoPoint' },
      { name: 'author', type: 'relation', collectionId: users.id, maxSelect: 1 }, { name: 'categories', type: 'relation', collectionId: categories.id, maxSelect: 3 },
      { name: 'cover', type: 'file', maxSelect: 1, mimeTypes: ['image/png', 'image/jpeg', 'image/svg+xml'], thumbs: ['100x100'] }, { name: 'attachments', type: 'file', maxSelect: 5, maxSize: 200000 }, { name: 'notes', type: 'text', hidden: true }, ...auto,
    ],
    indexes: ['CREATE INDEX `idx_posts_status` ON `posts` (`status`)'],
  });
  await call('POST', '/api/collections', { name: 'comments', type: 'base', listRule: '', viewRule: '', createRule: "@request.auth.id != ''", fields: [{ name: 'text', type: 'text', required: true }, { name: 'post', type: 'relation', collectionId: posts.id, maxSelect: 1, required: true, cascadeDelete: true }, { name: 'user', type: 'relation', collectionId: users.id, maxSelect: 1 }, ...auto] });
  await call('POST', '/api/collections', { name: 'pinned_posts', type: 'base', fields: [{ name: 'post', type: 'relation', collectionId: posts.id, maxSelect: 1, required: true }, { name: 'rank', type: 'number' }] });
  await call('POST', '/api/collections', { name: 'post_stats', type: 'view', listRule: '', viewRule: '', viewQuery: 'SELECT p.id, p.title, p.views, p.status FROM posts p' });
  await call('POST', '/api/collections', { name: 'vault', type: 'base', fields: [{ name: 'title', type: 'text' }, { name: 'pass', type: 'password', min: 0 }, { name: 'doc', type: 'file', maxSelect: 1, protected: true }] });
  await call('POST', '/api/collections', { name: 'wide', type: 'base', fields: Array.from({ length: 200 }, (_, i) => ({ name: `field_${String(i).padStart(3, '0')}`, type: ['text', 'number', 'bool', 'date'][i % 4] })) });

  const names = ['Ann', 'Dimitri', 'Boris', 'Carla', 'Eve', 'Farid', 'Gita', 'Hugo', 'Ines', 'Jun', 'Kofi', 'Lea'];
  const people = [];
  for (const n of names) people.push(await call('POST', '/api/collections/users/records', { email: `${n.toLowerCase()}@example.com`, name: n, password: '1234567890', passwordConfirm: '1234567890', verified: n !== 'Eve' }));
  const cats = [];
  for (const n of ['News', 'Guides', 'Releases', 'Events', 'People', 'Archive']) cats.push(await call('POST', '/api/collections/categories/records', { name: n }));
  const states = ['draft', 'review', 'published', 'published', 'archived'];
  const rows = Array.from({ length: 137 }, (_, i) => ({
    title: `Post number ${i}: ${words(4, i)}`, slug: `post-${i}`, body: `<h2>${words(3, i)}</h2><p>${words(40, i + 3)}</p><ul><li>${words(4, i)}</li></ul>`, status: states[i % 5], tags: ['red', 'green', 'blue', 'new'].filter((_, k) => (i >> k) & 1),
    views: (i * 37) % 900, rating: ((i * 13) % 50) / 10, featured: i % 7 === 0, publish_at: `2026-0${1 + (i % 9)}-${String(1 + (i % 27)).padStart(2, '0')} 10:30:00.000Z`, contact: i % 3 ? `p${i}@example.com` : '', website: i % 4 ? `https://example.com/${i}` : '',
    meta: i === 100 ? '{"big":12345678901234567890,"z":1.10,"a":1e3}' : { n: i, list: [1, 2, i] }, place: i % 5 ? { lon: 23.3 + i / 100, lat: 42.6 } : { lon: 0, lat: 0 }, author: people[i % 12].id, categories: [cats[i % 6].id, cats[(i + 2) % 6].id].slice(0, 1 + (i % 2)), notes: i % 9 ? '' : 'internal',
  }));
  rows[120].title = 'عنوان طويل من اليمين إلى اليسار 🦊 mixed';
  rows[121].title = `<img src=x onerror="window.xss=1"><script>window.xss=1</script>`;
  rows[121].body = `<p>ok</p><script>window.xss=1</script><img src=x onerror="window.xss=1">`;
  rows[122].title = `Long ${words(24, 3)}`.slice(0, 200);
  rows[123].body = '<video controls src="/x.mp4"></video><my-tag>hi</my-tag><!-- note -->';
  const ids = [];
  for (let i = 0; i < rows.length; i += 50) {
    const out = await call('POST', '/api/batch', { requests: rows.slice(i, i + 50).map((body) => ({ method: 'POST', url: '/api/collections/posts/records', body })) });
    ids.push(...out.map((r) => r.body.id));
  }
  await call('POST', '/api/batch', { requests: Array.from({ length: 60 }, (_, i) => ({ method: 'POST', url: '/api/collections/comments/records', body: { text: `Comment ${i} ${words(5, i)}`, post: ids[i % 20], user: people[i % 12].id } })) });
  await call('POST', '/api/collections/pinned_posts/records', { post: ids[10], rank: 1 });
  for (const i of [0, 1, 2, 136]) {
    const form = new FormData();
    form.set('cover', new Blob([png], { type: 'image/png' }), 'cover.png');
    form.append('attachments', new Blob(['hello text'], { type: 'text/plain' }), `a very long file name that goes on and on number ${i} <b>.txt`);
    form.append('attachments', new Blob(['%PDF-1.4 '], { type: 'application/pdf' }), 'paper.pdf');
    await api(base, 'PATCH', `/api/collections/posts/records/${ids[i]}`, form, token);
  }
  await call('POST', '/api/collections/vault/records', { title: 'door', pass: 'open sesame' });
  const vault = new FormData();
  vault.set('title', 'paper');
  vault.set('doc', new Blob(['secret text'], { type: 'text/plain' }), 'secret.txt');
  await api(base, 'POST', '/api/collections/vault/records', vault, token);
  await call('POST', '/api/collections/wide/records', { field_000: 'first', field_001: 1 });

  await call('POST', '/api/collections', { name: 'empty_001', type: 'base', fields: [{ name: 'title', type: 'text' }] });
  if (size === 'full') {
    const big = await call('POST', '/api/collections', { name: 'big', type: 'base', listRule: '', fields: [{ name: 'label', type: 'text', presentable: true }, { name: 'n', type: 'number' }, { name: 'flag', type: 'bool' }], indexes: ['CREATE INDEX `idx_big_label` ON `big` (`label`)'] });
    await call('POST', '/api/sql', { query: `WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<100000) INSERT INTO big (id,label,n,flag) SELECT printf('r%014d', i), 'Row ' || i, i, i % 2 FROM s` });
    await call('POST', '/api/collections', { name: 'big_refs', type: 'base', fields: [{ name: 'target', type: 'relation', collectionId: big.id, maxSelect: 1 }] });
    for (let i = 0; i < 300; i += 100) await call('PUT', '/api/collections/import', { collections: Array.from({ length: 100 }, (_, k) => ({ name: `empty_${String(i + k).padStart(3, '0')}`, type: 'base', fields: [{ name: k === 77 && i === 200 ? 'needle_field' : 'title', type: 'text' }] })), deleteMissing: false });
  }
  return { token, ids, people, cats };
}
