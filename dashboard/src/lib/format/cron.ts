// Cron expressions as the server reads them (five fields, UTC): next run and words.
const names: Record<string, string> = { '@yearly': '0 0 1 1 *', '@annually': '0 0 1 1 *', '@monthly': '0 0 1 * *', '@weekly': '0 0 * * 0', '@daily': '0 0 * * *', '@midnight': '0 0 * * *', '@hourly': '0 * * * *' };
const ranges: [number, number][] = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 6]];

export function parseCron(text: string): Set<number>[] | null {
  const parts = (names[text.trim()] ?? text.trim()).split(/\s+/);
  if (parts.length !== 5) return null;
  const out: Set<number>[] = [];
  for (const [i, part] of parts.entries()) {
    const [min, max] = ranges[i]!;
    const set = new Set<number>();
    for (const piece of part.split(',')) {
      const m = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(piece);
      if (!m) return null;
      const step = Number(m[3] ?? 1);
      const from = m[1] === '*' ? min : Number(m[1]), to = m[1] === '*' || (m[3] && !m[2]) ? max : Number(m[2] ?? m[1]);
      if (!step || from < min || to > max || from > to) return null;
      for (let n = from; n <= to; n += step) set.add(n);
    }
    out.push(set);
  }
  return out;
}
/** Day and weekday must both fit, as the server has it. */
export function nextRun(text: string, after = new Date()): Date | null {
  const c = parseCron(text);
  if (!c) return null;
  const d = new Date(Math.floor(+after / 60_000) * 60_000 + 60_000);
  for (let i = 0; i < 366 * 6; i++) {
    if (!c[3]!.has(d.getUTCMonth() + 1) || !c[2]!.has(d.getUTCDate()) || !c[4]!.has(d.getUTCDay())) { d.setUTCHours(24, 0, 0, 0); continue; }
    for (let m = d.getUTCHours() * 60 + d.getUTCMinutes(); m < 1440; m++) if (c[1]!.has(Math.floor(m / 60)) && c[0]!.has(m % 60)) { d.setUTCHours(Math.floor(m / 60), m % 60, 0, 0); return d; }
    d.setUTCHours(24, 0, 0, 0);
  }
  return null;
}
export const runs = (text: string, n: number): Date[] => { const out: Date[] = []; for (let d = nextRun(text); d && out.length < n; d = nextRun(text, d)) out.push(d); return out; };
