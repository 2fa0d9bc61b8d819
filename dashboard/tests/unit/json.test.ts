import { describe, expect, test } from 'vitest';
import { equalJson, layoutJson, parseJson, printJson, RawNumber, type JsonObject } from '../../src/lib/api/json';

const exact = ['{"big":12345678901234567890,"z":1.10,"a":1e3}', '[1,2.50,-0,0.1,1e400]', '{"a":{"b":[{}, [] ,"x\\n\\u00e9"]}}', 'null', '"a\\\\"', '{"__proto__":1}'];
describe('exact JSON', () => {
  test.each(exact)('prints %s as it came', (text) => expect(printJson(parseJson(text))).toBe(text));
  test.each(exact)('lays out %s without changing a token', (text) => {
    const flat = layoutJson(text, 0);
    expect(layoutJson(layoutJson(text, 2), 0)).toBe(flat);
    expect(equalJson(parseJson(layoutJson(text, 2)), parseJson(text))).toBe(true);
  });
  test('keeps numbers that JavaScript would change', () => {
    const v = parseJson('{"n":12345678901234567890,"m":5}') as JsonObject;
    expect(v.n).toBeInstanceOf(RawNumber);
    expect(v.m).toBe(5);
  });
  test.each([['{"a":1,}', '1:8'], ['[1 2]', '1:4'], ['{"a":\n nul}', '2:2'], ['"x', '1:1'], ['', '1:1']])('says where %j is wrong', (text, place) => expect(() => parseJson(text)).toThrow(`(${place})`));
  test('agrees with JSON.parse on ordinary text', () => {
    const v = { a: [1, 'x\u2028"\\', null, true, { b: {} }], 'ü': -1.5 };
    expect(parseJson(JSON.stringify(v))).toEqual(v);
  });
});
