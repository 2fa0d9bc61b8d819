import { describe, expect, test } from 'vitest';
import { csvLine, guessSeparator, parseCsv } from '../../src/lib/format/csv';
import { nextRun, parseCron } from '../../src/lib/format/cron';
import { parseDate } from '../../src/lib/format/date';
import { exactSize, parseSeconds, parseSize, showSeconds } from '../../src/lib/format/size';
import { parseIndex, printIndex, renameIn } from '../../src/lib/schema/indexes';
import { countFor, statements, writes } from '../../src/pages/settings/sql-text';
import { hit, sortRules, unreachable } from '../../src/pages/settings/limits';

describe('csv', () => {
  test('round trip', () => { const rows = [['a', 'b"c', 'd,e'], ['x\ny', '', ' z ']]; expect(parseCsv(rows.map((r) => csvLine(r)).join(''))).toEqual(rows); });
  test('guards formulas', () => expect(csvLine(['=1+1'], ',', true)).toBe("'=1+1\r\n"));
  test('separators', () => { expect(guessSeparator('a;b;c\n1,5;2;3')).toBe(';'); expect(guessSeparator('a\tb')).toBe('\t'); });
});
describe('dates', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  test.each([['2026-03-01', '2026-03-01 00:00:00.000Z'], ['2026-03-01 10:00', '2026-03-01 10:00:00.000Z'], ['2026-03-01T10:00:05.123Z', '2026-03-01 10:00:05.123Z'], ['1 Mar 10:00', '2026-03-01 10:00:00.000Z'], ['+2d', '2026-03-03 12:00:00.000Z'], ['now', '2026-03-01 12:00:00.000Z'], ['2026-03-01 10:00+02:00', '2026-03-01 08:00:00.000Z'], ['', '']])('%s', (text, wanted) => expect(parseDate(text, false, now)).toBe(wanted));
  test.each(['soon', '2026-02-30', '2026-13-01', '25:00'])('refuses %s', (text) => expect(parseDate(text, false, now)).toBeNull());
});
describe('sizes', () => {
  test.each([['5 MB', 5242880], ['200kb', 204800], ['1024', 1024], ['', 0]])('%s', (text, n) => expect(parseSize(text)).toBe(n));
  test('back', () => { expect(exactSize(5242880)).toBe('5 MB'); expect(exactSize(5242881)).toBe('5242881'); expect(showSeconds(604800)).toBe('7 days'); expect(parseSeconds('7 days')).toBe(604800); });
});
describe('indexes', () => {
  test.each(['CREATE INDEX `idx_a` ON `posts` (`a`, `b` COLLATE NOCASE DESC)', "CREATE UNIQUE INDEX `idx_b` ON `posts` (`a`) WHERE `a` != ''", 'CREATE INDEX `idx_c` ON `posts` (lower(`a`))'])('%s', (sql) => expect(printIndex(parseIndex(sql)!)).toBe(sql));
  test('rename follows', () => expect(renameIn('CREATE INDEX `x` ON `t` (`old`, "old")', 'old', 'new')).toBe('CREATE INDEX `x` ON `t` (`new`, "new")'));
});
describe('crons', () => {
  test.each([['*/15 * * * *', '2026-03-01T12:15'], ['0 0 * * 0', '2026-03-08T00:00'], ['0 0 13 * 5', '2026-03-13T00:00'], ['@monthly', '2026-04-01T00:00'], ['59 23 29 2 *', '2028-02-29T23:59']])('%s', (text, wanted) => expect(nextRun(text, new Date('2026-03-01T12:00:30Z'))?.toISOString().slice(0, 16)).toBe(wanted));
  test.each(['* * *', '60 * * * *', 'x * * * *'])('refuses %s', (text) => expect(parseCron(text)).toBeNull());
});
describe('sql', () => {
  test('statements', () => expect(statements("select ';' from t; -- a;b\nupdate t set a='x''y';").map((s) => s.text)).toEqual(["select ';' from t", "-- a;b\nupdate t set a='x''y'"]));
  test.each([['select 1', false], ['  -- x\nUPDATE t SET a=1', true], ['with x as (select 1) select * from x', false], ['with x as (select 1) delete from t', true], ['PRAGMA wal', true], ['explain query plan select 1', false], ['vacuum', true]])('%s writes: %s', (sql, w) => expect(writes(sql)).toBe(w));
  test('count', () => expect(countFor("DELETE FROM posts WHERE a = 1")).toBe('SELECT count(*) FROM posts WHERE a = 1'));
});
describe('rate limits', () => {
  const rule = (label: string, audience = '') => ({ label, audience, duration: 1, maxRequests: 1 });
  test('order', () => expect(sortRules([rule('/api/'), rule('/api/batch'), rule('*:auth'), rule('POST /api/batch'), rule('users:auth')]).map((r) => r.label)).toEqual(['users:auth', '*:auth', 'POST /api/batch', '/api/batch', '/api/']));
  test('hit', () => expect(hit([rule('*:auth'), rule('/api/')], 'POST', '/api/collections/users/auth-with-password', true)?.label).toBe('*:auth'));
  test('unreachable', () => expect([...unreachable([rule('*:auth'), rule('*:auth', '@guest')])]).toEqual([1]));
});
