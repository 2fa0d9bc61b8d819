// What may come at the caret of a filter. Names come from the schema, so a draft completes too.
import type { Collection, Field } from '../api/types';
import { backRelations, type Scope } from './check';
import { language, requestNames } from './language';
import { quote, tokens } from './tokens';

export interface Option { label: string; insert: string; detail: string; kind: 'field' | 'value' | 'macro' | 'function' | 'op' | 'keyword' }
export interface Completion { from: number; options: Option[] }

const textOps = ['=', '!=', '~', '!~'], sizeOps = ['=', '!=', '>', '>=', '<', '<='];
export const operatorsOf = (f: Field | undefined): string[] => {
  if (!f) return [...sizeOps, '~', '!~'];
  if (['number', 'date', 'autodate'].includes(f.type)) return sizeOps;
  if (f.type === 'bool') return ['=', '!='];
  return textOps;
};

export function complete(text: string, caret: number, scope: Scope): Completion | null {
  const list = tokens(text.slice(0, caret));
  const last = list[list.length - 1];
  const touching = last && last.end === caret ? last : undefined;
  if (touching?.kind === 'comment') return null;
  const before = touching && ['name', 'text', 'bad', 'number'].includes(touching.kind) ? list[list.length - 2] : last;
  if (before?.kind === 'op') {
    const left = list[list.length - (touching ? 3 : 2)];
    const values = valuesFor(left ? resolve(left.text, scope).field : undefined);
    const from = touching ? touching.start : caret;
    const typed = touching ? touching.text.replace(/^['"]/, '').toLowerCase() : '';
    const names = touching?.kind === 'bad' || touching?.kind === 'text' ? [] : namesAt(touching?.text ?? '', scope);
    const options = [...values.filter((v) => v.label.toLowerCase().includes(typed)), ...(touching || !values.length ? names : [])];
    return options.length ? { from: touching && names.length && !values.length ? from + cut(touching.text) : from, options: options.slice(0, 30) } : null;
  }
  if (touching?.kind === 'name' || !last || last.kind === 'join' || last.kind === 'open' || last.kind === 'comma') {
    const typed = touching?.kind === 'name' ? touching.text : '';
    const options = namesAt(typed, scope);
    return options.length ? { from: caret - (typed.length - cut(typed)), options: options.slice(0, 30) } : null;
  }
  if (!touching && last.kind === 'name') return { from: caret, options: operatorsOf(resolve(last.text, scope).field).map((o) => ({ label: o, insert: `${o} `, detail: opWords[o] ?? '', kind: 'op' })) };
  if (!touching && ['text', 'number', 'close'].includes(last.kind)) return { from: caret, options: [{ label: '&&', insert: '&& ', detail: 'and', kind: 'op' }, { label: '||', insert: '|| ', detail: 'or', kind: 'op' }] };
  return null;
}
const opWords: Record<string, string> = { '=': 'equal', '!=': 'not equal', '~': 'contains', '!~': 'does not contain', '>': 'greater', '<': 'less', '>=': 'at least', '<=': 'at most' };
const cut = (name: string): number => Math.max(name.lastIndexOf('.'), name.lastIndexOf(':') - 1) + 1;

function valuesFor(f: Field | undefined): Option[] {
  const value = (label: string, insert = label): Option => ({ label, insert, detail: '', kind: 'value' });
  if (!f) return [];
  if (f.type === 'select') return (f.values as string[]).map((v) => value(v, quote(v)));
  if (f.type === 'bool') return [value('true'), value('false')];
  if (f.type === 'date' || f.type === 'autodate') return language.macros.slice(0, 9).map((m) => ({ label: m, insert: m, detail: '', kind: 'macro' }));
  return [];
}

/** The collection that stands before the last dot, and the field a whole path names. */
export function resolve(path: string, scope: Scope): { owner: Collection | undefined; field: Field | undefined } {
  let c = scope.collection;
  let parts = path.split('.');
  if (path.startsWith('@collection.')) { c = scope.find(parts[1]?.split(':')[0] ?? ''); parts = parts.slice(2); }
  else if (path.startsWith('@request.body.')) parts = parts.slice(2);
  else if (path.startsWith('@request.auth.')) { c = authUnion(scope); parts = parts.slice(2); }
  else if (path.startsWith('@')) return { owner: undefined, field: undefined };
  let field: Field | undefined;
  for (let i = 0; i < parts.length; i++) {
    const name = parts[i]!.split(':')[0]!;
    const via = /^(\w+)_via_(\w+)$/.exec(name);
    field = via ? undefined : c?.fields.find((f) => f.name === name);
    if (i < parts.length - 1) c = via ? scope.find(via[1]!) : field?.type === 'relation' ? scope.find(String(field.collectionId)) : undefined;
  }
  return { owner: c, field };
}
/** `@request.auth` may be of any auth collection: their fields together. */
function authUnion(scope: Scope): Collection | undefined {
  const auth = scope.all.filter((c) => c.type === 'auth' && !c.system);
  if (!auth[0]) return undefined;
  const seen = new Map(auth.flatMap((c) => c.fields).map((f) => [f.name, f]));
  return { ...auth[0], fields: [...seen.values()] } as Collection;
}

/** Of the others the server finds nothing. */
const usable = (f: Field): boolean => f.type !== 'secret';

function namesAt(typed: string, scope: Scope): Option[] {
  const dot = typed.lastIndexOf('.'), colon = typed.lastIndexOf(':');
  const field = (f: Field): Option => ({ label: f.name, insert: f.name, detail: f.type === 'relation' ? `→ ${scope.find(String(f.collectionId))?.name ?? ''}` : f.type, kind: 'field' });
  if (colon > dot) {
    const { field: f } = resolve(typed.slice(0, colon), scope);
    const mods = typed.startsWith('@request.body.') ? [':isset', ':changed', ':length', ':each', ':lower'] : f ? language.modifiers[f.type] ?? [] : [];
    return match(mods.map((m) => ({ label: m, insert: m, detail: '', kind: 'keyword' as const })), typed.slice(colon));
  }
  if (dot >= 0) {
    const head = typed.slice(0, dot + 1), tail = typed.slice(dot + 1);
    if (head === '@request.') return match(requestNames.map((n) => ({ label: n.slice(9), insert: n.slice(9), detail: '', kind: 'keyword' as const })), tail);
    if (head === '@collection.') return match(scope.all.map((c) => ({ label: c.name, insert: `${c.name}.`, detail: c.type, kind: 'keyword' as const })), tail);
    const { owner } = resolve(`${head}x`, scope);
    if (!owner) return [];
    return match([...owner.fields.filter(usable).map(field), ...backRelations(owner, scope.all).map((b) => ({ label: b.name, insert: `${b.name}.`, detail: `← ${b.collection.name}`, kind: 'field' as const }))], tail);
  }
  const options: Option[] = [
    ...(scope.collection?.fields.filter(usable).map(field) ?? []),
    ...backRelations(scope.collection, scope.all).map((b) => ({ label: b.name, insert: `${b.name}.`, detail: `← ${b.collection.name}`, kind: 'field' as const })),
    ...language.functions.map((f) => ({ label: `${f.name}()`, insert: `${f.name}(`, detail: `(${f.params}) ${f.doc}`, kind: 'function' as const })),
    ...['true', 'false', 'null'].map((k) => ({ label: k, insert: k, detail: '', kind: 'keyword' as const })),
  ];
  if (typed.startsWith('@')) options.unshift(...[...requestNames, '@collection.'].map((n) => ({ label: n, insert: n, detail: '', kind: 'keyword' as const })), ...language.macros.map((m) => ({ label: m, insert: m, detail: '', kind: 'macro' as const })));
  return match(options, typed);
}
function match(options: Option[], typed: string): Option[] {
  const t = typed.toLowerCase();
  if (!t) return options;
  const rank = (o: Option) => (o.label.toLowerCase().startsWith(t) ? 0 : o.label.toLowerCase().includes(t) ? 1 : 2);
  return options.map((o) => [rank(o), o] as const).filter(([r, o]) => r < 2 && o.label !== typed).sort((a, b) => a[0] - b[0]).map(([, o]) => o);
}
