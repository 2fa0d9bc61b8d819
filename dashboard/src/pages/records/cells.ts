// Ranges of cells as text and back: copy as TSV or JSON, paste onto what the range is.
import { defOf, emptyOf, listText } from '../../fields';
import type { Value } from '../../fields/types';
import type { Json } from '../../lib/api/json';
import type { Field, Rec } from '../../lib/api/types';
import { parseCsv } from '../../lib/format/csv';

export interface Range { r0: number; r1: number; c0: number; c1: number }
export interface CellChange { record: Rec; field: Field; value: Value; text: string; error: string }
type RowOf = (i: number) => Rec | undefined;

const cellText = (s: string): string => (/["\t\n\r]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s);
export function rangeText(range: Range, rowOf: RowOf, fields: (Field | undefined)[], json = false): string {
  const rows: Rec[] = [];
  for (let i = range.r0; i <= range.r1; i++) { const r = rowOf(i); if (r) rows.push(r); }
  const cols = fields.slice(range.c0, range.c1 + 1).filter((f): f is Field => !!f);
  if (json) return JSON.stringify(rows.map((r) => Object.fromEntries(cols.map((f) => [f.name, r[f.name] ?? null]))), null, 2);
  return rows.map((r) => cols.map((f) => cellText(listText(r[f.name], f))).join('\t')).join('\n');
}
/** `editable` false = the cell cannot be written at all. */
export function pasteChanges(text: string, range: Range, rowOf: RowOf, fields: (Field | undefined)[], editable: (f: Field) => boolean, refusal: string): CellChange[] {
  const grid = parseCsv(text.replace(/\r?\n$/, ''), '\t');
  if (!grid.length) grid.push([text]);
  const one = grid.length === 1 && grid[0]!.length === 1;
  const height = one ? range.r1 - range.r0 + 1 : grid.length, width = one ? range.c1 - range.c0 + 1 : Math.max(...grid.map((r) => r.length));
  const out: CellChange[] = [];
  for (let i = 0; i < height; i++) for (let k = 0; k < width; k++) {
    const record = rowOf(range.r0 + i), field = fields[range.c0 + k], cell = one ? grid[0]![0]! : grid[i]?.[k];
    if (!record || !field || cell === undefined) continue;
    out.push(change(record, field, cell, editable(field), refusal));
  }
  return out;
}
function change(record: Rec, field: Field, text: string, editable: boolean, refusal: string): CellChange {
  if (!editable) return { record, field, value: undefined, text, error: refusal };
  try {
    const value: Json = text === '' ? emptyOf(field) : defOf(field.type).parse?.(text, field) ?? text;
    return { record, field, value, text, error: defOf(field.type).check?.(value, field) ?? '' };
  } catch (e) { return { record, field, value: undefined, text, error: (e as Error).message }; }
}
export function clearChanges(range: Range, rowOf: RowOf, fields: (Field | undefined)[], editable: (f: Field) => boolean): CellChange[] {
  const out: CellChange[] = [];
  for (let i = range.r0; i <= range.r1; i++) for (let k = range.c0; k <= range.c1; k++) {
    const record = rowOf(i), field = fields[k];
    if (record && field && editable(field)) out.push({ record, field, value: emptyOf(field), text: '', error: '' });
  }
  return out;
}
