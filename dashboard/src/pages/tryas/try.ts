// Asking what somebody else's request would be answered, and the cases that are kept as tests of the rules.
import { Pref } from '../../app/prefs.svelte';
import { enc, post } from '../../lib/api/client';
import type { Who } from '../../lib/api/caller';
import type { Json, JsonObject } from '../../lib/api/json';
import type { Collection, RuleName } from '../../lib/api/types';

export type Action = 'list' | 'view' | 'create' | 'update' | 'delete' | 'auth' | 'manage';
export interface Case { action: Action; who: Who; record: string; body: string; query: string; headers: string }
export interface Step { start: number; end: number; result: boolean | null; reached: boolean; left: Json; right: Json }
export interface Answer { allowed: boolean; status: number; reason: string; rule: string | null; steps: Step[]; error: string | null; message: string | null; data: JsonObject | null; total: number | null; ids: string[] | null; sql: string | null }
export interface RuleTest extends Case { id: string; name: string; /** what it must answer */ allowed: boolean; status: number; total: number | null }

export const actionsOf = (c: Collection): Action[] => (c.type === 'view' ? ['list', 'view'] : ['list', 'view', 'create', 'update', 'delete', ...(c.type === 'auth' ? (['auth', 'manage'] as const) : [])]);
export const ruleOf = (a: Action): RuleName => `${a}Rule`;
export const needsRecord = (a: Action): boolean => a !== 'list' && a !== 'create';
export const needsBody = (a: Action): boolean => a === 'create' || a === 'update';
const pairs = (text: string, mark: string): Record<string, string> => Object.fromEntries(text.split('\n').map((l) => { const at = l.indexOf(mark); return at > 0 ? [l.slice(0, at).trim(), l.slice(at + 1).trim()] : null; }).filter((x): x is [string, string] => !!x));

/** `rule`: tried instead of the saved one; absent = the saved one. */
export function tryAs(collection: string, c: Case, rule?: string | null): Promise<Answer> {
  const as = c.who.kind === 'account' && c.who.id ? { collection: c.who.collection, id: c.who.id } : null;
  return post<Answer>(`/api/collections/${enc(collection)}/try`, {
    action: c.action, as, ...(c.record ? { record: c.record } : {}), ...(needsBody(c.action) && c.body.trim() ? { body: JSON.parse(c.body) as Json } : {}),
    query: { ...(c.action === 'list' ? { perPage: '1000' } : {}), ...pairs(c.query, '=') }, headers: pairs(c.headers, ':'), ...(rule === undefined ? {} : { rule }),
  }, { superuser: true });
}
const kept = new Map<string, Pref<RuleTest[]>>();
export function testsOf(collectionId: string): Pref<RuleTest[]> {
  let p = kept.get(collectionId);
  if (!p) kept.set(collectionId, (p = new Pref(`dash.v1.ruleTests_${collectionId}`, [])));
  return p;
}
export interface Outcome { test: RuleTest; ok: boolean; got: Answer | null; error: string }
/** All tests of a collection; `ruleFor` gives rules that are not saved yet. */
export async function runTests(c: Collection, ruleFor: (a: Action) => string | null | undefined): Promise<Outcome[]> {
  return Promise.all(testsOf(c.id).value.map(async (test): Promise<Outcome> => {
    try {
      const got = await tryAs(c.name, test, ruleFor(test.action));
      return { test, got, error: '', ok: got.allowed === test.allowed && got.status === test.status && (test.total === null || test.total === got.total) };
    } catch (e) { return { test, got: null, error: e instanceof Error ? e.message : String(e), ok: false }; }
  }));
}
