// Pages of one list of records: loaded as they come into sight, at most thirty kept, shown old until the new are there.
import { get, listRecords, enc } from '../../lib/api/client';
import { isAbort, messageOf } from '../../lib/api/errors';
import type { Collection, Field, Page, Rec } from '../../lib/api/types';
import { onUpdateField, presentable, schema } from '../../lib/schema/schema.svelte';
import { defOf } from '../../fields';

/** Two screens of dense rows; small enough for the first list's budget. */
export const perPage = 40;
interface Kept { pages: Map<number, Rec[]>; total: number | null }
const cache = new Map<string, Kept>();

export interface ListQuery { collection: Collection; filter: string; sort: string; columns: Field[] }

/** `fields` and `expand` for the visible columns only. */
export function selection(c: Collection, columns: Field[]): { fields: string; expand: string } {
  const names = new Set(['id']);
  const expand: string[] = [];
  for (const p of presentable(c)) names.add(p.name);
  const update = onUpdateField(c);
  if (update) names.add(update.name);
  for (const f of columns) {
    names.delete(f.name);
    names.add(defOf(f.type).select?.(f.name) ?? f.name);
    const target = f.type === 'relation' ? schema.find(String(f.collectionId)) : undefined;
    if (f.type === 'relation') {
      expand.push(f.name);
      // before the collections are known the usual titles are asked for; unknown names are harmless
      const shown = target?.fields.length ? presentable(target).map((p) => p.name) : ['title', 'name', 'email', 'username', 'label'];
      for (const n of ['id', ...shown]) names.add(`expand.${f.name}.${n}`);
    }
  }
  return { fields: [...names].join(','), expand: expand.join(',') };
}

export class RecordList {
  pages = $state.raw<Map<number, Rec[]>>(new Map());
  total = $state<number | null>(null);
  loading = $state(false);
  /** rows are of an older query or an older answer */
  stale = $state(false);
  error = $state('');
  loadedOnce = $state(false);
  query = $state.raw<ListQuery | null>(null);
  private key = '';
  private epoch = 0;
  private pending = new Set<number>();

  get count(): number {
    const last = Math.max(0, ...this.pages.keys());
    const rows = this.pages.get(last)?.length ?? 0;
    const known = last === 0 ? 0 : rows < perPage ? (last - 1) * perPage + rows : last * perPage + (this.total === null ? 20 : 0);
    return this.total === null ? known : Math.max(this.total, last && rows === perPage ? last * perPage : known);
  }
  row(i: number): Rec | undefined { return this.pages.get(Math.floor(i / perPage) + 1)?.[i % perPage]; }
  get loaded(): Rec[] { return [...this.pages.entries()].sort((a, b) => a[0] - b[0]).flatMap(([, r]) => r); }
  indexOf(id: string): number {
    for (const [p, rows] of this.pages) { const i = rows.findIndex((r) => r.id === id); if (i >= 0) return (p - 1) * perPage + i; }
    return -1;
  }

