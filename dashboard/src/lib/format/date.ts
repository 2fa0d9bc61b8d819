// Server dates `2026-03-01 10:00:00.000Z` as text for people and people's text as server dates. No locale guessing: ISO order everywhere.
const pad = (n: number, w = 2): string => String(n).padStart(w, '0');

export function showDate(value: string, local: boolean): string {
  const d = toDate(value);
  if (!d) return value;
  if (!local) return value.slice(0, 19).replace('T', ' ');
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}
export function toDate(value: string): Date | null {
  if (!value) return null;
  const d = new Date(value.replace(' ', 'T'));
  return Number.isNaN(+d) ? null : d;
}
export const serverDate = (d: Date): string => d.toISOString().replace('T', ' ');

const units: [Intl.RelativeTimeFormatUnit, number][] = [['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]];
export function ago(value: string | number, lang = 'en'): string {
  const ms = typeof value === 'number' ? value : +(toDate(value) ?? NaN);
  if (Number.isNaN(ms)) return '';
  const s = Math.round((ms - Date.now()) / 1000);
  const [unit, size] = units.find(([, n]) => Math.abs(s) >= n) ?? units[5]!;
  return new Intl.RelativeTimeFormat(lang, { numeric: 'auto' }).format(Math.round(s / size), unit);
}
export function dateHint(value: string, lang = 'en'): string {
  return toDate(value) ? `${value.slice(0, 19)} UTC\n${showDate(value, true)} ${Intl.DateTimeFormat().resolvedOptions().timeZone}\n${ago(value, lang)}` : '';
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** `2026-03-01`, `2026-03-01 10:00`, `1 Mar 10:00`, `+2d`, `now` → server date; null = not understood. */
export function parseDate(text: string, local = false, now = new Date()): string | null {
  const s = text.trim().toLowerCase();
  if (!s) return '';
  if (s === 'now') return serverDate(now);
  const day = /^(today|tomorrow|yesterday)$/.exec(s);
  const make = (y: number, mo: number, d: number, h = 0, mi = 0, se = 0, ms = 0): string | null => {
    const date = local ? new Date(y, mo, d, h, mi, se, ms) : new Date(Date.UTC(y, mo, d, h, mi, se, ms));
    const ok = local ? date.getMonth() === mo && date.getDate() === d : date.getUTCMonth() === mo && date.getUTCDate() === d;
    return ok && h < 24 && mi < 60 && se < 60 ? serverDate(date) : null;
  };
  const y0 = local ? now.getFullYear() : now.getUTCFullYear();
  if (day) {
    const shift = day[1] === 'today' ? 0 : day[1] === 'tomorrow' ? 1 : -1;
    const d = new Date(+now + shift * 86_400_000);
    return local ? make(d.getFullYear(), d.getMonth(), d.getDate()) : make(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate());
  }
  const rel = /^([+-]\d+)\s*(s|m|h|d|w)$/.exec(s);
  if (rel) return serverDate(new Date(+now + Number(rel[1]) * { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[rel[2] as 's'] * 1000));
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[t ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,3})\d*)?)?)?\s*(z|utc|[+-]\d{2}:?\d{2})?$/.exec(s);
  if (iso) {
    const [, y, mo, d, h, mi, se, ms, zone] = iso;
    if (zone && zone !== 'z' && zone !== 'utc') {
      const date = new Date(`${y}-${pad(+mo!)}-${pad(+d!)}T${pad(+(h ?? 0))}:${mi ?? '00'}:${se ?? '00'}${zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`}`);
      return Number.isNaN(+date) ? null : serverDate(date);
    }
    if (zone) return parseDate(s.replace(/\s*(z|utc)$/, ''), false, now);
    return make(+y!, +mo! - 1, +d!, +(h ?? 0), +(mi ?? 0), +(se ?? 0), Number((ms ?? '').padEnd(3, '0')));
  }
  const words = /^(\d{1,2})\.?\s+([a-z]{3})[a-z]*\.?(?:\s+(\d{4}))?(?:\s+(\d{1,2}):(\d{2}))?$/.exec(s);
  if (words) {
    const month = months.indexOf(words[2]!);
    return month < 0 ? null : make(Number(words[3] ?? y0), month, +words[1]!, +(words[4] ?? 0), +(words[5] ?? 0));
  }
  return null;
}
