// Many writes: batch slices when the server allows, else four at a time. Progress, cancel between slices, a report per row.
import { settings } from '../../app/settings.svelte';
import { call, enc, post } from '../../lib/api/client';
import { ApiError, messageOf } from '../../lib/api/errors';
import type { Json, JsonObject } from '../../lib/api/json';

export interface Write { key: string; method: 'POST' | 'PATCH' | 'DELETE' | 'PUT'; collection: string; id?: string; body?: JsonObject }
export interface Failure { key: string; reason: string; write: Write }

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
      if (together && batch.enabled === true && list.length > 1) await this.slices(list, Math.max(1, Number(batch.maxRequests) || 50));
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
