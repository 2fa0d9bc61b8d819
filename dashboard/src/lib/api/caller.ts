// Asking the server as somebody else: a guest, or an account by a token that lives a minute. Never stored, never shown.
import { ApiError } from './errors';
import { enc, post } from './client';
import { apiBase, session } from './session.svelte';

export interface Who { kind: 'superuser' | 'guest' | 'account'; collection?: string; id?: string }
const tokens = new Map<string, { token: string; until: number }>();

/** `null` = no token at all. */
export async function tokenOf(who: Who, seconds = 60): Promise<string | null> {
  if (who.kind === 'guest') return null;
  if (who.kind === 'superuser') return session.token;
  if (!who.collection || !who.id) return null;
  const key = `${who.collection}/${who.id}`, kept = tokens.get(key);
  if (kept && kept.until > Date.now() + 5000) return kept.token;
  const { token } = await post<{ token: string }>(`/api/collections/${enc(who.collection)}/impersonate/${enc(who.id)}`, { duration: seconds });
  tokens.set(key, { token, until: Date.now() + seconds * 1000 });
  return token;
}
export interface Raw { status: number; ms: number; headers: [string, string][]; text: string }
/** One request exactly as given, with its answer as it came: for the playground. */
export async function raw(method: string, path: string, body: string, who: Who): Promise<Raw> {
  const token = await tokenOf(who);
  const headers: Record<string, string> = {};
  if (token) headers.Authorization = token;
  if (body.trim() && method !== 'GET') headers['Content-Type'] = 'application/json';
  const start = performance.now();
  let r: Response;
  try { r = await fetch(`${apiBase}${path}`, { method, headers, cache: 'no-store', ...(body.trim() && method !== 'GET' ? { body } : {}) }); } catch { throw new ApiError(0, 'No connection to the server', {}, method, path); }
  const text = await r.text();
  return { status: r.status, ms: performance.now() - start, headers: [...r.headers].sort((a, b) => (a[0] < b[0] ? -1 : 1)), text };
}
