// The hash is the state: path and query. Leaving a dirty form asks first and keeps the URL true meanwhile.
export interface Route { path: string; query: Record<string, string> }

export function parseHash(hash: string): Route {
  const text = hash.replace(/^#/, '') || '/';
  const cut = text.indexOf('?');
  const path = decode(cut < 0 ? text : text.slice(0, cut)).replace(/\/+$/, '') || '/';
  const query: Record<string, string> = {};
  if (cut >= 0) for (const [k, v] of new URLSearchParams(text.slice(cut + 1))) query[k] = v;
  for (const [old, now] of [['collectionId', 'collection'], ['recordId', 'record']] as const) {
    if (query[old] !== undefined) { query[now] ??= query[old]; delete query[old]; }
  }
  return { path, query };
}
function decode(text: string): string { try { return decodeURIComponent(text); } catch { return text; } }

export function hashOf(path: string, query: Record<string, string | undefined | null> = {}): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v) q.set(k, v);
  const text = q.toString();
  return `#${path}${text ? `?${text}` : ''}`;
}

type Guard = (next: Route) => boolean | Promise<boolean>;

class Router {
  route = $state.raw<Route>(parseHash(location.hash));
  private hash = location.hash;
  /** Answers whether the route may change; set by the guard. */
  guard: Guard = () => true;

  start(): void {
    addEventListener('hashchange', () => void this.moved());
    addEventListener('popstate', () => void this.moved());
  }
  private async moved(): Promise<void> {
    const wanted = location.hash;
    if (wanted === this.hash) return;
    const next = parseHash(wanted);
    const answer = this.guard(next);
    if (answer !== true) {
      history.pushState(null, '', this.hash || '#/');
      if (!(await answer)) return;
      history.pushState(null, '', wanted);
    }
    this.apply(wanted, next);
  }
  private apply(hash: string, route: Route): void {
    this.hash = hash;
    this.route = route;
  }
  async go(hash: string, replace = false): Promise<boolean> {
    if (hash === this.hash) return true;
    const next = parseHash(hash);
    const answer = this.guard(next);
    if (answer !== true && !(await answer)) return false;
    if (replace) history.replaceState(null, '', hash); else history.pushState(null, '', hash);
    this.apply(hash, next);
    return true;
  }
  /** Changes some query values of the present place; `null` removes. */
  set(values: Record<string, string | null>, replace = false): Promise<boolean> {
    return this.go(this.with(values), replace);
  }
  with(values: Record<string, string | null>): string {
    return hashOf(this.route.path, { ...this.route.query, ...values });
  }
}
export const router = new Router();
