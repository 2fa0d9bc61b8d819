import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Collection } from '../../src/lib/api/types';

const f = (name: string, type = 'text', more: object = {}) => ({ id: name, name, type, hidden: false, presentable: false, ...more });
const users = { id: 'u', name: 'users', type: 'auth', fields: [f('id'), f('name'), f('email', 'email')] };
const posts = { id: 'p', name: 'posts', type: 'base', fields: [f('id'), f('title'), f('status', 'select', { values: ['draft', 'published'], maxSelect: 1 }), f('views', 'number'), f('author', 'relation', { collectionId: 'u', maxSelect: 1 }), f('meta', 'json'), f('created', 'autodate')] };
const comments = { id: 'c', name: 'comments', type: 'base', fields: [f('id'), f('text'), f('post', 'relation', { collectionId: 'p', maxSelect: 1 })] };
const all = [users, posts, comments] as unknown as Collection[];
const scope = { collection: all[1], find: (n: string) => all.find((c) => c.name === n || c.id === n), all };
let check: typeof import('../../src/lib/filter/check').check, complete: typeof import('../../src/lib/filter/complete').complete, words: typeof import('../../src/lib/filter/words').wordsToFilter;
beforeAll(async () => {
  vi.stubGlobal('location', { pathname: '/_/', origin: 'http://x', href: 'http://x/_/', hash: '' });
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
  ({ check } = await import('../../src/lib/filter/check'));
  ({ complete } = await import('../../src/lib/filter/complete'));
  ({ wordsToFilter: words } = await import('../../src/lib/filter/words'));
});
describe('check', () => {
  test.each(["title = 'a'", "author.name ~ 'ann' && (views > 3 || status != 'draft')", "comments_via_post.text ?~ 'x'", 'created > @now', "@request.auth.id = author", "@collection.users.name = title", "meta.a.b = 1", "title:lower = 'a'", "geoDistance(meta.lon, meta.lat, 23.3, 42.7) < 25", "@request.body.title:isset = true", "title = 'a' // why", ''])('takes %s', (text) => expect(check(text, scope)).toBeNull());
  test.each([
    ["author.name ~ 'ann' && bogus = 1", 'bogus', 'unknown field'], ["titel = 'a'", 'titel', 'did you mean title'], ["author.nam = 'a'", 'nam', 'did you mean name'], ['title =', '=', 'missing'], ["(title = 'a'", '(', 'missing'], ["title = 'a' status = 'b'", 'status', '&&'], ["title = 'a", "'a", 'closing quote'],
    ["title.x = 1", 'title', 'no relation'], ["@collection.nope.x = 1", 'nope', 'unknown collection'], ['nofn(1) = 2', 'nofn', 'unknown function'], ["title = 'a' )", ')', 'closes nothing'], ['title', 'title', 'comparison'],
  ])('finds what is wrong in %s', (text, part, message) => {
    const p = check(text, scope);
    expect(p?.message).toContain(message);
    expect(text.slice(p!.start, p!.end)).toBe(part);
  });
});
describe('complete', () => {
  const labels = (text: string) => complete(text, text.length, scope)?.options.map((o) => o.label) ?? [];
  test.each([['author.', ['name', 'email']], ['comments_via_post.', ['text']], ['status = ', ['draft', 'published']], ['@', ['@now', '@request.auth.']], ['ti', ['title']], ['title ', ['=', '~']], ["title = 'a' ", ['&&', '||']], ['@request.', ['auth.']], ['geo', ['geoDistance()']], ['comm', ['comments_via_post']]])('%s offers', (text, wanted) => expect(labels(text)).toEqual(expect.arrayContaining(wanted)));
});
describe('words', () => {
  test('dates are not searched for a number', () => expect(words('12', all[1]!)).not.toContain('created'));
  test('numbers are searched for a number', () => expect(words('12', all[1]!)).toContain('views = 12'));
  test('an id is looked up', () => expect(words('abcdefghij12345', all[1]!)).toContain("id = 'abcdefghij12345'"));
  test('full text first', () => expect(words('index guide', { ...all[1]!, fields: [...all[1]!.fields, { ...f('body', 'editor'), fullText: true }] } as unknown as Collection)).toMatch(/^fts\(body, 'index guide'\) = true/));
  test('quotes are harmless', () => expect(check(words("o'neil \\", all[1]!), scope)).toBeNull());
});
