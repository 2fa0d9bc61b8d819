import { describe, expect, it } from 'vitest';
import type { Field } from '../../src/lib/api/types';
import { chipsOf, joined, operatorsFor } from '../../src/lib/filter/chips';

const f = (type: string, more: object = {}): Field => ({ id: 'x', name: 'x', type, ...more }) as unknown as Field;
describe('chips', () => {
  it.each([
    ["a = 'b'", 1], ["a = 'b' && c.d ?~ \"e\" && f > 2", 3], ["a = 'b' || c = 1", null], ["(a = 'b')", null], ["a = 'b' && ", null], ['geoDistance(a, b, 1, 2) < 3', null], ['@now > created', 1],
  ] as [string, number | null][])('%s', (text, n) => expect(chipsOf(text)?.length ?? null).toBe(n));
  it('go back to the same text', () => { const text = "a = 'b' && c != 3"; expect(joined(chipsOf(text)!)).toBe(text); });
  it.each([
    ['text', {}, 'is', "o'k", "x = 'o\\'k'"], ['number', {}, 'gt', '5', 'x > 5'], ['bool', {}, 'yes', '', 'x = true'], ['select', { maxSelect: 3 }, 'any', 'a', "x:each ?= 'a'"], ['select', { maxSelect: 3 }, 'count', '2', 'x:length = 2'],
    ['relation', { maxSelect: 3 }, 'any', 'id', "x.id ?= 'id'"], ['file', { maxSelect: 2 }, 'empty', '', 'x:length = 0'], ['json', {}, 'empty', '', 'x = null'], ['number', {}, 'empty', '', 'x = 0'], ['geoPoint', {}, 'near', '42.7, 23.3', 'geoDistance(x.lon, x.lat, 23.3, 42.7) < 25'],
  ] as [string, object, string, string, string][])('%s %j %s', (type, more, op, value, wanted) => expect(operatorsFor(f(type, more)).find((o) => o.id === op)!.build('x', value)).toBe(wanted));
});
