// The only place that talks to the server. Exact JSON both ways, one newest request per key, reads retried once, writes never.
import { ApiError } from './errors';
import { parseJson, printJson, type Json } from './json';
import { apiBase, session, type Stored } from './session.svelte';
import type { IssueTree, Rec } from './types';
import { net } from './net.svelte';

type Query = Record<string, string | number | boolean | undefined | null>;
export interface Options {
  query?: Query;
  body?: unknown;
  form?: FormData;
  /** A newer request of the same key aborts the older. */
  key?: string;
  signal?: AbortSignal;
  /** `null` sends no token, a text sends that one; absent = the session's, with its care. */
  token?: string | null;
  progress?: (done: number, total: number) => void;
  headers?: Record<string, string>;
  /** Endpoint that only superusers may call: a success proves the login. */
  superuser?: boolean;
}

const running = new Map<string, AbortController>();

export function url(path: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== null && v !== '') q.set(k, String(v));
  const text = q.toString();
  return `${apiBase}${path}${text ? `?${text}` : ''}`;
}
export const enc = encodeURIComponent;

async function once(method: string, path: string, o: Options, token: string | null): Promise<{ status: number; text: string; headers: Headers }> {
  const headers: Record<string, string> = { 'x-request-source': 'pbui', ...o.headers };
  if (token) { headers.Authorization = token; if (o.token === undefined) headers['x-expect'] = 'superuser'; }
  let body: BodyInit | undefined = o.form;
  if (o.body !== undefined) { headers['Content-Type'] = 'application/json'; body = printJson(o.body); }
  const target = url(path, o.query);
  if (o.progress) return upload(method, target, headers, body, o);
  const init: RequestInit = { method, headers, cache: 'no-store' };
  if (body !== undefined) init.body = body;
  if (o.signal) init.signal = o.signal;
  const r = await fetch(target, init);
  return { status: r.status, text: await r.text(), headers: r.headers };
}

function upload(method: string, target: string, headers: Record<string, string>, body: BodyInit | undefined, o: Options): Promise<{ status: number; text: string; headers: Headers }> {
  return new Promise((resolve, reject) => {
    const x = new XMLHttpRequest();
    x.open(method, target);
    for (const [k, v] of Object.entries(headers)) x.setRequestHeader(k, v);
    x.upload.onprogress = (e) => o.progress?.(e.loaded, e.total);
    x.onload = () => resolve({ status: x.status, text: x.responseText, headers: new Headers({ date: x.getResponseHeader('date') ?? '', 'retry-after': x.getResponseHeader('retry-after') ?? '' }) });
    x.onerror = () => reject(new TypeError('network'));
    x.onabort = () => reject(new DOMException('aborted', 'AbortError'));
    o.signal?.addEventListener('abort', () => x.abort());
    x.send(body as XMLHttpRequestBodyInit | undefined);
  });
}

export async function call<T = Json>(method: string, path: string, options: Options = {}): Promise<T> {
  let o = options;
  if (o.key) {
    running.get(o.key)?.abort();
    const c = new AbortController();
    running.set(o.key, c);
    o.signal?.addEventListener('abort', () => c.abort());
    o = { ...o, signal: c.signal };
  }
  for (let attempt = 0; ; attempt++) {
    const own = o.token === undefined;
    const token = own ? session.token : o.token ?? null;
    let r;
    try {
      r = await once(method, path, o, token);
    } catch (e) {
      if (e instanceof DOMException && e.name === 'AbortError') throw new ApiError(-1, 'aborted', {}, method, path);
      if (method === 'GET' && attempt === 0) { await new Promise((go) => setTimeout(go, 300)); continue; }
      net.lost();
      throw new ApiError(0, 'No connection to the server', {}, method, path);
    }
    net.found();
    const date = Date.parse(r.headers.get('date') ?? '');
    if (date) session.skew = Math.abs(date - Date.now()) > 5000 ? date - Date.now() : 0;
    if (r.status < 400) {
      if (o.superuser && own) session.proven = Date.now();
      if (!r.text) return null as T;
      try { return parseJson(r.text) as T; } catch { throw new ApiError(r.status, 'The answer is no JSON', {}, method, path); }
    }
    const error = refusal(r, method, path);
    // a login that ended shows the dialog over the page; after it the request is repeated
    if (own && token && !path.endsWith('/auth-refresh')) {
      const ended = error.status === 401 || (error.status === 403 && !(await prove(true)));
      if (ended) { await session.end(); continue; }
    }
    throw error;
  }
}

