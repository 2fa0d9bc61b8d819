// Rate limit rules as the server reads them: exact tags, tags of all collections, then paths from narrow to wide.
import type { Collection } from '../../lib/api/types';
export interface LimitRule { label: string; maxRequests: number; duration: number; audience: string }

const actions = ['list', 'view', 'create', 'update', 'delete', 'file', 'auth', 'listAuthMethods', 'authRefresh', 'authWithPassword', 'authWithOAuth2', 'authWithOTP', 'requestOTP', 'requestPasswordReset', 'confirmPasswordReset', 'requestVerification', 'confirmVerification', 'requestEmailChange', 'confirmEmailChange'];
export function labelsFor(list: Collection[]): string[] {
  const own = list.filter((c) => !c.system).slice(0, 60).flatMap((c) => actions.slice(0, c.type === 'auth' ? undefined : c.type === 'view' ? 2 : 6).map((a) => `${c.name}:${a}`));
  return [...actions.map((a) => `*:${a}`), '/api/', '/api/batch', '/api/collections/', ...own];
}
function weight(label: string): number[] {
  if (/^\*:\w+$/.test(label)) return [1];
  if (/^[\w]+:\w+$/.test(label)) return [0];
  const [, method = '', path = label] = /^([A-Z]+) (.*)$/.exec(label) ?? [];
  return [2, method ? 0 : 1, path.endsWith('/') ? 1 : 0, -path.length];
}
export function sortRules<T extends LimitRule>(rules: T[]): T[] {
  return rules.map((r, i) => ({ r, w: weight(r.label), i })).sort((a, b) => { for (let k = 0; k < Math.max(a.w.length, b.w.length); k++) { const d = (a.w[k] ?? 0) - (b.w[k] ?? 0); if (d) return d; } return a.i - b.i; }).map((x) => x.r);
}
/** Rules that another one of the same label and a wider audience hides. */
export function unreachable(rules: LimitRule[]): Set<number> {
  const out = new Set<number>();
  rules.forEach((r, i) => { if (r.label && rules.slice(0, i).some((x) => x.label === r.label && (x.audience === '' || x.audience === r.audience))) out.add(i); });
  return out;
}
export function hit(rules: LimitRule[], method: string, path: string, guest: boolean): LimitRule | undefined {
  const tags = tagsOf(method, path);
  const fits = (r: LimitRule) => r.audience === '' || r.audience === (guest ? '@guest' : '@auth');
  for (const tag of tags) { const r = rules.find((x) => x.label === tag && fits(x)); if (r) return r; }
  return rules.find((r) => {
    if (!fits(r) || !r.label.includes('/')) return false;
    const [, m = '', p = r.label] = /^([A-Z]+) (.*)$/.exec(r.label) ?? [];
    return (!m || m === method) && (p.endsWith('/') ? `${path}/`.startsWith(p) : p === path);
  });
}
function tagsOf(method: string, path: string): string[] {
  const m = /^\/api\/collections\/([^/]+)\/(.+?)\/?$/.exec(path);
  if (!m) return [];
  const [, c, rest = ''] = m;
  const named: Record<string, string> = { 'auth-with-password': 'authWithPassword', 'auth-with-oauth2': 'authWithOAuth2', 'auth-with-otp': 'authWithOTP', 'request-otp': 'requestOTP', 'auth-refresh': 'authRefresh', 'auth-methods': 'listAuthMethods', 'request-password-reset': 'requestPasswordReset', 'confirm-password-reset': 'confirmPasswordReset', 'request-verification': 'requestVerification', 'confirm-verification': 'confirmVerification', 'request-email-change': 'requestEmailChange', 'confirm-email-change': 'confirmEmailChange' };
  const auth = named[rest];
  if (auth) return [`${c}:${auth}`, `*:${auth}`, ...(auth.startsWith('authWith') || auth === 'requestOTP' ? [`${c}:auth`, '*:auth'] : [])];
  if (!rest.startsWith('records')) return [];
  const one = rest.split('/').length > 1;
  const action = { GET: one ? 'view' : 'list', POST: 'create', PATCH: 'update', DELETE: 'delete' }[method];
  return action ? [`${c}:${action}`, `*:${action}`] : [];
}
