// What the SQL console knows of SQL: the statement at the caret, what writes, completion from the schema.
import type { Completion } from '../../lib/filter/complete';
import { schema } from '../../lib/schema/schema.svelte';

/** Statements with their places; semicolons in texts, names and comments do not count. */
export function statements(sql: string): { start: number; end: number; text: string }[] {
  const out: { start: number; end: number; text: string }[] = [];
  let start = 0;
  const re = /'(?:''|[^'])*'?|"[^"]*"?|`[^`]*`?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;|[^'"`\-/;]+|./g;
  for (let m = re.exec(sql); m; m = re.exec(sql)) if (m[0] === ';') { push(start, m.index); start = m.index + 1; }
  push(start, sql.length);
  function push(a: number, b: number) { const text = sql.slice(a, b); if (bare(text)) out.push({ start: a, end: b, text: text.trim() }); }
  return out;
}
const bare = (s: string): string => s.replace(/--[^\n]*/g, ' ').replace(/\/\*[\s\S]*?(?:\*\/|$)/g, ' ').trim();
export function writes(sql: string): boolean {
  const s = bare(sql);
  if (/^with\b/i.test(s)) return /\b(insert\s+into|update\s+\S+\s+set|delete\s+from|replace\s+into)\b/i.test(s.replace(/'(?:''|[^'])*'/g, "''"));
  return !/^(select|explain|values|show|table)\b/i.test(s);
}
/** Counts the rows that an UPDATE or DELETE would touch; null when that cannot be told. */
export function countFor(sql: string): string | null {
  const s = bare(sql);
  const d = /^delete\s+from\s+([\w."`[\]]+)(\s+where\s+[\s\S]+)?$/i.exec(s);
  if (d) return `SELECT count(*) FROM ${d[1]}${d[2] ?? ''}`;
  const u = /^update\s+([\w."`[\]]+)\s+set\s+[\s\S]+?(\s+where\s+[\s\S]+)?$/i.exec(s);
  return u ? `SELECT count(*) FROM ${u[1]}${/\swhere\s[\s\S]+$/i.exec(s)?.[0] ?? ''}` : null;
}
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