function refusal(r: { status: number; text: string; headers: Headers }, method: string, path: string): ApiError {
  let message = `The server answered ${r.status}`;
  let data: IssueTree = {};
  try {
    const body = parseJson(r.text) as { message?: Json; data?: Json };
    if (typeof body.message === 'string' && body.message) message = body.message;
    if (body.data && typeof body.data === 'object') data = body.data as IssueTree;
    const mfa = (body as { mfaId?: Json }).mfaId;
    if (mfa) data = { ...data, mfaId: mfa };
  } catch { /* not ours: a proxy's page */ }
  const wait = Number(r.headers.get('retry-after')) || 0;
  if (r.status === 429) message = wait ? `Too many requests: wait ${wait} s` : message;
  return new ApiError(r.status, message, data, method, path, wait);
}

export const get = <T = Json>(path: string, query?: Query, o: Options = {}): Promise<T> => call<T>('GET', path, query ? { ...o, query } : o);
export const post = <T = Json>(path: string, body?: unknown, o: Options = {}): Promise<T> => call<T>('POST', path, body === undefined ? o : { ...o, body });
export const patch = <T = Json>(path: string, body: unknown, o: Options = {}): Promise<T> => call<T>('PATCH', path, { ...o, body });
export const put = <T = Json>(path: string, body: unknown, o: Options = {}): Promise<T> => call<T>('PUT', path, { ...o, body });
export const del = <T = Json>(path: string, o: Options = {}): Promise<T> => call<T>('DELETE', path, o);

let proving: Promise<boolean> | null = null;

/** Is the login still one? A server that does not know `x-expect` answers lists as to a guest, with 200: ask before rows are shown. */
export function prove(force = false): Promise<boolean> {
  if (!force && Date.now() - session.proven < 4000) return Promise.resolve(true);
  proving ??= refresh().finally(() => { proving = null; });
  return proving;
}

async function refresh(): Promise<boolean> {
  const before = session.stored;
  if (!before) return false;
  try {
    if (session.claims.refreshable === false) {
      await once('GET', '/api/settings', { query: { fields: 'meta' } }, before.token).then((r) => { if (r.status === 401 || r.status === 403) throw new ApiError(r.status, '', {}, '', ''); });
      session.proven = Date.now();
      return true;
    }
    const r = await call<Stored>('POST', '/api/collections/_superusers/auth-refresh', { token: before.token });
    if (session.stored === before) session.set(r);
    return true;
  } catch (e) {
    // only a refusal ends a login; a lost connection or a fault of the server does not
    return !(e instanceof ApiError && [401, 403, 404].includes(e.status));
  }
}

/** A list of records: never shown when the caller has become a guest (D5). */
export async function listRecords<T = Rec>(collection: string, query: Query, o: Options = {}): Promise<T[]> {
  for (;;) {
    const before = session.token;
    const [page, ok] = await Promise.all([get<{ items: T[] }>(`/api/collections/${enc(collection)}/records`, query, o), prove()]);
    if (ok) return page.items;
    // somebody may have signed in again meanwhile: then the list is asked for once more, not the password
    if (session.token === before) await session.end();
  }
}

let fileToken = { token: '', until: 0 };
/** For protected files; asked for only when one is shown. */
export async function getFileToken(): Promise<string> {
  if (fileToken.until < Date.now() + 30_000) {
    const { token } = await post<{ token: string }>('/api/files/token');
    fileToken = { token, until: Date.now() + 120_000 };
  }
  return fileToken.token;
}
export function fileUrl(record: Rec, name: string, query: Query = {}): string {
  return url(`/api/files/${enc(record.collectionId || record.collectionName)}/${enc(record.id)}/${enc(name)}`, query);
}
