// Colour scheme and accent. Colours themselves are in styles/tokens.css; here only what depends on a setting.
export type Scheme = 'system' | 'light' | 'dark';

class Theme {
  scheme = $state<Scheme>((document.documentElement.dataset.scheme as Scheme | undefined) ?? 'system');
  set(scheme: Scheme): void {
    this.scheme = scheme;
    if (scheme === 'system') localStorage.removeItem('pbColorScheme');
    else localStorage.setItem('pbColorScheme', scheme);
    this.show();
  }
  show(): void {
    if (this.scheme === 'system') delete document.documentElement.dataset.scheme;
    else document.documentElement.dataset.scheme = this.scheme;
  }
  fromStorage(): void {
    const s = (localStorage.getItem('pbColorScheme') ?? '').replace(/"/g, '');
    this.scheme = s === 'light' || s === 'dark' ? s : 'system';
    this.show();
  }
}
export const theme = new Theme();

type Rgb = [number, number, number];
export function parseColor(text: string): Rgb | null {
  const m = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text.trim());
  if (!m?.[1]) return null;
  const h = m[1].length === 3 ? [...m[1]].map((c) => c + c).join('') : m[1];
  return [0, 2, 4].map((i) => parseInt(h.slice(i, i + 2), 16)) as Rgb;
}
export function luminance(c: Rgb): number {
  const [r, g, b] = c.map((v) => { const x = v / 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }) as Rgb;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
export function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}
/** The colour moved toward `to` until it is readable on `on`. */
function readable(c: Rgb, on: Rgb, to: Rgb): Rgb {
  let out = c;
  for (let i = 1; i <= 20 && contrast(out, on) < 4.8; i++) out = c.map((v, k) => Math.round(v + ((to[k] as number) - v) * (i / 20))) as Rgb;
  return out;
}
const css = (c: Rgb) => `rgb(${c.join(' ')})`;

export function setAccent(color: string): void {
  const c = parseColor(color);
  if (!c) return;
  const white: Rgb = [255, 255, 255], black: Rgb = [0, 0, 0];
  const root = document.documentElement.style;
  const light = readable(c, [232, 234, 238], black);
  const dark = readable(c, [44, 48, 56], white);
  root.setProperty('--accent-light', css(light));
  root.setProperty('--accent-dark', css(dark));
  root.setProperty('--on-accent-light', css(contrast(white, light) >= 4.5 ? white : black));
  root.setProperty('--on-accent-dark', css(contrast(black, dark) >= 4.5 ? black : white));
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  if (icon) icon.href = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="${color}"/><path d="M9 9h14M9 16h14M9 23h8" stroke="${contrast(white, c) >= 3 ? '#fff' : '#000'}" stroke-width="3" stroke-linecap="round"/></svg>`)}`;
}
