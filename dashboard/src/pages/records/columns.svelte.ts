// Which columns of a collection are shown, in which order and how wide: preferences over the schema, never instead of it.
import { columnsOf, shownOf } from '../../app/prefs.svelte';
import { defOf } from '../../fields';
import type { Collection, Field } from '../../lib/api/types';

export function listable(c: Collection): Field[] {
  return c.fields.filter((f) => !defOf(f.type).unlisted && !(c.type === 'auth' && f.name === 'tokenKey'));
}
export function ordered(c: Collection): Field[] {
  const order = columnsOf(c.id).value.order;
  const at = new Map(order.map((id, i) => [id, i]));
  const list = listable(c);
  // new fields stand where they stand in the schema: behind their neighbour
  return list.map((f, i) => ({ f, key: at.get(f.id) ?? nearest(list, i, at) })).sort((a, b) => a.key - b.key).map((x) => x.f);
}
function nearest(list: Field[], i: number, at: Map<string, number>): number {
  for (let k = i - 1; k >= 0; k--) { const n = at.get(list[k]!.id); if (n !== undefined) return n + (i - k) / 1000; }
  return at.size ? -1 + i / 1000 : i;
}
export function isShown(c: Collection, f: Field): boolean { return shownOf(c.id).value[f.id] ?? !f.hidden; }
export function shown(c: Collection, override?: string): Field[] {
  if (override) {
    const names = override.split(',');
    return names.map((n) => c.fields.find((f) => f.name === n)).filter((f): f is Field => !!f);
  }
  return ordered(c).filter((f) => isShown(c, f));
}
export function setShown(c: Collection, f: Field, on: boolean): void { const p = shownOf(c.id); p.value = { ...p.value, [f.id]: on }; }
export function moveColumn(c: Collection, id: string, before: string): void {
  const p = columnsOf(c.id);
  const ids = ordered(c).map((f) => f.id);
  const from = ids.indexOf(id), to = ids.indexOf(before);
  if (from < 0 || to < 0) return;
  ids.splice(from, 1);
  ids.splice(to, 0, id);
  p.value = { ...p.value, order: ids };
}
export function shift(c: Collection, id: string, by: number): void {
  const ids = shown(c).map((f) => f.id);
  const other = ids[ids.indexOf(id) + by];
  if (other) moveColumn(c, id, other);
}
export function setWidth(c: Collection, id: string, width: number): void { const p = columnsOf(c.id); p.value = { ...p.value, width: { ...p.value.width, [id]: width } }; }
export function togglePin(c: Collection, id: string): void { const p = columnsOf(c.id); const pinned = p.value.pinned ?? []; p.value = { ...p.value, pinned: pinned.includes(id) ? pinned.filter((x) => x !== id) : [...pinned, id] }; }
