// What the console knows of SQL text: the statement at the caret, what writes, how many rows that touches.
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
