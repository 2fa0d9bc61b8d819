// JSON without loss: numbers that JavaScript would change stay text (RawNumber), objects remember the text they came from.
// Knows nothing of HTTP or records.

/** A number whose spelling a JavaScript number cannot keep: beyond 2^53, `1.10`, `1e3`. */
export class RawNumber {
  constructor(readonly text: string) {}
  toString(): string { return this.text; }
  valueOf(): number { return Number(this.text); }
  toJSON(): number { return Number(this.text); }
}

export type Json = string | number | boolean | null | RawNumber | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

const source = new WeakMap<object, string>();

export class JsonError extends Error {
  constructor(message: string, readonly at: number, text: string) {
    const before = text.slice(0, at);
    const line = before.split('\n').length;
    super(`${message} (${line}:${at - before.lastIndexOf('\n')})`);
  }
}

const space = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals: [string, Json][] = [['true', true], ['false', false], ['null', null]];

/** Parses exactly; throws JsonError with the place. */
export function parseJson(text: string): Json {
  let at = 0;
  const fail = (message: string): never => { throw new JsonError(message, at, text); };
  const skip = () => {
    const c = text.charCodeAt(at);
    if (c > 32) return;
    space.lastIndex = at; space.test(text); at = space.lastIndex;
  };
  const string = (): string => {
    const start = at + 1;
    let end = text.indexOf('"', start);
    let escaped = false;
    for (; end >= 0; end = text.indexOf('"', end + 1)) {
      let slashes = 0;
      while (text.charCodeAt(end - 1 - slashes) === 92) slashes++;
      if (slashes % 2 === 0) break;
      escaped = true;
    }
    if (end < 0) return fail('unfinished text');
    const raw = text.slice(start, end);
    let value = raw;
    if (escaped || raw.includes('\\') || /[\u0000-\u001f]/.test(raw)) {
      try { value = JSON.parse(`"${raw}"`) as string; } catch { fail('bad text'); }
    }
    at = end + 1;
    return value;
  };
  const value = (depth: number): Json => {
    if (depth > 500) fail('too deep');
    skip();
    const c = text[at];
    if (c === '"') return string();
    if (c === '{' || c === '[') {
      const start = at++;
      const out: Json = c === '{' ? {} : [];
      skip();
      const close = c === '{' ? '}' : ']';
      if (text[at] === close) at++;
      else for (;;) {
        if (Array.isArray(out)) out.push(value(depth + 1));
        else {
          skip();
          if (text[at] !== '"') fail('a name in double quotes is expected');
          const key = string();
          skip();
          if (text[at] !== ':') fail('":" is expected');
          at++;
          const v = value(depth + 1);
          if (key === '__proto__') Object.defineProperty(out, key, { value: v, enumerable: true, configurable: true, writable: true });
          else (out as JsonObject)[key] = v;
        }
        skip();
        if (text[at] === ',') { at++; continue; }
        if (text[at] === close) { at++; break; }
        fail(`"," or "${close}" is expected`);
      }
      source.set(out as object, text.slice(start, at));
      return out;
    }
    for (const [word, v] of literals) if (text.startsWith(word, at)) { at += word.length; return v; }
    number.lastIndex = at;
    const m = number.exec(text);
    if (!m) return fail('a value is expected');
    at = number.lastIndex;
    const n = Number(m[0]);
    return String(n) === m[0] ? n : new RawNumber(m[0]);
  };
  const out = value(0);
  skip();
  if (at < text.length) fail('nothing more is expected');
  return out;
}

/** Prints; objects that came from the server print as they came. */
export function printJson(value: unknown): string {
  if (value instanceof RawNumber) return value.text;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const raw = source.get(value);
  if (raw !== undefined) return raw;
  if (Array.isArray(value)) return `[${value.map(printJson).join(',')}]`;
  const parts: string[] = [];
  for (const [k, v] of Object.entries(value)) if (v !== undefined) parts.push(`${JSON.stringify(k)}:${printJson(v)}`);
  return `{${parts.join(',')}}`;
}

/** A deep copy that forgets its text, for values that will be changed. */
export function copyJson<T>(value: T): T {
  if (value === null || typeof value !== 'object' || value instanceof RawNumber || value instanceof Blob) return value;
  if (Array.isArray(value)) return value.map(copyJson) as T;
  const out: Record<string, unknown> = {};
  for (const [k, v] of Object.entries(value)) out[k] = copyJson(v);
  return out as T;
}

export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof RawNumber || b instanceof RawNumber) return String(a) === String(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const ka = Object.keys(a), kb = Object.keys(b);
  return ka.length === kb.length && ka.every((k) => Object.hasOwn(b, k) && equalJson((a as JsonObject)[k], (b as JsonObject)[k]));
}

/** Re-indents text without touching a token: names, their order and the spelling of numbers stay. `indent` 0 = one line. */
export function layoutJson(text: string, indent: number): string {
  let out = '', depth = 0;
  const line = () => (indent ? `\n${' '.repeat(indent * depth)}` : '');
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      let j = i + 1;
      while (j < text.length && text[j] !== '"') j += text[j] === '\\' ? 2 : 1;
      out += text.slice(i, j + 1); i = j;
    } else if (c === '{' || c === '[') {
      const rest = /\S/.exec(text.slice(i + 1, i + 200))?.[0];
      if (rest === '}' || rest === ']') { out += c + rest; i = text.indexOf(rest, i); } else { depth++; out += c + line(); }
    } else if (c === '}' || c === ']') { depth--; out += line() + c; }
    else if (c === ',') out += c + line();
    else if (c === ':') out += indent ? ': ' : ':';
    else if (c > ' ') out += c;
  }
  return out;
}
