// What this server can do beyond the reference (A4). Asked once, after the first screen is there; another server has none of it.
import { get } from '../lib/api/client';
import type { JsonObject } from '../lib/api/json';

export interface SystemInfo extends JsonObject { version: string; engine: string; engineVersion: string; instanceId: string; startedAt: string; features: string[] }

class Capabilities {
  system = $state.raw<SystemInfo | null>(null);
  private asked: Promise<void> | null = null;
  has(feature: string): boolean { return this.system?.features.includes(feature) ?? false; }
  /** Unknown addresses may answer with the app's own page: only the right shape counts. */
  ask(): Promise<void> {
    this.asked ??= get<SystemInfo>('/api/system', {}, { superuser: true }).then((s) => { if (s && typeof s.instanceId === 'string') this.system = { ...s, features: Array.isArray(s.features) ? s.features : [] }; }, () => undefined);
    return this.asked;
  }
  async refresh(): Promise<void> { this.asked = null; await this.ask(); }
}
export const capabilities = new Capabilities();
