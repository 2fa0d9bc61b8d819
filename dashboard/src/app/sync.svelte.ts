// Preferences that follow the person to other browsers, and those that all superusers share (A5). localStorage stays the
// copy that is read at the start; a server that cannot keep them changes nothing.
import { get, patch } from '../lib/api/client';
import type { Json, JsonObject } from '../lib/api/json';
import { capabilities } from './capabilities.svelte';
import { keep, onPreference, putPreference } from './prefs.svelte';

const own = /^(pbPinnedCollections|pbColumns_.+|dash\.v1\.(folders|columns_.+|views_.+|tall|localTime|letterKeys|erd))$/;
const shared = /^dash\.v1\.(sharedViews_.+|ruleTests_.+)$/;
const lastKey = 'dash.v1.cache.synced';
type Part = 'own' | 'shared';
const partOf = (key: string): Part | null => (own.test(key) ? 'own' : shared.test(key) ? 'shared' : null);

class Sync {
  /** the server keeps them */
  on = $state(false);
  private waiting: Record<Part, JsonObject> = { own: {}, shared: {} };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private seen: Record<string, string> = {};

  async start(): Promise<void> {
    await capabilities.ask();
    if (!capabilities.has('dashboardState')) return;
    try { this.seen = JSON.parse(localStorage.getItem(lastKey) ?? '{}') as Record<string, string>; } catch { this.seen = {}; }
    try { this.take(await get<Record<Part, JsonObject>>('/api/dashboard/state', {}, { superuser: true })); } catch { return; }
    this.on = true;
    onPreference((key, value) => this.changed(key, value as Json));
  }
  /** What was changed here since the two agreed last goes up; all else comes down. */
  private take(state: Record<Part, JsonObject>): void {
    const known = new Set<string>();
    for (const part of ['own', 'shared'] as const) for (const [key, value] of Object.entries(state[part] ?? {})) {
      if (partOf(key) !== part) continue;
      known.add(key);
      const here = localStorage.getItem(key), theirs = JSON.stringify(value);
      const edited = here !== null && this.seen[key] !== undefined && here !== this.seen[key];
      if (edited && here !== theirs) this.changed(key, JSON.parse(here) as Json);
      else { if (here !== theirs) putPreference(key, value); this.seen[key] = theirs; }
    }
    for (let i = 0; i < localStorage.length; i++) {
      const key = localStorage.key(i) ?? '', text = localStorage.getItem(key);
      if (partOf(key) && !known.has(key) && text !== null && this.seen[key] === undefined) try { this.changed(key, JSON.parse(text) as Json); } catch { /* not ours */ }
    }
    keep(lastKey, this.seen);
  }
  private changed(key: string, value: Json): void {
    const part = partOf(key);
    if (!part) return;
    this.waiting[part][key] = value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.send(), 800);
  }
  private async send(): Promise<void> {
    const body = this.waiting;
    this.waiting = { own: {}, shared: {} };
    try {
      await patch('/api/dashboard/state', body, { superuser: true });
      for (const part of ['own', 'shared'] as const) for (const [k, v] of Object.entries(body[part])) this.seen[k] = JSON.stringify(v);
      keep(lastKey, this.seen);
    } catch { /* kept here; the next start sends it again */ }
  }
}
export const sync = new Sync();
