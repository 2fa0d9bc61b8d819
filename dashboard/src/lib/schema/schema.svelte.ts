// The collections as last seen. One snapshot for all screens; refreshed on focus and when another tab says so.
import { get } from '../api/client';
import type { Collection, Field, Page } from '../api/types';

class Schema {
  list = $state.raw<Collection[]>([]);
  loaded = $state(false);
  error = $state<unknown>(null);
  at = 0;
  private running: Promise<void> | null = null;

  byName = $derived(new Map(this.list.flatMap((c) => [[c.id, c], [c.name, c]] as const)));
  find(idOrName: string | undefined): Collection | undefined { return idOrName ? this.byName.get(idOrName) : undefined; }

  /** The first screen: names of all, the whole of one. The rest comes when that is shown (until then a name says what is the system's). */
  async start(current: string): Promise<void> {
    if (!current || this.loaded) return this.load();
    try {
      const [light, one] = await Promise.all([
        get<Page<Collection>>('/api/collections', { page: 1, perPage: 1000, skipTotal: 1, sort: 'name', fields: 'id,name,type' }, { superuser: true }),
        get<Collection>(`/api/collections/${encodeURIComponent(current)}`, {}, { superuser: true }).catch(() => null),
      ]);
      if (!this.complete) {
        this.list = light.items.map((c) => (c.id === one?.id ? one : { ...c, system: c.name.startsWith('_'), fields: [], indexes: [] } as unknown as Collection));
        this.loaded = true;
      }
    } catch (e) { this.error = e; return; }
    setTimeout(() => void this.load(), 1200);
  }
  /** All definitions are here, not only names. */
  complete = $state(false);
  /** For whoever needs the fields of other collections. */
  whole(): Promise<void> { return this.complete ? Promise.resolve() : this.load(); }
  load(): Promise<void> {
    this.running ??= this.fetch().finally(() => { this.running = null; });
    return this.running;
  }
  private async fetch(): Promise<void> {
    try {
      const all: Collection[] = [];
      for (let page = 1; ; page++) {
        const r = await get<Page<Collection>>('/api/collections', { page, perPage: 1000, skipTotal: 1, sort: 'name' }, { superuser: true });
        all.push(...r.items);
        if (r.items.length < 1000) break;
      }
      this.list = all;
      this.loaded = true;
      this.complete = true;
      this.error = null;
      this.at = Date.now();
    } catch (e) { this.error = e; }
  }
  put(c: Collection): void {
    this.list = [...this.list.filter((x) => x.id !== c.id), c].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  remove(id: string): void { this.list = this.list.filter((x) => x.id !== id); }
}
export const schema = new Schema();

export const fieldOf = (c: Collection | undefined, name: string): Field | undefined => c?.fields.find((f) => f.name === name);
export const isMulti = (f: Field): boolean => (f.type === 'select' || f.type === 'file' || f.type === 'relation') && Number(f.maxSelect ?? 1) > 1;
export const onUpdateField = (c: Collection): Field | undefined => c.fields.find((f) => f.type === 'autodate' && f.onUpdate === true);

const titles = ['title', 'name', 'slug', 'email', 'username', 'label', 'subject', 'key'];
/** The fields that stand for a record of the collection. */
export function presentable(c: Collection | undefined): Field[] {
  if (!c) return [];
  const marked = c.fields.filter((f) => f.presentable && !f.hidden);
  if (marked.length) return marked;
  for (const n of titles) { const f = fieldOf(c, n); if (f && !f.hidden) return [f]; }
  return [];
}
export function titleOf(record: Record<string, unknown>, c: Collection | undefined): string {
  const parts = presentable(c).filter((f) => f.type !== 'file').map((f) => textOf(record[f.name])).filter(Boolean);
  return parts.join(' ') || String(record.id ?? '');
}
export function textOf(v: unknown): string {
  if (v === null || v === undefined) return '';
  if (typeof v === 'object' && !('text' in v)) return Array.isArray(v) ? v.join(', ') : JSON.stringify(v);
  return String(v);
}
