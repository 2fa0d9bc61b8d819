// Bytes and durations as people type and read them.
const sizes = ['B', 'KB', 'MB', 'GB', 'TB'];
export function showSize(bytes: number): string {
  let n = bytes, i = 0;
  while (n >= 1024 && i < sizes.length - 1) { n /= 1024; i++; }
  return `${i === 0 ? n : n.toFixed(n < 10 ? 1 : 0).replace(/\.0$/, '')} ${sizes[i]}`;
}
/** `5 MB` → bytes; exact bytes print as they are when no unit fits. */
export function parseSize(text: string): number | null {
  const m = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$/i.exec(text);
  if (!m) return text.trim() === '' ? 0 : null;
  return Math.round(Number(m[1]) * 1024 ** 'bkmgt'.indexOf((m[2] || 'b').toLowerCase()));
}
export function exactSize(bytes: number): string {
  for (let i = sizes.length - 1; i > 0; i--) if (bytes && bytes % 1024 ** i === 0) return `${bytes / 1024 ** i} ${sizes[i]}`;
  return String(bytes);
}
const spans: [string, number][] = [['d', 86_400], ['h', 3600], ['m', 60], ['s', 1]];
export function showSeconds(s: number): string {
  for (const [u, n] of spans) if (s && s % n === 0) return `${s / n} ${{ d: 'days', h: 'hours', m: 'min', s: 's' }[u]}`;
  return `${s} s`;
}
export function parseSeconds(text: string): number | null {
  const m = /^\s*(\d+)\s*(d|h|m|s)?[a-z]*\s*$/i.exec(text);
  return m ? Number(m[1]) * (spans.find(([u]) => u === (m[2] ?? 's').toLowerCase())?.[1] ?? 1) : null;
}
