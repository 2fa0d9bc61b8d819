// Small stream tokenizers for what the dashboard edits; the full grammars weigh 20 to 67 KB each.
import { StreamLanguage, type StringStream } from '@codemirror/language';
import { parseJson, JsonError } from '../../lib/api/json';

export type Lang = 'json' | 'sql' | 'filter' | 'html' | 'text';
const sqlWords = new Set('select from where and or not in is null like between exists case when then else end as on join left right inner outer cross full group by order having limit offset union all distinct insert into values update set delete create table index view unique primary key references drop alter add column with recursive explain query plan pragma cast collate asc desc if returning glob over partition vacuum attach detach'.split(' '));
const next = (s: StringStream, re: RegExp): boolean => !!s.match(re);

const tokenizers: Record<Lang, (s: StringStream) => string | null> = {
  json: (s) => {
    if (next(s, /^"(?:\\.|[^"\\])*"(?=\s*:)/)) return 'propertyName';
    if (next(s, /^"(?:\\.|[^"\\])*"?/)) return 'string';
    if (next(s, /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/)) return 'number';
    if (next(s, /^(?:true|false|null)\b/)) return 'keyword';
    s.next();
    return null;
  },
  sql: (s) => {
    if (next(s, /^--.*/) || next(s, /^\/\*.*?(?:\*\/|$)/)) return 'comment';
    if (next(s, /^'(?:''|[^'])*'?/)) return 'string';
    if (next(s, /^(?:"[^"]*"?|`[^`]*`?|\[[^\]]*\]?)/)) return 'propertyName';
    if (next(s, /^\d+(?:\.\d+)?/)) return 'number';
    const m = s.match(/^[a-zA-Z_]\w*/) as RegExpMatchArray | null;
    if (m) return sqlWords.has(m[0].toLowerCase()) ? 'keyword' : 'variableName';
    s.next();
    return null;
  },
  filter: (s) => {
    if (next(s, /^\/\/.*/)) return 'comment';
    if (next(s, /^'(?:\\.|[^'\\])*'?|^"(?:\\.|[^"\\])*"?/)) return 'string';
    if (next(s, /^(?:&&|\|\|)/)) return 'keyword';
    if (next(s, /^(?:true|false|null)\b/)) return 'keyword';
    if (next(s, /^@[\w.:]*/)) return 'keyword';
    if (next(s, /^[A-Za-z_][\w.:]*/)) return 'variableName';
    if (next(s, /^\d+(?:\.\d+)?/)) return 'number';
    s.next();
    return null;
  },
  html: (s) => {
    if (next(s, /^<!--.*?(?:-->|$)/)) return 'comment';
    if (next(s, /^\{[A-Z_]+(?::\w+)?\}/)) return 'keyword';
    if (next(s, /^<\/?[\w-]+/) || next(s, /^\/?>/)) return 'propertyName';
    if (next(s, /^[\w-]+(?==)/)) return 'variableName';
    if (next(s, /^"[^"]*"?/)) return 'string';
    s.next();
    return null;
  },
  text: (s) => { s.skipToEnd(); return null; },
};
export const language = (lang: Lang) => StreamLanguage.define({ name: lang, token: (s) => (s.eatSpace() ? null : tokenizers[lang](s)) });

export interface Mark { start: number; end: number; message: string }
export function problems(lang: Lang, text: string): Mark | null {
  if (lang !== 'json' || !text.trim()) return null;
  try { parseJson(text); return null; } catch (e) {
    const at = e instanceof JsonError ? Math.min(e.at, Math.max(0, text.length - 1)) : 0;
    return { start: at, end: at + 1, message: (e as Error).message };
  }
}
