// What this browser remembers: the reference's keys where the meaning is equal, `dash.v1.*` for the rest.
function read<T>(key: string, empty: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? empty : (JSON.parse(text) as T);
  } catch { return empty; }
}
export function keep(key: string, value: unknown): void {
  try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* full or off: a preference is lost, nothing else */ }
}

let told: ((key: string, value: unknown) => void) | undefined;
/** Who mirrors preferences to the server; one. */
export function onPreference(f: (key: string, value: unknown) => void): void { told = f; }
const all = new Map<string, Set<{ take: (v: unknown) => void }>>();
/** A value that came from the server: shown and kept, not told again. */
export function putPreference(key: string, value: unknown): void {
  keep(key, value);
  for (const p of all.get(key) ?? []) p.take(value);
}

/** A value that lives in localStorage. */
export class Pref<T> {
  private current: T = $state.raw() as T;
  constructor(readonly key: string, empty: T) {
    this.current = read(key, empty);
    const set = all.get(key) ?? new Set();
    all.set(key, set.add(this as { take: (v: unknown) => void }));
  }
  take(v: unknown): void { this.current = v as T; }
  get value(): T { return this.current; }
  set value(v: T) { this.current = v; keep(this.key, v); told?.(this.key, v); }
}

export interface View { id: string; name: string; filter: string; sort: string; cols: string[] | null }
export const prefs = {
  pinned: new Pref<string[]>('pbPinnedCollections', []),
  folders: new Pref<{ name: string; ids: string[]; closed?: boolean }[]>('dash.v1.folders', []),
  sideWidth: new Pref<number>('dash.v1.side', 232),
  drawerWidth: new Pref<number>('dash.v1.drawer', 620),
  tall: new Pref<boolean>('dash.v1.tall', matchMedia('(pointer: coarse)').matches),
  local: new Pref<boolean>('dash.v1.localTime', false),
  letterKeys: new Pref<boolean>('dash.v1.letterKeys', true),
  logSuperusers: new Pref<boolean>('pbLogSuperuserRequests', false),
  sqlHistory: new Pref<string[]>('dash.v1.sqlHistory', []),
};
export const lastCollection = {
  get: (): string => { try { return (localStorage.getItem('pbLastActiveCollection') ?? '').replace(/^"|"$/g, ''); } catch { return ''; } },
  set: (id: string): void => { try { localStorage.setItem('pbLastActiveCollection', id); } catch { /* off */ } },
};

export interface ColumnPrefs { order: string[]; width: Record<string, number>; pinned: string[] }
const columnPrefs = new Map<string, Pref<ColumnPrefs>>();
export function columnsOf(collectionId: string): Pref<ColumnPrefs> {
  let p = columnPrefs.get(collectionId);
  if (!p) columnPrefs.set(collectionId, (p = new Pref(`dash.v1.columns_${collectionId}`, { order: [], width: {}, pinned: [] })));
  return p;
}
const shownPrefs = new Map<string, Pref<Record<string, boolean>>>();
/** field id → shown, the reference's key. */
export function shownOf(collectionId: string): Pref<Record<string, boolean>> {
  let p = shownPrefs.get(collectionId);
  if (!p) shownPrefs.set(collectionId, (p = new Pref(`pbColumns_${collectionId}`, {})));
  return p;
}
const viewPrefs = new Map<string, Pref<View[]>>();
export function viewsOf(collectionId: string): Pref<View[]> {
  let p = viewPrefs.get(collectionId);
  if (!p) viewPrefs.set(collectionId, (p = new Pref(`dash.v1.views_${collectionId}`, [])));
  return p;
}
const sharedPrefs = new Map<string, Pref<View[]>>();
/** Views that all superusers see; any of them may change one. */
export function sharedViewsOf(collectionId: string): Pref<View[]> {
  let p = sharedPrefs.get(collectionId);
  if (!p) sharedPrefs.set(collectionId, (p = new Pref(`dash.v1.sharedViews_${collectionId}`, [])));
  return p;
}
