// The server's word on a filter or rule, with the place of the mistake; also of a collection that is not saved yet (A1).
import { enc, post } from '../api/client';
import { ApiError, isAbort } from '../api/errors';
import type { JsonObject } from '../api/json';
import type { Problem } from './check';

let missing = false;
/** `null` = fine, or this server cannot tell. */
export async function askServer(collection: string, what: 'filter' | 'rule', text: string, draft?: JsonObject): Promise<Problem | null> {
  if (missing || !text.trim() || !collection) return null;
  try {
    await post(`/api/collections/${enc(collection)}/explain`, { [what]: text, plan: false, ...(draft ? { collection: draft } : {}) }, { superuser: true, key: `check-${what}` });
    return null;
  } catch (e) {
    if (isAbort(e) || !(e instanceof ApiError)) return null;
    if (e.status === 404 || e.status === 405) missing = true;
    const issue = e.data[what] as { message?: string; params?: { start?: number; end?: number; hint?: string } } | undefined;
    if (!issue?.message) return null;
    const start = Math.min(Number(issue.params?.start ?? 0), text.length), end = Math.min(Number(issue.params?.end ?? text.length), text.length);
    return { start, end: Math.max(end, start), message: [issue.message, issue.params?.hint].filter(Boolean).join(' — ') };
  }
}
