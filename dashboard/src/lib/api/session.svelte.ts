// Who is signed in: the token in storage (the reference's key), its refresh, its end. Knows no screen.
import type { Rec } from './types';

export interface Stored { token: string; record: Rec }
const basePath = location.pathname.replace(/\/(index\.html)?$/, '');
/** Everything before `/_/`: the server may live under any prefix. */
export const apiBase = basePath.replace(/\/_$/, '');
export const storageKey = `__pb_superusers__${basePath}`;
export interface Claims { exp?: number; type?: string; id?: string; collectionId?: string; email?: string; newEmail?: string; refreshable?: boolean }

export function claimsOf(token: string): Claims {
  try {
    const part = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(part.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch { return {}; }
}

function load(): Stored | null {
  try {
    const stored = JSON.parse(localStorage.getItem(storageKey) ?? 'null') as Stored | null;
    return stored?.token && stored.record ? stored : null;
  } catch { return null; }
}

class Session {
  stored = $state.raw<Stored | null>(load());
  /** A login that the server no longer accepts: the dialog over the page is open. */
  ended = $state(false);
  /** Difference between the server's clock and ours, in ms. */
  skew = 0;
  /** When the server last answered something only a superuser gets. */
  proven = 0;
  private waiting: (() => void)[] = [];

  get token(): string { return this.stored?.token ?? ''; }
  get record(): Rec | null { return this.stored?.record ?? null; }
  get claims(): Claims { return claimsOf(this.token); }
  get expires(): number { return (this.claims.exp ?? 0) * 1000; }
  get valid(): boolean { return !!this.stored && this.claims.type === 'auth' && this.expires > Date.now() + this.skew; }

  set(stored: Stored | null): void {
    this.stored = stored;
    if (stored) localStorage.setItem(storageKey, JSON.stringify(stored));
    else localStorage.removeItem(storageKey);
    if (stored) {
      this.proven = Date.now();
      this.ended = false;
      const waiting = this.waiting;
      this.waiting = [];
      for (const go of waiting) go();
    }
  }
  /** The server refused the token: asks for a new login over the page; resolves after it. */
  end(): Promise<void> {
    this.ended = true;
    return new Promise((go) => this.waiting.push(go));
  }
  logout(): void {
    this.set(null);
    this.ended = false;
    this.waiting = [];
    for (const k of Object.keys(localStorage)) if (k.startsWith('draft_') || k.startsWith('dash.v1.cache.')) localStorage.removeItem(k);
  }
  /** Another tab signed in or out. */
  reload(): 'in' | 'out' | 'other' {
    const now = load();
    const was = this.stored;
    if (!now) { this.stored = null; return 'out'; }
    if (was && was.record.id !== now.record.id) return 'other';
    this.set(now);
    return 'in';
  }
}
export const session = new Session();
