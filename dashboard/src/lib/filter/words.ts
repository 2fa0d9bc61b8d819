// A search for words as a filter: each field only for what the words can be in it.
import type { Collection, Field } from '../api/types';
import { presentable } from '../schema/schema.svelte';
import { isFilter, quote } from './tokens';

const textTypes = new Set(['text', 'email', 'url', 'editor', 'select', 'json']);
const limit = 200;

export function wordsToFilter(text: string, c: Collection, find?: (id: string) => Collection | undefined): string {
  const word = text.trim().replace(/^["']+|["']+$/g, '');
  if (!word) return '';
  const q = quote(word);
  const parts: string[] = [];
  const full = c.fields.filter((f) => f.fullText === true);
  if (full.length && /^[\p{L}\p{N}\s_-]+$/u.test(word)) parts.push(`fts(${full.map((f) => f.name).join(', ')}, ${q}) = true`);
  if (/^[a-z0-9]{15}$/.test(word)) parts.push(`id = ${q}`);
  else if (/^\w+$/.test(word)) parts.push(`id ~ ${q}`);
  for (const f of c.fields) {
    if (f.name === 'id' || f.name === 'tokenKey' || f.type === 'password' || f.type === 'secret' || full.includes(f)) continue;
    if (textTypes.has(f.type) || f.type === 'file') parts.push(`${f.name} ?~ ${q}`);
    else if (f.type === 'number' && /^[+-]?\d+(\.\d+)?$/.test(word)) parts.push(`${f.name} = ${word}`);
    else if ((f.type === 'date' || f.type === 'autodate') && /^\d{4}-\d{2}/.test(word)) parts.push(`${f.name} ~ ${q}`);
    else if (f.type === 'relation' && find) for (const r of relationText(f, find)) parts.push(`${f.name}.${r} ?~ ${q}`);
  }
  const out: string[] = [];
  let length = 0;
  for (const p of parts.slice(0, limit)) {
    length += p.length + 4;
    if (length > 3400) break;
    out.push(p);
  }
  return out.join(' || ');
}
function relationText(f: Field, find: (id: string) => Collection | undefined): string[] {
  return presentable(find(String(f.collectionId))).filter((p) => textTypes.has(p.type)).slice(0, 1).map((p) => p.name);
}
/** What goes to the server for what stands in the search box. */
export const toFilter = (text: string, c: Collection, find?: (id: string) => Collection | undefined): string => (isFilter(text) ? text.trim() : wordsToFilter(text, c, find));
