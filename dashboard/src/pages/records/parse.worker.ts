// Reads a file of rows off the main thread: CSV, TSV, JSON array or NDJSON → header and text cells.
import { guessSeparator, parseCsv } from '../../lib/format/csv';
import { parseJson, printJson, type JsonObject } from '../../lib/api/json';

export interface Parsed { header: string[]; rows: string[][] }

export function parseRows(text: string): Parsed {
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const start = body.trimStart()[0];
  if (start === '[' || start === '{') {
    const list = (start === '[' ? parseJson(body) : body.split('\n').filter((l) => l.trim()).map((l) => parseJson(l))) as JsonObject[];
    if (!Array.isArray(list) || list.some((x) => x === null || typeof x !== 'object' || Array.isArray(x))) throw new Error('a list of objects is expected');
    const header = [...new Set(list.flatMap((o) => Object.keys(o)))];
    return { header, rows: list.map((o) => header.map((h) => cell(o[h]))) };
  }
  const rows = parseCsv(body, guessSeparator(body));
  const header = rows.shift() ?? [];
  if (!header.length) throw new Error('the file is empty');
  return { header, rows };
}
function cell(v: unknown): string {
  if (v === null || v === undefined) return '';
  if (Array.isArray(v) && v.every((x) => typeof x !== 'object')) return v.join(';');
  return typeof v === 'object' ? printJson(v) : String(v);
}
const scope = globalThis as unknown as { onmessage: unknown; postMessage?: (m: unknown) => void; document?: unknown; importScripts?: unknown };
if (typeof scope.document === 'undefined' && typeof scope.postMessage === 'function') {
  scope.onmessage = async (e: MessageEvent<File | string>) => {
    try { scope.postMessage?.(parseRows(typeof e.data === 'string' ? e.data : await e.data.text())); } catch (x) { scope.postMessage?.({ error: (x as Error).message }); }
  };
}
