// The diagram of the collections as plain data: where tables stand, how lines run between them. Lines never cross a table.
// Knows nothing of the page that draws it.
import type { Collection, Field } from '../api/types';

export interface Table { id: string; name: string; type: Collection['type']; fields: { name: string; type: string; key: boolean; hidden: boolean; many: boolean }[]; more: number; width: number; height: number }
export interface Edge { from: string; to: string; field: string; row: number; many: boolean; dashed: boolean }
export interface Point { x: number; y: number }
export interface Box extends Point { id: string; width: number; height: number }

export const headHeight = 30, rowHeight = 20, width = 220, shownFields = 16;
const columnGap = 110, rowGap = 56, columnHeight = 1100;

export function tablesOf(list: Collection[]): Table[] {
  return list.map((c) => {
    const many = (f: Field) => Number(f.maxSelect ?? 1) > 1;
    // relations are always shown: lines start at them
    const picked = c.fields.length <= shownFields ? c.fields : [...c.fields.filter((f) => f.name === 'id' || f.type === 'relation'), ...c.fields.filter((f) => f.name !== 'id' && f.type !== 'relation')].slice(0, Math.max(shownFields, c.fields.filter((f) => f.type === 'relation').length + 1));
    const more = c.fields.length - picked.length;
    return { id: c.id, name: c.name, type: c.type, fields: picked.map((f) => ({ name: f.name, type: f.type, key: f.name === 'id', hidden: f.hidden, many: f.type === 'relation' && many(f) })), more, width, height: headHeight + rowHeight * (picked.length + (more ? 1 : 0)) + 6 };
  });
}
/** Relations, and views to the tables that their query names. */
export function edgesOf(list: Collection[], tables: Table[]): Edge[] {
  const here = new Map(tables.map((t) => [t.id, t]));
  const out: Edge[] = [];
  for (const c of list) {
    const t = here.get(c.id);
    if (!t) continue;
    for (const f of c.fields) if (f.type === 'relation' && here.has(String(f.collectionId)) && c.type !== 'view') out.push({ from: c.id, to: String(f.collectionId), field: f.name, row: t.fields.findIndex((x) => x.name === f.name), many: Number(f.maxSelect ?? 1) > 1, dashed: false });
    if (c.type === 'view') for (const s of list) if (s.id !== c.id && here.has(s.id) && new RegExp(`\\b(?:from|join)\\s+[\`"\\[]?${s.name}\\b`, 'i').test(String(c.viewQuery ?? ''))) out.push({ from: c.id, to: s.id, field: '', row: -1, many: false, dashed: true });
  }
  return out;
}

/** Targets at the left, what points to them further right; tables without relations at the end. */
export function place(tables: Table[], edges: Edge[]): Map<string, Point> {
  const linked = new Set(edges.filter((e) => e.from !== e.to).flatMap((e) => [e.from, e.to]));
  const out = new Map<string, string[]>();
  for (const e of edges) if (e.from !== e.to) out.set(e.from, [...(out.get(e.from) ?? []), e.to]);
  const depth = new Map<string, number>();
  const visit = (id: string, path: Set<string>): number => {
    const known = depth.get(id);
    if (known !== undefined) return known;
    if (path.has(id)) return 0; // a circle ends here
    path.add(id);
    const d = Math.max(0, ...(out.get(id) ?? []).map((to) => visit(to, path) + 1));
    path.delete(id);
    depth.set(id, d);
    return d;
  };
  const layers: Table[][] = [];
  for (const t of tables) if (linked.has(t.id)) { const d = visit(t.id, new Set()); (layers[d] ??= []).push(t); }
  const rest = tables.filter((t) => !linked.has(t.id));
  const columns: Table[][] = [];
  const fill = (list: Table[], height: number) => {
    let at = 0, column: Table[] = [];
    for (const t of list) {
      if (column.length && at + t.height > height) { columns.push(column); column = []; at = 0; }
      column.push(t);
      at += t.height + rowGap;
    }
    if (column.length) columns.push(column);
  };
  const rank = new Map<string, number>();
  for (const layer of layers) {
    if (!layer) continue;
    // beside what it points to: fewer long lines
    const weight = (t: Table) => { const to = (out.get(t.id) ?? []).map((x) => rank.get(x) ?? 0); return to.length ? to.reduce((a, b) => a + b, 0) / to.length : 0; };
    layer.sort((a, b) => weight(a) - weight(b) || a.name.localeCompare(b.name));
    layer.forEach((t, i) => rank.set(t.id, i));
    fill(layer, columnHeight);
  }
  const area = rest.reduce((n, t) => n + (t.height + rowGap) * (width + columnGap), 0);
  fill(rest, Math.max(columnHeight, Math.sqrt(area)));
  const where = new Map<string, Point>();
  columns.forEach((column, i) => { let y = 0; for (const t of column) { where.set(t.id, { x: i * (width + columnGap), y }); y += t.height + rowGap; } });
  return where;
}

