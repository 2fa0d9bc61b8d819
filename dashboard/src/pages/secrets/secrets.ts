// Secrets as the server lists them, and the text of a `.env` file. Pure but for the calls; keeps no value.
import { del, enc, get, post, put } from '../../lib/api/client';

export interface Secret { id: string; key: string; env: string; masked_value: string; description: string; created: string; updated: string; error?: string }
export const list = async (): Promise<Secret[]> => (await get<{ items: Secret[] | null }>('/api/secrets', {}, { superuser: true })).items ?? [];
export const reveal = async (s: { key: string; env: string }): Promise<string> => (await get<{ value: string }>(`/api/secrets/${enc(s.key)}`, { env: s.env }, { superuser: true })).value;
export const create = (s: { key: string; env: string; value: string; description?: string }): Promise<unknown> => post('/api/secrets', s, { superuser: true });
export const update = (key: string, s: { env: string; value: string; description?: string }): Promise<unknown> => put(`/api/secrets/${enc(key)}`, s, { superuser: true });
export const remove = (s: { key: string; env: string }): Promise<unknown> => del(`/api/secrets/${enc(s.key)}`, { query: { env: s.env }, superuser: true });

export interface Line { key: string; value: string }
/** `KEY=value` per line; `export`, comments, quotes; `\n` in double quotes. What is no assignment comes back in `bad`. */
export function parseEnv(text: string): { lines: Line[]; bad: number[] } {
  const lines: Line[] = [], bad: number[] = [];
  const rows = text.replace(/\r\n?/g, '\n').split('\n');
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (!row.trim() || /^\s*#/.test(row)) continue;
    const m = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*)$/.exec(row);
    if (!m) { bad.push(i + 1); continue; }
    let value = m[2]!;
    const quote = value[0] === '"' || value[0] === "'" ? value[0] : '';
    if (quote) {
      // a quoted value may go over several lines
      const start = i;
      let rest = value.slice(1), at = closing(rest, quote);
      while (at < 0 && i + 1 < rows.length) { rest += `\n${rows[++i]!}`; at = closing(rest, quote); }
      if (at < 0) { bad.push(start + 1); i = start; continue; }
      value = rest.slice(0, at);
      if (quote === '"') value = value.replace(/\\(n|r|t|"|\\)/g, (_, c: string) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c);
    } else value = value.replace(/\s+#.*$/, '').trim();
    const same = lines.findIndex((l) => l.key === m[1]);
    if (same >= 0) lines.splice(same, 1);
    lines.push({ key: m[1]!, value });
  }
  return { lines, bad };
}
function closing(text: string, quote: string): number {
  for (let i = 0; i < text.length; i++) { if (quote === '"' && text[i] === '\\') { i++; continue; } if (text[i] === quote) return i; }
  return -1;
}
/** Which proxies send a secret, by the templates of their headers. */
export function usedBy(proxies: { path: string; headers: unknown }[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const p of proxies) for (const v of Object.values((p.headers ?? {}) as Record<string, unknown>)) for (const m of String(v).matchAll(/\{secret\.([^}]+)\}/g)) {
    const known = out.get(m[1]!) ?? [];
    if (!known.includes(p.path)) out.set(m[1]!, [...known, p.path]);
  }
  return out;
}
