// Text of the filter language → tokens with places. Highlighting, checking and completion all read these.
export type Kind = 'name' | 'text' | 'number' | 'op' | 'join' | 'open' | 'close' | 'comma' | 'comment' | 'bad';
export interface Token { kind: Kind; start: number; end: number; text: string }

const rules: [Kind, RegExp][] = [
  ['comment', /\/\/[^\n]*/y],
  ['join', /&&|\|\|/y],
  ['op', /\?(?:!=|!~|>=|<=|=|~|>|<)|!=|!~|>=|<=|=|~|>|</y],
  ['open', /\(/y],
  ['close', /\)/y],
  ['comma', /,/y],
  ['text', /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/ys],
  ['number', /[+-]?\d+(?:\.\d+)?(?![\w@.])/y],
  ['name', /[@_a-zA-Z#][\w.:@#]*/y],
];
export function tokens(text: string): Token[] {
  const out: Token[] = [];
  for (let at = 0; at < text.length;) {
    if (/\s/.test(text[at]!)) { at++; continue; }
    let hit: Token | null = null;
    for (const [kind, re] of rules) {
      re.lastIndex = at;
      const m = re.exec(text);
      if (m) { hit = { kind, start: at, end: re.lastIndex, text: m[0] }; break; }
    }
    if (!hit) {
      // an unfinished text runs to the end, anything else is one bad character
      const end = /['"]/.test(text[at]!) ? text.length : at + 1;
      hit = { kind: 'bad', start: at, end, text: text.slice(at, end) };
    }
    out.push(hit);
    at = hit.end;
  }
  return out;
}
/** Words or a filter? Without any operator it is a search for words. */
export const isFilter = (text: string): boolean => /[=~><]/.test(text) || text.trim() === '';
export const quote = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`;
