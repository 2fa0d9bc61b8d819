// The document model of the rich-text editor. What it cannot say is edited as source: nothing is dropped silently.
import { DOMParser as PmParser, DOMSerializer, Schema, type DOMOutputSpec, type MarkSpec, type Node, type NodeSpec } from 'prosemirror-model';
import { tableNodes } from 'prosemirror-tables';

const align = (dom: HTMLElement) => ({ align: dom.style.textAlign || null, dir: dom.getAttribute('dir') });
const blockAttrs = (n: Node): Record<string, string> => ({ ...(n.attrs.align ? { style: `text-align: ${n.attrs.align};` } : {}), ...(n.attrs.dir ? { dir: n.attrs.dir as string } : {}) });
const block = { align: { default: null }, dir: { default: null } };

/** Sound and film stand as one block; only what the editor itself writes is read, the rest stays source. */
const media = (tag: 'video' | 'audio'): NodeSpec => ({ group: 'block', atom: true, draggable: true, attrs: { src: {}, width: { default: null }, height: { default: null } }, parseDOM: [{ tag: `${tag}[src]`, getAttrs: (d: HTMLElement) => (d.hasAttribute('controls') && !d.hasChildNodes() ? { src: d.getAttribute('src'), width: d.getAttribute('width'), height: d.getAttribute('height') } : false) }], toDOM: (n): DOMOutputSpec => [tag, { controls: '', ...Object.fromEntries(Object.entries(n.attrs).filter(([, v]) => v !== null)) }] });
const nodes: Record<string, NodeSpec> = {
  doc: { content: 'block+' },
  paragraph: { content: 'inline*', group: 'block', attrs: block, parseDOM: [{ tag: 'p', getAttrs: align }], toDOM: (n): DOMOutputSpec => ['p', blockAttrs(n), 0] },
  heading: { content: 'inline*', group: 'block', defining: true, attrs: { level: { default: 2 }, ...block }, parseDOM: [1, 2, 3, 4, 5, 6].map((level) => ({ tag: `h${level}`, getAttrs: (d: HTMLElement) => ({ level, ...align(d) }) })), toDOM: (n): DOMOutputSpec => [`h${n.attrs.level}`, blockAttrs(n), 0] },
  blockquote: { content: 'block+', group: 'block', defining: true, parseDOM: [{ tag: 'blockquote' }], toDOM: (): DOMOutputSpec => ['blockquote', 0] },
  code_block: { content: 'text*', marks: '', group: 'block', code: true, defining: true, attrs: { cls: { default: null } }, parseDOM: [{ tag: 'pre', preserveWhitespace: 'full', getAttrs: (d: HTMLElement) => ({ cls: d.querySelector('code')?.className || null }) }], toDOM: (n): DOMOutputSpec => ['pre', ['code', n.attrs.cls ? { class: n.attrs.cls as string } : {}, 0]] },
  horizontal_rule: { group: 'block', parseDOM: [{ tag: 'hr' }], toDOM: (): DOMOutputSpec => ['hr'] },
  ordered_list: { content: 'list_item+', group: 'block', attrs: { start: { default: 1 } }, parseDOM: [{ tag: 'ol', getAttrs: (d: HTMLElement) => ({ start: Number(d.getAttribute('start') ?? 1) }) }], toDOM: (n): DOMOutputSpec => ['ol', n.attrs.start === 1 ? {} : { start: String(n.attrs.start) }, 0] },
  bullet_list: { content: 'list_item+', group: 'block', parseDOM: [{ tag: 'ul' }], toDOM: (): DOMOutputSpec => ['ul', 0] },
  list_item: { content: 'paragraph block*', defining: true, parseDOM: [{ tag: 'li' }], toDOM: (): DOMOutputSpec => ['li', 0] },
  ...tableNodes({ tableGroup: 'block', cellContent: 'block+', cellAttributes: {} }),
  image: { inline: true, group: 'inline', draggable: true, attrs: { src: {}, alt: { default: null }, title: { default: null }, width: { default: null }, height: { default: null } }, parseDOM: [{ tag: 'img[src]', getAttrs: (d: HTMLElement) => ({ src: d.getAttribute('src'), alt: d.getAttribute('alt'), title: d.getAttribute('title'), width: d.getAttribute('width'), height: d.getAttribute('height') }) }], toDOM: (n): DOMOutputSpec => ['img', Object.fromEntries(Object.entries(n.attrs).filter(([, v]) => v !== null))] },
  video: media('video'), audio: media('audio'),
  hard_break: { inline: true, group: 'inline', selectable: false, parseDOM: [{ tag: 'br' }], toDOM: (): DOMOutputSpec => ['br'] },
  text: { group: 'inline' },
};
const simple = (tag: string, also: string[] = []): MarkSpec => ({ parseDOM: [{ tag }, ...also.map((t) => ({ tag: t }))], toDOM: (): DOMOutputSpec => [tag, 0] });
const marks: Record<string, MarkSpec> = {
  link: { inclusive: false, attrs: { href: {}, title: { default: null }, target: { default: null }, rel: { default: null } }, parseDOM: [{ tag: 'a[href]', getAttrs: (d: HTMLElement) => ({ href: d.getAttribute('href'), title: d.getAttribute('title'), target: d.getAttribute('target'), rel: d.getAttribute('rel') }) }], toDOM: (m): DOMOutputSpec => ['a', Object.fromEntries(Object.entries(m.attrs).filter(([, v]) => v !== null)), 0] },
  strong: simple('strong', ['b']), em: simple('em', ['i']), underline: simple('u'), strike: simple('s', ['del', 'strike']), code: simple('code'), sup: simple('sup'), sub: simple('sub'),
  color: { attrs: { color: {} }, parseDOM: [{ tag: 'span[style]', getAttrs: (d: HTMLElement) => (d.style.color ? { color: d.style.color } : false) }], toDOM: (m): DOMOutputSpec => ['span', { style: `color: ${m.attrs.color};` }, 0] },
};
export const schema = new Schema({ nodes, marks });

