// A drawn SVG as a file of its own: colours of the page are written into it, nothing refers to the page any more.
const kept = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'font-weight', 'font-size', 'font-style', 'opacity'] as const;

export function svgOf(svg: SVGSVGElement, b: { x: number; y: number; width: number; height: number }): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll<SVGElement>('*'), to = copy.querySelectorAll<SVGElement>('*');
  from.forEach((node, i) => {
    const css = getComputedStyle(node);
    for (const k of kept) { const v = css.getPropertyValue(k); if (v && v !== 'none' && v !== 'normal') to[i]!.setAttribute(k, v); else if (k === 'fill' && v === 'none') to[i]!.setAttribute(k, v); }
    for (const a of ['class', 'tabindex', 'role', 'aria-label']) to[i]!.removeAttribute(a);
  });
  for (const a of [...copy.attributes]) copy.removeAttribute(a.name);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('viewBox', `${b.x} ${b.y} ${b.width} ${b.height}`);
  copy.setAttribute('width', String(b.width));
  copy.setAttribute('height', String(b.height));
  copy.setAttribute('font-family', 'system-ui, sans-serif');
  copy.setAttribute('font-size', '12.5');
  const back = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  for (const [k, v] of Object.entries({ x: b.x, y: b.y, width: b.width, height: b.height, fill: getComputedStyle(svg.parentElement as HTMLElement).backgroundColor })) back.setAttribute(k, String(v));
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy).replace(/<!--.*?-->/g, '');
}
export async function pngOf(svg: SVGSVGElement, b: { x: number; y: number; width: number; height: number }): Promise<Blob> {
  const image = new Image();
  const address = URL.createObjectURL(new Blob([svgOf(svg, b)], { type: 'image/svg+xml' }));
  try {
    await new Promise((ok, no) => { image.onload = ok; image.onerror = no; image.src = address; });
    const scale = Math.min(2, 8000 / Math.max(b.width, b.height));
    const canvas = document.createElement('canvas');
    canvas.width = b.width * scale;
    canvas.height = b.height * scale;
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise<Blob>((ok, no) => canvas.toBlob((x) => (x ? ok(x) : no(new Error('no picture'))), 'image/png'));
  } finally { URL.revokeObjectURL(address); }
}
export function download(name: string, content: string | Blob, type: string): void {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
}