/** Does a horizontal or vertical segment run through the inside of a box? */
export function crosses(a: Point, b: Point, box: Box): boolean {
  const [x1, x2] = a.x < b.x ? [a.x, b.x] : [b.x, a.x], [y1, y2] = a.y < b.y ? [a.y, b.y] : [b.y, a.y];
  return x2 > box.x && x1 < box.x + box.width && y2 > box.y && y1 < box.y + box.height;
}

/** The shortest way with few bends over the lines beside the boxes; empty when a table is walled in. */
export function route(start: Point, startOut: -1 | 1, end: Point, endOut: -1 | 1, boxes: Box[], margin: number): Point[] {
  const a = { x: start.x + startOut * margin, y: start.y }, z = { x: end.x + endOut * margin, y: end.y };
  const uniq = (list: number[]) => [...new Set(list)].sort((p, q) => p - q);
  const xs = uniq([a.x, z.x, ...boxes.flatMap((b) => [b.x - margin, b.x + b.width + margin])]);
  const ys = uniq([a.y, z.y, ...boxes.flatMap((b) => [b.y - margin, b.y + b.height + margin])]);
  const blocked = (p: Point, q: Point) => boxes.some((b) => crosses(p, q, b));
  if (blocked(start, a) || blocked(end, z)) return [];
  const w = xs.length, free = new Map<number, boolean>();
  const id = (i: number, j: number, d: number) => (j * w + i) * 2 + d;
  const ai = xs.indexOf(a.x), aj = ys.indexOf(a.y), zi = xs.indexOf(z.x), zj = ys.indexOf(z.y);
  const cost = new Map<number, number>(), from = new Map<number, number>();
  const heap: [number, number][] = [];
  const push = (c: number, n: number) => { heap.push([c, n]); for (let i = heap.length - 1; i > 0;) { const p = (i - 1) >> 1; if (heap[p]![0] <= heap[i]![0]) break; [heap[p], heap[i]] = [heap[i]!, heap[p]!]; i = p; } };
  const pop = () => {
    const top = heap[0]!, last = heap.pop()!;
    if (heap.length) { heap[0] = last; for (let i = 0; ;) { let s = i; for (const k of [2 * i + 1, 2 * i + 2]) if (k < heap.length && heap[k]![0] < heap[s]![0]) s = k; if (s === i) break; [heap[s], heap[i]] = [heap[i]!, heap[s]!]; i = s; } }
    return top;
  };
  const guess = (i: number, j: number) => Math.abs(xs[i]! - z.x) + Math.abs(ys[j]! - z.y);
  const first = id(ai, aj, 0);
  cost.set(first, 0);
  push(guess(ai, aj), first);
  let goal = -1;
  while (heap.length) {
    const [, n] = pop();
    const d = n % 2, cell = (n - d) / 2, i = cell % w, j = (cell - i) / w, base = cost.get(n)!;
    if (i === zi && j === zj) { goal = n; break; }
    for (const [di, dj, nd] of [[1, 0, 0], [-1, 0, 0], [0, 1, 1], [0, -1, 1]] as const) {
      const ni = i + di, nj = j + dj;
      if (ni < 0 || nj < 0 || ni >= w || nj >= ys.length) continue;
      const p = { x: xs[i]!, y: ys[j]! }, q = { x: xs[ni]!, y: ys[nj]! };
      const key = (Math.min(j, nj) * w + Math.min(i, ni)) * 2 + nd;
      let ok = free.get(key);
      if (ok === undefined) free.set(key, (ok = !blocked(p, q)));
      if (!ok) continue;
      const c = base + Math.abs(q.x - p.x) + Math.abs(q.y - p.y) + (nd === d ? 0 : 60);
      const next = id(ni, nj, nd);
      if (c < (cost.get(next) ?? Infinity)) { cost.set(next, c); from.set(next, n); push(c + guess(ni, nj), next); }
    }
  }
  if (goal < 0) return [];
  const path: Point[] = [end, z];
  for (let n: number | undefined = goal; n !== undefined; n = from.get(n)) { const cell = (n - (n % 2)) / 2; path.push({ x: xs[cell % w]!, y: ys[Math.floor(cell / w)]! }); }
  path.push(start);
  return straight(path.reverse());
}
function straight(path: Point[]): Point[] {
  const once = path.filter((p, i) => !i || p.x !== path[i - 1]!.x || p.y !== path[i - 1]!.y);
  return once.filter((p, i) => {
    const a = once[i - 1], b = once[i + 1];
    return !a || !b || !((a.x === p.x && p.x === b.x) || (a.y === p.y && p.y === b.y));
  });
}

