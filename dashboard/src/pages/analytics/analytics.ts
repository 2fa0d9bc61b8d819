// What the server counted, and what two spans say together. Pure but for the calls.
import { get } from '../../lib/api/client';

export const ranges = ['today', '7d', '30d', '90d'] as const;
export type Range = (typeof ranges)[number];
export interface Day { date: string; pv: number; uv: number }
export interface Stats { summary: { totalPV: number; totalUV: number; bounceRate: number; avgDur: number }; daily: Day[]; startDate: string; endDate: string }
export interface Pages { pages: { path: string; pv: number; visitors: number }[] }
export interface Sources { sources: { source: string; visitors: number }[] }
type Named = { name: string; visitors: number }[];
export interface Devices { browsers: Named; os: Named; devices?: Named }
export interface Config { enabled: boolean; mode?: string; retention: number; flushInterval: number; hasS3: boolean }
const read = <T>(what: string, query: Record<string, string | number> = {}): Promise<T> => get<T>(`/api/analytics/${what}`, query, { superuser: true });
export const stats = (range: Range): Promise<Stats> => read('stats', { range });
export const topPages = (range: Range): Promise<Pages> => read('top-pages', { range, limit: 50 });
export const topSources = (range: Range): Promise<Sources> => read('top-sources', { range, limit: 50 });
export const devices = (range: Range): Promise<Devices> => read('devices', { range });
export const config = (): Promise<Config> => read('config');
export const rawDates = async (): Promise<string[]> => (await read<{ dates: string[] | null }>('raw-logs')).dates ?? [];

/** Views of the same number of days just before, out of a longer span; null where that does not reach. */
export function before(now: Stats, longer: Stats): number | null {
  const days = now.daily.length, at = longer.daily.findIndex((d) => d.date === now.daily[0]?.date);
  return days && at >= days ? longer.daily.slice(at - days, at).reduce((n, d) => n + d.pv, 0) : null;
}
export const wider: Record<Range, Range | ''> = { today: '7d', '7d': '30d', '30d': '90d', '90d': '' };
export const change = (now: number, was: number | null): string => (was ? `${now >= was ? '+' : '−'}${Math.round((Math.abs(now - was) / was) * 100)} %` : '');
export const showTime = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`);
export const snippet = (base: string): string => `<script>
  (function () {
    var sid = sessionStorage.sid || (sessionStorage.sid = Math.random().toString(36).slice(2));
    var body = JSON.stringify({ events: [{ event: 'page_view', path: location.pathname, sid: sid, referrer: document.referrer, title: document.title }] });
    navigator.sendBeacon('${base}/api/analytics/events', body);
  })();
</` + 'script>';
export const curl = (base: string): string => `curl -A 'Mozilla/5.0 Firefox/140.0' -H 'Content-Type: application/json' ${base}/api/analytics/events \\\n  -d '{"events":[{"event":"page_view","path":"/hello","sid":"test-1"}]}'`;
