// Is a filter right, and if not, where and why: syntax and names against the schema as it stands in the editor.
// The server decides in the end; this answers while typing, also for fields that are not saved yet.
import type { Collection, Field } from '../api/types';
import { language } from './language';
import { tokens, type Token } from './tokens';

export interface Problem { start: number; end: number; message: string; fix?: string }
export interface Scope { collection: Collection | undefined; find: (name: string) => Collection | undefined; all: Collection[]; rule?: boolean }

export function check(text: string, scope: Scope): Problem | null {
  const list = tokens(text).filter((x) => x.kind !== 'comment');
  if (!list.length) return null;
  const bad = list.find((x) => x.kind === 'bad');
  if (bad) return { start: bad.start, end: bad.end, message: /['"]/.test(bad.text[0]!) ? 'this text has no closing quote' : `“${bad.text}” is not expected here` };
  let at = 0;
  let problem: Problem | null = null;
  const stop = (tok: Token | undefined, message: string): false => {
    problem = { start: tok?.start ?? Math.max(0, text.length - 1), end: tok?.end ?? text.length, message };
    return false;
  };
  const operand = (): boolean => {
    const tok = list[at];
    if (!tok) return stop(list[at - 1], 'a field or value is missing after this');
    if (tok.kind === 'text' || tok.kind === 'number') { at++; return true; }
    if (tok.kind !== 'name') return stop(tok, 'a field or value is expected here');
    at++;
    if (list[at]?.kind === 'open') {
      if (!language.functions.some((f) => f.name === tok.text)) {
        problem = { start: tok.start, end: tok.end, message: `unknown function “${tok.text}”` };
        return false;
      }
      at++;
      while (list[at] && list[at]!.kind !== 'close') {
        if (!operand()) return false;
        if (list[at]?.kind === 'comma') at++;
        else if (list[at] && list[at]!.kind !== 'close') return stop(list[at], '“,” or “)” is expected');
      }
      if (!list[at]) return stop(tok, 'the “)” of this function is missing');
      at++;
      return true;
    }
    problem = checkName(tok, scope);
    return !problem;
  };
  const expression = (depth: number): boolean => {
    for (;;) {
      const tok = list[at];
      if (tok?.kind === 'open') {
        at++;
        if (!expression(depth + 1)) return false;
        if (list[at]?.kind !== 'close') return stop(tok, 'the closing “)” is missing');
        at++;
      } else {
        if (!operand()) return false;
        const op = list[at];
        if (op?.kind !== 'op') return stop(op ?? list[at - 1], op ? 'an operator such as = or ~ is expected here' : 'a comparison such as = ‘value’ is missing after this');
        at++;
        if (!operand()) return false;
      }
      if (list[at]?.kind !== 'join') break;
      at++;
      if (!list[at]) return stop(list[at - 1], 'a comparison is missing after this');
    }
    const rest = list[at];
    if (rest && !(depth > 0 && rest.kind === 'close')) return stop(rest, rest.kind === 'close' ? 'this “)” closes nothing' : 'expected && or || before this');
    return true;
  };
  expression(0);
  return problem;
}

const literals = new Set(['true', 'false', 'null']);

function checkName(tok: Token, scope: Scope): Problem | null {
  const name = tok.text;
  if (literals.has(name) || language.macros.includes(name)) return null;
  const wrong = (part: string, at: number, names: string[], what = 'field'): Problem => {
    const near = nearest(part, names);
    return { start: tok.start + at, end: tok.start + at + part.length, message: `unknown ${what} “${part}”${near ? ` — did you mean ${near}?` : ''}`, ...(near ? { fix: near } : {}) };
  };
  if (name.startsWith('@')) {
    if (/^@request\.(method|context)$/.test(name) || /^@request\.(query|headers|body|auth)\./.test(name)) {
      const [, , part, first] = /^(@request\.)(auth|body|query|headers)\.([\w]+)/.exec(name) ?? [];
      if (part === 'body' && scope.collection && first && !scope.collection.fields.some((f) => f.name === first) && !['passwordConfirm', 'oldPassword'].includes(first)) return wrong(first, 14, scope.collection.fields.map((f) => f.name));
      return null;
    }
    const c = /^@collection\.([\w]+)(?::\w+)?\.(.+)$/.exec(name);
    if (c) {
      const target = scope.find(c[1]!);
      if (!target) return wrong(c[1]!, 12, scope.all.map((x) => x.name), 'collection');
      return walk(c[2]!, target, tok, name.length - c[2]!.length, scope, wrong);
    }
    return wrong(name, 0, [...language.macros, '@request.auth.id', '@request.method', '@collection'], 'name');
  }
  if (!scope.collection) return null;
  return walk(name, scope.collection, tok, 0, scope, wrong);
}

function walk(path: string, from: Collection, tok: Token, offset: number, scope: Scope, wrong: (part: string, at: number, names: string[]) => Problem): Problem | null {
  const parts = path.split('.');
  let c: Collection | undefined = from;
  let at = offset;
  for (let i = 0; i < parts.length; i++) {
    const [part, ...mods] = parts[i]!.split(':');
    if (!part) return { start: tok.start + at, end: tok.end, message: 'a name is missing here' };
    if (part.startsWith('@')) return null; // @rowid, @random
    const via = /^(.+)_via_(\w+)$/.exec(part);
    if (via) {
      const target: Collection | undefined = scope.find(via[1]!);
      const field = target?.fields.find((f) => f.name === via[2] && f.type === 'relation');
      if (!target || !field) return wrong(part, at, backRelations(c, scope.all).map((b) => b.name));
      c = target;
    } else {
      const field: Field | undefined = c?.fields.find((f) => f.name === part);
      if (!field) return wrong(part, at, [...(c?.fields.map((f) => f.name) ?? [])]);
      if (mods.length && i < parts.length - 1) return { start: tok.start + at, end: tok.end, message: 'a modifier stands at the end' };
      if (i < parts.length - 1) {
        if (field.type === 'json' || field.type === 'geoPoint') return null;
        if (field.type !== 'relation') return { start: tok.start + at, end: tok.start + at + part.length, message: `“${part}” is no relation: nothing can follow it` };
        c = scope.find(String(field.collectionId));
        if (!c) return null;
      }
    }
    at += parts[i]!.length + 1;
  }
  return null;
}

export function backRelations(c: Collection | undefined, all: Collection[]): { name: string; collection: Collection; field: Field }[] {
  if (!c) return [];
  return all.flatMap((x) => x.fields.filter((f) => f.type === 'relation' && f.collectionId === c.id).map((field) => ({ name: `${x.name}_via_${field.name}`, collection: x, field })));
}

export function nearest(word: string, names: string[]): string | undefined {
  let best: string | undefined, least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const n of names) {
    const d = n.toLowerCase().startsWith(word.toLowerCase()) ? 1 : distance(word.toLowerCase(), n.toLowerCase());
    if (d < least) { least = d; best = n; }
  }
  return best;
}
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return 9;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
