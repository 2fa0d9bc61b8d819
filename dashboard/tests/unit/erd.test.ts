import { describe, expect, it } from 'vitest';
import type { Collection } from '../../src/lib/api/types';
import { crosses, dbml, edgesOf, lines, mermaid, place, tablesOf, type Box } from '../../src/lib/schema/erd';

const collection = (i: number, to: number[], fields = 4): Collection => ({ id: `c${i}`, name: `table_${i}`, type: 'base', system: false, indexes: [], fields: [{ id: 'id', name: 'id', type: 'text' }, ...Array.from({ length: fields }, (_, k) => ({ id: `f${k}`, name: `f${k}`, type: 'text' })), ...to.map((t, k) => ({ id: `r${k}`, name: `r${k}`, type: 'relation', collectionId: `c${t}`, maxSelect: k % 2 ? 5 : 1 }))] }) as unknown as Collection;
const boxesOf = (list: Collection[], shift = 0): { boxes: Map<string, Box>; edges: ReturnType<typeof edgesOf> } => {
  const tables = tablesOf(list), edges = edgesOf(list, tables), at = place(tables, edges);
  return { edges, boxes: new Map(tables.map((t, i) => { const p = at.get(t.id)!; return [t.id, { id: t.id, width: t.width, height: t.height, x: p.x + (i % 3) * shift, y: p.y + (i % 2) * shift }]; })) };
};
// 30 collections: chains, stars, a circle, one that points to itself, a wide one
const thirty = Array.from({ length: 30 }, (_, i) => collection(i, i === 0 ? [29] : i === 7 ? [7, 3] : i % 4 === 0 ? [i - 1, 0, (i * 7) % 30] : [(i * 5) % 30], i % 6 === 5 ? 40 : i % 5));

describe('diagram', () => {
  for (const [what, shift] of [['as laid out', 0], ['after tables were moved', 17]] as const) {
    it(`no line crosses a table: ${what}`, () => {
      const { boxes, edges } = boxesOf(thirty, shift);
      const drawn = lines(edges, boxes);
      expect(drawn.length).toBe(edges.length);
      for (const l of drawn) for (let i = 1; i < l.points.length; i++) { expect(l.points[i - 1]!.x === l.points[i]!.x || l.points[i - 1]!.y === l.points[i]!.y).toBe(true); for (const b of boxes.values()) expect(crosses(l.points[i - 1]!, l.points[i]!, b), `${l.edge.from}.${l.edge.field} through ${b.id}`).toBe(false); }
    });
  }
  it('tables do not overlap', () => {
    const all = [...boxesOf(thirty).boxes.values()];
    for (const a of all) for (const b of all) if (a !== b) expect(a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height).toBe(false);
  });
  it('says the same as Mermaid and DBML', () => {
    const list = [collection(0, []), collection(1, [0])];
    const tables = tablesOf(list), edges = edgesOf(list, tables);
    expect(mermaid(tables, edges)).toContain('table_1 }o--o| table_0 : "r0"');
    expect(dbml(list, edges)).toContain('Ref: table_1.r0 > table_0.id');
  });
});
