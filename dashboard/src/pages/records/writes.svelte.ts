// Many writes: batch slices when the server allows, else four at a time. Progress, cancel between slices, a report per row.
import { settings } from '../../app/settings.svelte';
import { call, enc, post } from '../../lib/api/client';
import { ApiError, messageOf } from '../../lib/api/errors';
import { equalJson, type Json, type JsonObject } from '../../lib/api/json';
import { capabilities } from '../../app/capabilities.svelte';

export interface Write { key: string; method: 'POST' | 'PATCH' | 'DELETE' | 'PUT'; collection: string; id?: string; body?: JsonObject }
export interface Failure { key: string; reason: string; write: Write }

const uniform = (list: Write[]): boolean => list.every((w) => !!w.id && w.collection === list[0]?.collection && w.method === list[0].method && (w.method === 'DELETE' || (w.method === 'PATCH' && equalJson(w.body, list[0].body))));
const pathOf = (w: Write): string => `/api/collections/${enc(w.collection)}/records${w.id ? `/${enc(w.id)}` : ''}`;

export class Writes {
  total = $state(0);
  done = $state(0);
  failures = $state.raw<Failure[]>([]);
  running = $state(false);
  cancelled = $state(false);
  get ok(): number { return this.done - this.failures.length; }

  async run(list: Write[], together = true): Promise<void> {
    this.total = list.length;
    this.done = 0;
    this.failures = [];
    this.cancelled = false;
    this.running = true;
    const batch = (settings.all?.batch as JsonObject | undefined) ?? {};
    try {
      if (list.length > 1 && capabilities.has('bulk') && uniform(list)) await this.bulk(list);
      else if (together && batch.enabled === true && list.length > 1) await this.slices(list, Math.max(1, Number(batch.maxRequests) || 50));
      else await this.each(list);
    } finally { this.running = false; }
  }
  private fail(w: Write, e: unknown): void { this.failures = [...this.failures, { key: w.key, reason: reasonOf(e), write: w }]; }
  private async each(list: Write[]): Promise<void> {
    const queue = [...list];
    const worker = async () => {
      for (let w = queue.shift(); w && !this.cancelled; w = queue.shift()) {
        try { await call(w.method, pathOf(w), w.body ? { body: w.body } : {}); } catch (e) { this.fail(w, e); }
        this.done++;
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
  }
  /** One change to many records is one call (A7); the server tells which of them failed. */
  private async bulk(list: Write[]): Promise<void> {
    const [first] = list as [Write];
    for (let at = 0; at < list.length && !this.cancelled; at += 200) {
      const slice = new Map(list.slice(at, at + 200).map((w) => [w.id ?? '', w]));
      // what the server did not get to in its time is asked for again
      for (let left = [...slice.keys()]; left.length;) {
        const r = await post<{ last: string; errors: { id: string; status: number; message: string; data?: JsonObject }[] }>(`/api/collections/${enc(first.collection)}/bulk`, { ids: left, ...(first.method === 'DELETE' ? { delete: true } : { set: first.body ?? {} }) }, { superuser: true });
        for (const e of r.errors) { const w = slice.get(e.id); if (w) this.fail(w, new ApiError(e.status, e.message, e.data ?? {}, '', '')); }
        const reached = left.indexOf(r.last);
        const done = reached < 0 ? left.length : reached + 1;
        this.done += done;
        left = left.slice(done);
      }
    }
  }
  /** A slice is one transaction: when one row is refused, the others of the slice go again without it. */
  private async slices(list: Write[], size: number): Promise<void> {
    let queue = [...list];
    while (queue.length && !this.cancelled) {
      const slice = queue.slice(0, size);
      queue = queue.slice(size);
      try {
        await post('/api/batch', { requests: slice.map((w) => ({ method: w.method, url: pathOf(w), ...(w.body ? { body: w.body } : {}) })) });
        this.done += slice.length;
      } catch (e) {
        const at = e instanceof ApiError ? Number(Object.keys((e.data.requests as JsonObject | undefined) ?? {})[0] ?? NaN) : NaN;
        const bad = slice[at];
        if (!bad) {
          if (e instanceof ApiError && e.network) throw e;
          await this.each2(slice);
          continue;
        }
        const inner = (((e as ApiError).data.requests as JsonObject)[String(at)] as JsonObject | undefined)?.response as JsonObject | undefined;
        this.fail(bad, inner ? new ApiError(400, String(inner.message ?? messageOf(e)), (inner.data as { [k: string]: Json }) ?? {}, '', '') : e);
        this.done++;
        queue = [...slice.filter((w) => w !== bad), ...queue];
      }
    }
  }
  private async each2(list: Write[]): Promise<void> {
    for (const w of list) {
      try { await call(w.method, pathOf(w), w.body ? { body: w.body } : {}); } catch (e) { this.fail(w, e); }
      this.done++;
    }
  }
  cancel(): void { this.cancelled = true; }
}
function reasonOf(e: unknown): string {
  const parts: string[] = [];
  if (e instanceof ApiError) for (const [k, v] of Object.entries(e.data)) { const m = (v as { message?: string } | null)?.message; if (m) parts.push(`${k}: ${m}`); }
  return parts.join('; ') || messageOf(e);
}
