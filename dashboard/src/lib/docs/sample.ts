// Plausible values for the fields of a collection as it is: what the examples of the API page are made of.
import type { Json, JsonObject } from '../api/json';
import type { Collection, Field } from '../api/types';

/** Ids of records that exist, by collection id: relations of an example must point somewhere. */
export type KnownIds = Record<string, string>;
export interface Part { field: string; name: string; type: string }

const words: Record<string, string> = { title: 'A title', name: 'A name', slug: 'a-slug', description: 'Some text', username: 'new_person', phone: '+359 2 123 456', currency: 'EUR', country: 'BG', city: 'Sofia' };

/** A text that a simple pattern accepts: classes, repetitions and literals; what it cannot read stays a word. */
export function textFor(pattern: string, fallback: string): string {
  if (!pattern) return fallback;
  try { if (new RegExp(pattern, 'u').test(fallback)) return fallback; } catch { return fallback; }
  let out = '';
  const body = pattern.replace(/^\^|\$$/g, '');
  const unit = /(\[[^\]]*\]|\\[dws]|\\.|\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)|[^\\[\](){}*+?|])(\{(\d+)(?:,\d*)?\}|[*+?])?/gy;
  for (let m = unit.exec(body); m; m = unit.exec(body)) {
    const [, one, group, times, n] = m;
    const count = n ? Number(n) : times === '*' || times === '?' ? 0 : times === '+' ? 3 : 1;
    const letter = group !== undefined ? group : one!.startsWith('[') ? (/a-z/.test(one!) ? 'a' : /A-Z/.test(one!) ? 'A' : /0-9|\\d/.test(one!) ? '1' : one!.replace(/[[\]^\\]/g, '')[0] ?? 'a') : one === '\\d' ? '1' : one === '\\w' ? 'a' : one === '\\s' ? ' ' : one!.replace(/^\\/, '');
    out += letter.repeat(count);
  }
  try { return new RegExp(pattern, 'u').test(out) ? out : fallback; } catch { return fallback; }
}
function textSample(f: Field): string {
  let text = words[f.name] ?? (f.name.endsWith('_id') ? 'abc123' : 'text');
  if (Number(f.min) > text.length) text = text.padEnd(Number(f.min), 'x');
  if (Number(f.max) && text.length > Number(f.max)) text = text.slice(0, Number(f.max));
  return textFor(String(f.pattern ?? ''), text);
}
const clamp = (f: Field, n: number): number => Math.max(typeof f.min === 'number' ? f.min : -Infinity, Math.min(typeof f.max === 'number' ? f.max : Infinity, n));
const domain = (f: Field): string => ((f.onlyDomains as string[] | null)?.[0] ?? 'example.com');
const list = (f: Field, v: Json): Json => (Number(f.maxSelect ?? 1) > 1 ? [v] : v);

/** By type, so that a field type without an entry gets its module's own sample. */
const samples: Record<string, (f: Field, known: KnownIds) => Json | undefined> = {
  text: textSample,
  editor: () => '<p>Some text</p>',
  number: (f) => clamp(f, f.onlyInt ? 12 : 12.5),
  bool: () => true,
  email: (f) => `new.person@${domain(f)}`,
  url: (f) => `https://${domain(f)}/`,
  date: () => '2026-05-01 10:00:00.000Z',
  select: (f) => list(f, (f.values as string[])[0] ?? ''),
  relation: (f, known) => { const id = known[String(f.collectionId)]; return id ? list(f, id) : f.required ? list(f, 'RECORD_ID') : undefined; },
  json: () => ({ key: 'value' }),
  geoPoint: () => ({ lon: 23.3219, lat: 42.6977 }),
  password: () => 'a long password',
  autodate: () => undefined, file: () => undefined,
};

export function sampleOf(f: Field, known: KnownIds, own?: (f: Field) => Json | undefined): Json | undefined {
  return f.type in samples ? samples[f.type]!(f, known) : own?.(f);
}
/** The body of a create: required fields first, what the server fills in left out. */
export function sampleBody(c: Collection, known: KnownIds, own?: (f: Field) => Json | undefined): JsonObject {
  const out: JsonObject = {};
  const fields = c.fields.filter((f) => f.name !== 'id' && f.name !== 'tokenKey' && !f.autogeneratePattern && !(c.type === 'auth' && f.name === 'verified'));
  for (const f of [...fields.filter((x) => x.required), ...fields.filter((x) => !x.required)]) {
    if (f.hidden && f.type !== 'password') continue;
    const v = sampleOf(f, known, own);
    if (v !== undefined) out[f.name] = v;
    if (f.type === 'password' && c.type === 'auth') out[`${f.name}Confirm`] = out[f.name] as Json;
  }
  return out;
}
/** What an update shows: one changed value. */
export function sampleChange(c: Collection, known: KnownIds, own?: (f: Field) => Json | undefined): JsonObject {
  const f = c.fields.find((x) => ['text', 'number', 'bool', 'select', 'editor'].includes(x.type) && x.name !== 'id' && !x.hidden && !x.system) ?? c.fields.find((x) => !x.system && !x.hidden && x.name !== 'id' && sampleOf(x, known, own) !== undefined);
  const v = f && sampleOf(f, known, own);
  return f && v !== undefined ? { [f.name]: v } : {};
}
export function sampleParts(c: Collection): Part[] {
  return c.fields.filter((f) => f.type === 'file').map((f) => {
    const allowed = (f.mimeTypes as string[] | null) ?? [], type = allowed.includes('image/png') ? 'image/png' : allowed[0] ?? 'text/plain';
    return { field: f.name, name: `${f.name}.${{ 'text/plain': 'txt', 'image/jpeg': 'jpg', 'image/svg+xml': 'svg' }[type] ?? type.split('/')[1]}`, type };
  });
}
