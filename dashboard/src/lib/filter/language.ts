// What the filter language knows besides the schema. Defaults here; a server that describes itself (A3) replaces them.
import { get } from '../api/client';

export interface Fn { name: string; params: string; doc: string }
export interface Language { macros: string[]; modifiers: Record<string, string[]>; functions: Fn[] }

export const language: Language = {
  macros: ['@now', '@yesterday', '@tomorrow', '@todayStart', '@todayEnd', '@monthStart', '@monthEnd', '@yearStart', '@yearEnd', '@second', '@minute', '@hour', '@day', '@weekday', '@month', '@year'],
  modifiers: { text: [':lower'], email: [':lower'], url: [':lower'], editor: [':lower'], select: [':each', ':length'], file: [':each', ':length'], relation: [':each', ':length'] },
  functions: [
    { name: 'geoDistance', params: 'lonA, latA, lonB, latB', doc: 'kilometres between two points' },
    { name: 'strftime', params: "format, time, modifiers…", doc: 'a date as text in the given format' },
  ],
};
export const requestNames = ['@request.auth.', '@request.method', '@request.context', '@request.query.', '@request.headers.', '@request.body.'];

let asked = false;
export async function askLanguage(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    const r = await get<{ functions?: Partial<Fn>[]; macros?: (string | { name: string })[] }>('/api/collections/meta/filter-language');
    for (const f of r.functions ?? []) {
      if (!f.name || language.functions.some((x) => x.name === f.name)) continue;
      language.functions.push({ name: f.name, params: typeof f.params === 'string' ? f.params : Array.isArray(f.params) ? (f.params as unknown[]).map((p) => (typeof p === 'string' ? p : String((p as { name?: string }).name ?? ''))).join(', ') : '', doc: f.doc ?? '' });
    }
    for (const m of r.macros ?? []) {
      const name = typeof m === 'string' ? m : m.name;
      if (!language.macros.includes(name)) language.macros.push(name);
    }
  } catch { /* this server does not describe itself: the defaults stand */ }
}
