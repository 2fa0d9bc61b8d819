// What this server can do beyond the reference (A4). Asked once, after the first screen is there; another server has none of it.
import { get } from '../lib/api/client';
import { messageOf } from '../lib/api/errors';
import type { JsonObject } from '../lib/api/json';
import { apiBase, session } from '../lib/api/session.svelte';

export interface SystemInfo extends JsonObject { version: string; engine: string; engineVersion: string; instanceId: string; startedAt: string; features: string[] }

/** Plugins with a screen, and a cheap address of each: one that is compiled in but switched off is named by the server, and answers 404 or 503 there. */
const addresses: Record<string, string> = { secrets: '/api/secrets', jobs: '/api/jobs/stats', gateway: '/api/gateway/metrics', processman: '/api/pm/list', tof: '/api/tof/status', analytics: '/api/analytics/config' };
interface Found { state: 'on' | 'off'; reason: string }

class Capabilities {
  system = $state.raw<SystemInfo | null>(null);
  private found = $state.raw<Record<string, Found>>({});
  private asked: Promise<void> | null = null;
  has(feature: string): boolean { return this.system?.features.includes(feature) ?? false; }
  /** Unknown addresses may answer with the app's own page: only the right shape counts. */
  ask(): Promise<void> {
    this.asked ??= get<SystemInfo>('/api/system', {}, { superuser: true }).then(async (s) => {
      if (!s || typeof s.instanceId !== 'string') return;
      const named = (Array.isArray(s.plugins) ? s.plugins : []) as JsonObject[];
      this.found = Object.fromEntries(await Promise.all(named.filter((p) => addresses[String(p.name)]).map(async (p) => [String(p.name), p.enabled === false ? { state: 'off', reason: String(p.reason ?? '') } : await this.probe(addresses[String(p.name)]!)] as [string, Found])));
      this.system = { ...s, features: Array.isArray(s.features) ? s.features : [] };
    }, () => undefined).finally(() => { this.known = true; });
    return this.asked;
  }
  /** The server was asked, with whatever result. */
  known = $state(false);
  /** `undefined`: this server does not have it. */
  state(plugin: string): 'on' | 'off' | undefined { return this.found[plugin]?.state; }
  reason(plugin: string): string { return this.found[plugin]?.reason ?? ''; }
  private async probe(path: string): Promise<Found> {
    try {
      const r = await fetch(`${apiBase}${path}`, { headers: { Authorization: session.token, 'x-expect': 'superuser', 'x-request-source': 'pbui' }, cache: 'no-store' });
      const text = await r.text();
      let body: JsonObject = {};
      try { body = JSON.parse(text) as JsonObject; } catch { /* figures are no JSON */ }
      if (r.ok && body.enabled === false) return { state: 'off', reason: '' };
      return r.ok && !/^\s*</.test(text) ? { state: 'on', reason: '' } : { state: 'off', reason: typeof body.message === 'string' ? body.message : String(r.status) };
    } catch (e) { return { state: 'off', reason: messageOf(e) }; }
  }
  async refresh(): Promise<void> { this.asked = null; await this.ask(); }
}
export const capabilities = new Capabilities();