export function parseHtml(html: string): Node {
  // a parsed document of its own: nothing of it runs or loads
  const dom = new DOMParser().parseFromString(quiet(html), 'text/html');
  return PmParser.fromSchema(schema).parse(dom.body);
}
export function printHtml(doc: Node): string {
  const target = document.implementation.createHTMLDocument('');
  const box = target.createElement('div');
  box.append(DOMSerializer.fromSchema(schema).serializeFragment(doc.content, { document: target }));
  const html = box.innerHTML;
  return html === '<p></p>' ? '' : html;
}
/** The same content for the eye of a comparison: same tags, attributes and text, whatever the spacing or the old tag names. */
function shape(html: string): string {
  const dom = new DOMParser().parseFromString(html, 'text/html');
  const same: Record<string, string> = { B: 'STRONG', I: 'EM', DEL: 'S', STRIKE: 'S' };
  const walk = (n: ChildNode): string => {
    if (n.nodeType === 3) return (n.textContent ?? '').replace(/\s+/g, ' ').trim();
    if (n.nodeType === 8) return `<!--${n.textContent}-->`;
    if (!(n instanceof HTMLElement) && !(n.nodeType === 1)) return '';
    const e = n as HTMLElement;
    const attrs = [...e.attributes].filter((a) => !(a.name === 'colspan' && a.value === '1') && !(a.name === 'rowspan' && a.value === '1') && !(a.name === 'start' && a.value === '1')).map((a) => `${a.name}=${a.value.replace(/\s+/g, '').replace(/;$/, '')}`).sort().join(' ');
    return `<${same[e.tagName] ?? e.tagName} ${attrs}>${[...e.childNodes].map(walk).join('')}</>`;
  };
  return [...dom.head.childNodes, ...dom.body.childNodes].map(walk).join('').replace(/<(P|TBODY) >|<\/>/g, (m, p: string) => (p ? '' : m)).replace(/<\/>/g, '');
}
const handlers = /(<[^>]*[\s/"'])on([a-z]+\s*=)/gi;
/** Event attributes never reach a parser: even an inert document reports them to the CSP. */
const quiet = (html: string): string => { let out = html; for (let i = 0; i < 20 && out.search(handlers) >= 0; i++) out = out.replace(handlers, '$1data-on$2'); return out; };
export const representable = (html: string): boolean => html.search(handlers) < 0 && shape(html) === shape(printHtml(parseHtml(html)));
