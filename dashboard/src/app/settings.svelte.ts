// The server's settings as the shell needs them: name, accent, lock. Never stored.
import { get } from '../lib/api/client';
import type { Settings } from '../lib/api/types';
import { setAccent } from './theme.svelte';

class AppSettings {
  all = $state.raw<Settings | null>(null);
  unlockedUntil = $state(0);
  get name(): string { return this.all?.meta.appName ?? ''; }
  get lock(): boolean { return this.all?.meta.hideControls === true; }
  /** Changes of schema and bulk data are off until unlocked. */
  get locked(): boolean { return this.lock && this.unlockedUntil < Date.now(); }
  unlock(): void {
    this.unlockedUntil = Date.now() + 15 * 60_000;
    setTimeout(() => { this.unlockedUntil = 0; }, 15 * 60_000);
  }
  async load(): Promise<Settings> {
    const s = await get<Settings>('/api/settings', {}, { superuser: true });
    this.put(s);
    return s;
  }
  put(s: Settings): void {
    this.all = s;
    setAccent(s.meta.accentColor || '#1055c9');
  }
}
export const settings = new AppSettings();
