// A filter that is a plain AND of comparisons, as parts that can be shown and changed one by one; anything else stays text.
import type { Collection, Field } from '../api/types';
import { quote, tokens } from './tokens';

export interface Chip { left: string; op: string; right: string; /** the comparison as it stands in the text */ start: number; end: number }

const isMulti = (f: Field): boolean => Number(f.maxSelect ?? 1) > 1 && ['select', 'file', 'relation'].includes(f.type);
/** `null` = not that simple. */
export function chipsOf(text: string): Chip[] | null {
  const list = tokens(text);
  const out: Chip[] = [];
  for (let i = 0; i < list.length;) {
    const [a, op, b] = [list[i], list[i + 1], list[i + 2]];
    if (a?.kind !== 'name' || op?.kind !== 'op' || !b || !['name', 'text', 'number'].includes(b.kind)) return null;
    out.push({ left: a.text, op: op.text, right: b.text, start: a.start, end: b.end });
    i += 3;
    if (i >= list.length) break;
    if (list[i]?.kind !== 'join' || list[i]?.text !== '&&') return null;
    i++;
    if (i >= list.length) return null;
  }
  return out;
}
export const chipText = (c: Pick<Chip, 'left' | 'op' | 'right'>): string => `${c.left} ${c.op} ${c.right}`;
export const joined = (list: Pick<Chip, 'left' | 'op' | 'right'>[]): string => list.map(chipText).join(' && ');
export const unquote = (s: string): string => (/^(['"]).*\1$/s.test(s) ? s.slice(1, -1).replace(/\\(['"\\])/g, '$1') : s);

/** How values of a class of fields are asked for: a name, and the text for a value. Several values are never compared with a bare `?=`. */
export interface Operator { id: string; label: string; value: boolean; build: (name: string, value: string) => string }
const num = (v: string): string => (/^[+-]?\d+(\.\d+)?$/.test(v.trim()) ? v.trim() : quote(v));
const plain = (id: string, label: string, op: string, lit: (v: string) => string = quote): Operator => ({ id, label, value: true, build: (n, v) => `${n} ${op} ${lit(v)}` });
const fixed = (id: string, label: string, build: (n: string) => string): Operator => ({ id, label, value: false, build });
const empty = (text: string, not: string): Operator[] => [fixed('empty', 'is empty', (n) => text.replaceAll('%', n)), fixed('filled', 'is not empty', (n) => not.replaceAll('%', n))];

const texts = [plain('has', 'contains', '~'), plain('is', 'is', '='), plain('not', 'is not', '!='), plain('hasNot', 'does not contain', '!~'), ...empty("% = ''", "% != ''")];
const numbers = [plain('is', 'is', '=', num), plain('not', 'is not', '!=', num), plain('gt', 'is greater than', '>', num), plain('ge', 'is at least', '>=', num), plain('lt', 'is less than', '<', num), plain('le', 'is at most', '<=', num), ...empty('% = 0', '% != 0')];
const dates = [plain('ge', 'is at or after', '>='), plain('lt', 'is before', '<'), plain('day', 'is on', '~'), ...empty("% = ''", "% != ''")];
const bools = [fixed('yes', 'is true', (n) => `${n} = true`), fixed('no', 'is false', (n) => `${n} = false`)];
const one = [plain('is', 'is', '='), plain('not', 'is not', '!='), ...empty("% = ''", "% != ''")];
const many = [{ id: 'any', label: 'one of them is', value: true, build: (n: string, v: string) => `${n}:each ?= ${quote(v)}` }, { id: 'all', label: 'all of them are', value: true, build: (n: string, v: string) => `${n}:each = ${quote(v)}` }, plain('count', 'number of values', '=', num), ...empty('%:length = 0', '%:length > 0')].map((o) => (o.id === 'count' ? { ...o, build: (n: string, v: string) => `${n}:length = ${num(v)}` } : o));
const relations = [{ id: 'any', label: 'one of them is', value: true, build: (n: string, v: string) => `${n}.id ?= ${quote(v)}` }, ...many.slice(2)];
const jsons = [plain('has', 'contains', '~'), ...empty('% = null', '% != null')];
const places = [fixed('empty', 'is empty', (n) => `${n}.lon = 0 && ${n}.lat = 0`), { id: 'near', label: 'is within 25 km of (lat, lon)', value: true, build: (n: string, v: string) => { const [lat, lon] = v.split(/[,\s]+/); return `geoDistance(${n}.lon, ${n}.lat, ${num(lon ?? '0')}, ${num(lat ?? '0')}) < 25`; } }];
const classes: Record<string, Operator[]> = { text: texts, email: texts, url: texts, editor: texts, number: numbers, date: dates, autodate: dates, bool: bools, json: jsons, geoPoint: places, select: one, file: one, relation: one };

export function operatorsFor(f: Field): Operator[] {
  if (isMulti(f)) return f.type === 'relation' ? relations : many;
  return classes[f.type] ?? texts;
}
export const filterable = (c: Collection): Field[] => c.fields.filter((f) => f.type !== 'password' && f.type !== 'secret' && f.name !== 'tokenKey');