/** Every line for the boxes as they stand. */
export function lines(edges: Edge[], boxes: Map<string, Box>): { edge: Edge; points: Point[]; endOut: -1 | 1 }[] {
  const all = [...boxes.values()];
  const into = new Map<string, number>();
  return edges.flatMap((edge, i) => {
    const a = boxes.get(edge.from), b = boxes.get(edge.to);
    if (!a || !b) return [];
    const startY = a.y + (edge.row < 0 ? headHeight / 2 : headHeight + rowHeight * (edge.row + 0.5));
    // several lines into one table come in side by side
    const n = into.get(edge.to) ?? 0;
    into.set(edge.to, n + 1);
    const endY = b.y + 6 + ((n * 5) % (headHeight - 10));
    const margin = 10 + (i % 5) * 3;
    const right = a.x + a.width <= b.x ? true : b.x + b.width <= a.x ? false : undefined;
    const sides: (-1 | 1)[][] = right === true ? [[1, -1], [1, 1], [-1, -1], [-1, 1]] : right === false ? [[-1, 1], [-1, -1], [1, 1], [1, -1]] : [[1, 1], [-1, -1], [1, -1], [-1, 1]];
    for (const [so, eo] of sides as [-1 | 1, -1 | 1][]) {
      const points = route({ x: so > 0 ? a.x + a.width : a.x, y: startY }, so, { x: eo > 0 ? b.x + b.width : b.x, y: endY }, eo, all, margin);
      if (points.length) return [{ edge, points, endOut: eo }];
    }
    return [];
  });
}

export function mermaid(tables: Table[], edges: Edge[]): string {
  const name = new Map(tables.map((t) => [t.id, t.name]));
  return ['erDiagram', ...tables.flatMap((t) => [`  ${t.name} {`, ...t.fields.map((f) => `    ${f.type} ${f.name}${f.key ? ' PK' : ''}`), '  }']), ...edges.map((e) => `  ${name.get(e.from)} ${e.many ? '}o--o{' : '}o--o|'} ${name.get(e.to)} : "${e.field || 'reads'}"`)].join('\n');
}
export function dbml(list: Collection[], edges: Edge[]): string {
  const name = new Map(list.map((t) => [t.id, t.name]));
  return [...list.map((c) => `Table ${c.name} {\n${c.fields.map((f) => `  ${f.name} ${f.type}${f.name === 'id' ? ' [pk]' : f.required ? ' [not null]' : ''}`).join('\n')}\n}`), ...edges.filter((e) => e.field).map((e) => `Ref: ${name.get(e.from)}.${e.field} ${e.many ? '<>' : '>'} ${name.get(e.to)}.id`)].join('\n\n');
}
