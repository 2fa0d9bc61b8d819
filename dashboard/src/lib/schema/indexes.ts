// CREATE INDEX statements as values and back; renames follow into them. Anything not understood stays text.
export interface Index { unique: boolean; name: string; table: string; columns: { name: string; collate: string; desc: boolean; raw?: string }[]; where: string }

export function parseIndex(sql: string): Index | null {
  const m = /^\s*create\s+(unique\s+)?index\s+(?:if\s+not\s+exists\s+)?(`[^`]*`|"[^"]*"|\[[^\]]*\]|[\w.]+)\s+on\s+(`[^`]*`|"[^"]*"|\[[^\]]*\]|[\w.]*)\s*\(/i.exec(sql);
  if (!m) return null;
  let depth = 1, at = m[0].length;
  const parts: string[] = [];
  let part = '';
  for (; at < sql.length && depth; at++) {
    const c = sql[at]!;
    if (c === '(') depth++;
    if (c === ')' && --depth === 0) continue;
    if (c === ',' && depth === 1) { parts.push(part); part = ''; } else part += c;
  }
  if (depth) return null;
  parts.push(part);
  const rest = sql.slice(at).trim();
  const where = /^where\s+([\s\S]*)$/i.exec(rest);
  if (rest && !where) return null;
  return { unique: !!m[1], name: bare(m[2]!), table: bare(m[3]!), where: where?.[1]?.trim() ?? '', columns: parts.map(column) };
}
const bare = (s: string): string => s.replace(/^[`"[]|[`"\]]$/g, '');
function column(text: string): Index['columns'][number] {
  const m = /^\s*(`[^`]+`|"[^"]+"|\[[^\]]+\]|\w+)(?:\s+collate\s+(`?\w+`?))?(?:\s+(asc|desc))?\s*$/i.exec(text);
  if (!m) return { name: '', collate: '', desc: false, raw: text.trim() };
  return { name: bare(m[1]!), collate: bare(m[2] ?? ''), desc: m[3]?.toLowerCase() === 'desc' };
}
export function printIndex(i: Index): string {
  const columns = i.columns.map((c) => c.raw ?? `\`${c.name}\`${c.collate ? ` COLLATE ${c.collate}` : ''}${c.desc ? ' DESC' : ''}`);
  return `CREATE ${i.unique ? 'UNIQUE ' : ''}INDEX \`${i.name}\` ON \`${i.table}\` (${columns.join(', ')})${i.where ? ` WHERE ${i.where}` : ''}`;
}
export function renameIn(sql: string, from: string, to: string): string {
  return sql.replace(new RegExp(`([\`"\\[])${from}([\`"\\]])`, 'g'), (_, a: string, b: string) => `${a}${to}${b}`);
}
export const randomId = (n = 10): string => Array.from(crypto.getRandomValues(new Uint8Array(n)), (b) => 'abcdefghijklmnopqrstuvwxyz0123456789'[b % 36]).join('');
