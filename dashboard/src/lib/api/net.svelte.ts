// Is the server there? One banner for all screens; asks again by itself until it is.
import { apiBase } from './session.svelte';

class Net {
  offline = $state(false);
  private wait = 2000;
  private timer: ReturnType<typeof setTimeout> | undefined;

  lost(): void {
    if (this.offline) return;
    this.offline = true;
    this.wait = 2000;
    this.again();
  }
  found(): void {
    if (!this.offline) return;
    this.offline = false;
    clearTimeout(this.timer);
    for (const f of this.back) f();
  }
  retry(): void { clearTimeout(this.timer); void this.ask(); }
  /** Called when the connection comes back. */
  readonly back = new Set<() => void>();

  private again(): void { this.timer = setTimeout(() => void this.ask(), this.wait); }
  private async ask(): Promise<void> {
    try {
      const r = await fetch(`${apiBase}/api/health`, { cache: 'no-store' });
      if (r.status < 500) { this.found(); return; }
    } catch { /* still gone */ }
    this.wait = Math.min(this.wait * 2, 60_000);
    if (this.offline) this.again();
  }
}
export const net = new Net();
if (typeof addEventListener === 'function') addEventListener('online', () => net.offline && net.retry());
