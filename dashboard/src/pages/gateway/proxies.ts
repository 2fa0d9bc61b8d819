// Proxies: their records, which one a path meets, what their figures say. Pure.
import { histogram, type Sample, type Scrape } from '../../lib/format/openmetrics';

export interface Breaker { enabled?: boolean; failure_threshold?: number; recovery_timeout?: number; half_open_requests?: number }
export interface Proxy { id: string; path: string; upstream: string; stripPath: boolean; accessRule: string; headers: Record<string, string> | null; timeout: number; active: boolean; maxConcurrent: number; circuitBreaker: Breaker | null; timeoutConfig: Record<string, number> | null; maxBodySize?: number }

export type Access = 'superusers' | 'public' | 'nobody' | 'rule';
export const accessOf = (rule: string): Access => ({ '': 'superusers', true: 'public', false: 'nobody' } as Record<string, Access>)[(rule ?? '').trim()] ?? 'rule';
/** A header that carries something of the server's own: with a public rule everybody may spend it. */
export const injects = (headers: Record<string, unknown> | null): boolean => Object.values(headers ?? {}).some((v) => /\{(secret|env)\.[^}]+\}/.test(String(v)) || /^(bearer|basic) \S/i.test(String(v)));
export const exposed = (p: Pick<Proxy, 'accessRule' | 'headers'>): boolean => accessOf(p.accessRule) === 'public' && injects(p.headers);

/** The code of what is wrong with a path; empty = fine. */
export function pathIssue(path: string): '' | 'slash' | 'root' | 'api' | 'ui' | 'form' {
  if (!path.startsWith('/')) return 'slash';
  if (path === '/') return 'root';
  if (path === '/api' || path.startsWith('/api/')) return 'api';
  if (path === '/_' || path.startsWith('/_/')) return 'ui';
  if (/[\s?#%]|\/\/|\/\.\.?(\/|$)/.test(path)) return 'form';
  return '';
}
/** The proxy that a request meets: the longest path that is it or is followed by `/`. */
export function matching<P extends { path: string; active: boolean }>(list: P[], path: string): P | undefined {
  const clean = path.split(/[?#]/)[0]!;
  return [...list].filter((p) => p.active).sort((a, b) => b.path.length - a.path.length).find((p) => clean === p.path || clean.startsWith(`${p.path}/`));
}
export function targetOf(p: Pick<Proxy, 'path' | 'upstream' | 'stripPath'>, path: string): string {
  const at = path.search(/[?#]/), clean = at < 0 ? path : path.slice(0, at), query = at < 0 ? '' : path.slice(at).split('#')[0]!;
  return `${p.upstream.replace(/\/+$/, '')}${p.stripPath ? clean.slice(p.path.length) : clean}${query}`;
}
export interface Figures { perSecond: number; errors: number; p95: number; breaker: 'closed' | 'open' | 'half-open'; active: number }
/** What was seen between two readings of the gateway's figures. */
export function figures(a: Scrape | undefined, b: Scrape | undefined, id: string): Figures | null {
  if (!b) return null;
  const own = (s: Sample) => s.labels.proxy === id;
  const of = (s: Scrape | undefined, name: string) => (s?.samples ?? []).filter((x) => x.name === name && own(x)).reduce((n, x) => n + x.value, 0);
  const grown = (name: string) => Math.max(0, of(b, name) - of(a, name));
  const all = grown('gateway_requests_total'), seconds = a ? (b.at - a.at) / 1000 : NaN;
  const h = histogram(a, b, 'gateway_request_duration_seconds').find((r) => r.labels.proxy === id);
  return { perSecond: all / seconds, errors: all ? grown('gateway_errors_total') / all : 0, p95: h?.p95 ?? NaN, breaker: (['closed', 'open', 'half-open'] as const)[of(b, 'gateway_circuit_breaker_state')] ?? 'closed', active: of(b, 'gateway_active_connections') };
}
