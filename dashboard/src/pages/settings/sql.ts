// Completion of SQL from the collections.
import type { Completion } from '../../lib/filter/complete';
import { schema } from '../../lib/schema/schema.svelte';

export function sqlComplete(text: string, at: number): Completion | null {
  const word = /[\w]*$/.exec(text.slice(0, at))?.[0] ?? '';
  const dot = /(\w+)\.\w*$/.exec(text.slice(0, at));
  const from = at - word.length;
  const w = word.toLowerCase();
  if (dot) {
    const alias = new RegExp(`(\\w+)\`?\\s+(?:as\\s+)?${dot[1]}\\b`, 'i').exec(text);
    const c = schema.find(dot[1]) ?? schema.find(alias?.[1]);
    return c ? { from, options: c.fields.filter((f) => f.name.toLowerCase().startsWith(w)).map((f) => ({ label: f.name, insert: f.name, detail: f.type, kind: 'field' as const })) } : null;
  }
  if (!word) return null;
  const used = schema.list.filter((c) => new RegExp(`\\b${c.name}\\b`).test(text));
  const options = [
    ...used.flatMap((c) => c.fields.map((f) => ({ label: f.name, insert: f.name, detail: c.name, kind: 'field' as const }))), ...schema.list.map((c) => ({ label: c.name, insert: c.name, detail: c.type, kind: 'keyword' as const })),
    ...['SELECT', 'FROM', 'WHERE', 'ORDER BY', 'GROUP BY', 'LIMIT', 'LEFT JOIN', 'COUNT(*)'].map((k) => ({ label: k, insert: k, detail: '', kind: 'keyword' as const })),
  ].filter((o) => o.label.toLowerCase().startsWith(w));
  const seen = new Set<string>();
  return { from, options: options.filter((o) => !seen.has(o.label) && seen.add(o.label)).slice(0, 60) };
}
