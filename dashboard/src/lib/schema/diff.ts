// Two sets of collections compared: what an import would add, change and remove, and where it would lose data.
import { copyJson, equalJson, printJson, type Json, type JsonObject } from '../api/json';
import type { Collection, Field } from '../api/types';

export interface Line { path: string; before: string; after: string; loss?: boolean }
export interface CollectionDiff { name: string; kind: 'added' | 'changed' | 'removed'; lines: Line[] }
const skip = new Set(['created', 'updated', 'fields', 'id']);
const text = (v: unknown): string => (v === undefined ? '' : typeof v === 'string' ? v : printJson(v));

export function diffCollections(now: Collection[], next: Collection[], exact: boolean): CollectionDiff[] {
  const out: CollectionDiff[] = [];
  for (const c of next) {
    const old = now.find((x) => (c.id && x.id === c.id) || x.name === c.name);
    if (!old) { out.push({ name: c.name, kind: 'added', lines: (c.fields ?? []).map((f) => ({ path: f.name, before: '', after: f.type })) }); continue; }
    const lines: Line[] = [];
    for (const k of Object.keys(c)) if (!skip.has(k) && !equalJson(old[k], c[k])) lines.push({ path: k, before: text(old[k]), after: text(c[k]) });
    for (const f of c.fields ?? []) {
      const o = old.fields.find((x) => (f.id ? x.id === f.id : x.name === f.name));
      if (!o) { lines.push({ path: f.name, before: '', after: f.type }); continue; }
      for (const k of Object.keys(f)) if (!equalJson(o[k], f[k])) lines.push({ path: `${o.name}.${k}`, before: text(o[k]), after: text(f[k]) });
    }
    if (exact && c.fields) for (const o of old.fields) if (!o.system && !c.fields.some((f) => (f.id ? f.id === o.id : f.name === o.name))) lines.push({ path: o.name, before: o.type, after: '', loss: true });
    if (lines.length) out.push({ name: old.name, kind: 'changed', lines });
  }
  if (exact) for (const c of now) if (!c.system && !next.some((x) => (x.id && x.id === c.id) || x.name === c.name)) out.push({ name: c.name, kind: 'removed', lines: c.fields.map((f) => ({ path: f.name, before: f.type, after: '', loss: true })) });
  return out;
}

/** Fields without an id would be made anew, empty: they get the id of the stored field of the same name. With `ours`, so do collections and fields of another id. */
export function adoptIds(now: Collection[], next: Collection[], ours: boolean): Collection[] {
  const ids = new Map<string, string>();
  const out = copyJson(next);
  for (const c of out) {
    const old = now.find((x) => x.name === c.name);
    if (!old) continue;
    if (!c.id || (ours && c.id !== old.id)) { if (c.id) ids.set(c.id, old.id); c.id = old.id; }
    for (const f of (c.fields ?? []) as Field[]) { const o = old.fields.find((x) => x.name === f.name && x.type === f.type); if (o && (!f.id || ours)) f.id = o.id; }
  }
  const swap = (v: Json): Json => (typeof v === 'string' ? ids.get(v) ?? v : v);
  for (const c of out) for (const f of (c.fields ?? []) as Field[]) if (f.type === 'relation') (f as JsonObject).collectionId = swap(f.collectionId as Json);
  return out;
}
/** As shared with others: no times, no provider secrets. */
export function exportable(list: Collection[], providers: boolean): Collection[] {
  return copyJson(list).map((c) => {
    const { created: _c, updated: _u, ...rest } = c;
    const auth = rest.oauth2 as { providers?: JsonObject[] } | undefined;
    if (auth?.providers) auth.providers = providers ? auth.providers.map(({ clientSecret: _s, ...p }) => p as JsonObject) : [];
    return rest as unknown as Collection;
  });
}