  open(q: ListQuery): void {
    const key = `${q.collection.id}|${q.filter}|${q.sort}|${q.columns.map((f) => f.name).join()}`;
    if (key === this.key) { this.query = q; return; }
    const other = q.collection.id !== this.query?.collection.id;
    const kept = cache.get(key);
    this.key = key;
    this.query = q;
    this.error = '';
    if (kept) { this.pages = kept.pages; this.total = kept.total; this.loadedOnce = true; }
    else if (other) { this.pages = new Map(); this.total = null; this.loadedOnce = false; }
    else this.total = null;
    void this.reload();
  }
  /** Reads again; the rows stay until the answer is there. */
  async reload(page = 1): Promise<void> {
    const epoch = ++this.epoch;
    this.pending.clear();
    this.stale = this.pages.size > 0;
    await this.load(page, epoch, true);
    if (epoch === this.epoch) void this.count_(epoch);
  }
  ensure(first: number, last: number): void {
    for (let p = Math.floor(first / perPage) + 1; p <= Math.floor(Math.max(0, last) / perPage) + 1; p++) {
      const rows = this.pages.get(p)?.length;
      if ((rows === undefined || rows < this.expected(p)) && !this.pending.has(p) && (p === 1 || (p - 1) * perPage < this.count)) void this.load(p, this.epoch, false);
    }
  }
  /** How many rows a page has by the total. */
  private expected(page: number): number { return this.total === null ? 0 : Math.max(0, Math.min(perPage, this.total - (page - 1) * perPage)); }
  private async load(page: number, epoch: number, fresh: boolean): Promise<void> {
    const q = this.query;
    if (!q) return;
    this.pending.add(page);
    this.loading = true;
    try {
      const { fields, expand } = selection(q.collection, q.columns);
      const found = await listRecords(q.collection.name, { page, perPage, skipTotal: 1, sort: q.sort || (q.collection.type === 'view' ? '' : '-@rowid'), filter: q.filter, fields, expand }, { key: fresh ? 'list' : `list-${page}` });
      if (epoch !== this.epoch) return;
      // the same for all: not sent
      const rows = found.map((r): Rec => ({ ...r, collectionId: q.collection.id, collectionName: q.collection.name }));
      this.put(page, rows, fresh);
      this.error = '';
    } catch (e) {
      if (epoch === this.epoch && !isAbort(e)) this.error = messageOf(e);
    } finally {
      this.pending.delete(page);
      if (epoch === this.epoch) { this.loading = this.pending.size > 0; if (fresh && !this.error) this.stale = false; }
    }
  }
  private put(page: number, rows: Rec[], fresh: boolean): void {
    const next = fresh ? new Map<number, Rec[]>() : new Map(this.pages);
    // rows that came meanwhile push others onto the next page: a page that shares a row is read again
    const ids = new Set(rows.map((r) => r.id));
    // a full page that should be the last one may have followers; another number of rows says it for sure
    let grown = this.total !== null && (rows.length !== this.expected(page) || (rows.length === perPage && page * perPage >= this.total));
    for (const [p, old] of next) if (p !== page && old.some((r) => ids.has(r.id))) { next.delete(p); grown = true; }
    next.set(page, rows);
    if (next.size > 60) { const far = [...next.keys()].sort((a, b) => Math.abs(b - page) - Math.abs(a - page))[0]; if (far !== undefined) next.delete(far); }
    this.pages = next;
    this.loadedOnce = true;
    this.keep();
    if (grown && !fresh) void this.count_(this.epoch);
  }
  private async count_(epoch: number): Promise<void> {
    const q = this.query;
    if (!q || this.error) return;
    const first = this.pages.get(1);
    if (first && first.length < perPage && this.pages.size === 1) { this.total = first.length; this.keep(); return; }
    try {
      const r = await get<Page<Rec>>(`/api/collections/${enc(q.collection.name)}/records`, { page: 1, perPage: 1, fields: 'id', filter: q.filter }, { key: 'list-total' });
      if (epoch === this.epoch) { this.total = r.totalItems; this.keep(); }
    } catch { /* the rows are there; the number stays open */ }
  }
  private keep(): void {
    cache.delete(this.key);
    cache.set(this.key, { pages: this.pages, total: this.total });
    if (cache.size > 20) { const oldest = cache.keys().next().value; if (oldest) cache.delete(oldest); }
  }
  replace(record: Rec): void {
    const next = new Map(this.pages);
    for (const [p, rows] of next) { const i = rows.findIndex((r) => r.id === record.id); if (i >= 0) next.set(p, rows.with(i, { ...rows[i], ...record } as Rec)); }
    this.pages = next;
    this.keep();
  }
}
export function forgetLists(collectionId: string): void { for (const k of cache.keys()) if (k.startsWith(`${collectionId}|`)) cache.delete(k); }
