// The text of /api/metrics as numbers, and what two readings say together. Pure.
export interface Sample { name: string; labels: Record<string, string>; value: number }
export interface Scrape { at: number; samples: Sample[] }

export function parseMetrics(text: string): Sample[] {
  const out: Sample[] = [];
  for (const line of text.split('\n')) {
    if (!line || line[0] === '#') continue;
    const m = /^([a-zA-Z_:][\w:]*)(\{(.*)\})?\s+(\S+)/.exec(line);
    if (!m) continue;
    const labels: Record<string, string> = {};
    for (const l of (m[3] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:\\.|[^"\\])*)"/g)) labels[l[1]!] = l[2]!.replace(/\\n/g, '\n').replace(/\\(.)/g, '$1');
    const value = m[4] === '+Inf' ? Infinity : m[4] === '-Inf' ? -Infinity : Number(m[4]);
    out.push({ name: m[1]!, labels, value });
  }
  return out;
}
const keyOf = (s: Sample, without = ''): string => `${s.name}{${Object.entries(s.labels).filter(([k]) => k !== without).sort().map(([k, v]) => `${k}=${v}`).join()}}`;
export const find = (s: Scrape | undefined, name: string): Sample[] => s?.samples.filter((x) => x.name === name) ?? [];
export const sum = (s: Scrape | undefined, name: string): number => find(s, name).reduce((n, x) => n + x.value, 0);

/** Growth of a counter per second; a restart (smaller than before) counts from zero. */
export function rate(a: Scrape | undefined, b: Scrape | undefined, name: string): number {
  if (!a || !b || b.at <= a.at) return 0;
  const x = sum(a, name), y = sum(b, name);
  return (y >= x ? y - x : y) / ((b.at - a.at) / 1000);
}

/** The value below which the share `q` of observations lies, by the buckets as OpenMetrics counts them (le, cumulative). */
export function quantile(buckets: [le: number, count: number][], q: number): number {
  const list = [...buckets].sort((a, b) => a[0] - b[0]);
  const total = list[list.length - 1]?.[1] ?? 0;
  if (!total) return NaN;
  const rank = q * total;
  let lower = 0, below = 0;
  for (const [le, count] of list) {
    if (count >= rank) return le === Infinity ? lower : count === below ? le : lower + ((le - lower) * (rank - below)) / (count - below);
    lower = le;
    below = count;
  }
  return lower;
}
export interface Row { labels: Record<string, string>; count: number; perSecond: number; p50: number; p95: number; p99: number; mean: number }

/** A histogram between two readings, one row per set of labels. `a` absent = since the start. */
export function histogram(a: Scrape | undefined, b: Scrape | undefined, name: string): Row[] {
  if (!b) return [];
  const before = new Map((a?.samples ?? []).map((s) => [keyOf(s), s.value]));
  const grown = (s: Sample): number => { const was = before.get(keyOf(s)) ?? 0; return s.value >= was ? s.value - was : s.value; };
  const groups = new Map<string, { labels: Record<string, string>; buckets: [number, number][]; count: number; sum: number }>();
  for (const s of b.samples) {
    const kind = s.name === `${name}_bucket` ? 'bucket' : s.name === `${name}_count` ? 'count' : s.name === `${name}_sum` ? 'sum' : '';
    if (!kind) continue;
    const { le, ...labels } = s.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    let g = groups.get(key);
    if (!g) groups.set(key, (g = { labels, buckets: [], count: 0, sum: 0 }));
    if (kind === 'bucket') g.buckets.push([le === '+Inf' ? Infinity : Number(le), grown(s)]); else if (kind === 'count') g.count = grown(s); else g.sum = grown(s);
  }
  const seconds = a ? (b.at - a.at) / 1000 : NaN;
  return [...groups.values()].filter((g) => g.count > 0).map((g) => ({ labels: g.labels, count: g.count, perSecond: g.count / seconds, p50: quantile(g.buckets, 0.5), p95: quantile(g.buckets, 0.95), p99: quantile(g.buckets, 0.99), mean: g.sum / g.count })).sort((x, y) => y.count - x.count);
}
