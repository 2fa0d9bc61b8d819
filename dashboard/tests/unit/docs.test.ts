import { describe, expect, it } from 'vitest';
import type { Collection, Field } from '../../src/lib/api/types';
import type { Call } from '../../src/lib/docs/calls';
import { languages } from '../../src/lib/docs/languages';
import { sampleBody, sampleChange, sampleParts, textFor } from '../../src/lib/docs/sample';

const f = (type: string, name: string, more: object = {}): Field => ({ id: name, name, type, system: false, hidden: false, presentable: false, required: false, help: '', ...more }) as unknown as Field;
const posts = { id: 'c1', name: 'posts', type: 'base', fields: [f('text', 'id', { autogeneratePattern: '[a-z]{15}' }), f('text', 'note'), f('text', 'title', { required: true, max: 3 }), f('number', 'n', { min: 20, onlyInt: true }), f('relation', 'by', { collectionId: 'u', maxSelect: 1 }), f('relation', 'must', { collectionId: 'x', maxSelect: 2, required: true }), f('file', 'pic', { mimeTypes: ['image/jpeg', 'image/png'] }), f('autodate', 'created'), f('text', 'secret', { hidden: true })] } as unknown as Collection;

describe('examples', () => {
  it.each([['', 'text', 'text'], ['^[a-z0-9-]*$', 'a-slug', 'a-slug'], ['^[A-Z]{3}-\\d{4}$', 'text', 'AAA-1111'], ['^\\+\\d+$', 'text', '+111'], ['(?i)abc', 'text', 'text']])('a text for %s', (pattern, fallback, wanted) => expect(textFor(pattern, fallback)).toBe(wanted));
  it('a body has required fields first, real targets, no files, dates or hidden ones', () => {
    expect(sampleBody(posts, { u: 'user1' })).toEqual({ title: 'A t', must: ['RECORD_ID'], note: 'text', n: 20, by: 'user1' });
    expect(Object.keys(sampleBody(posts, {}))[0]).toBe('title');
    expect(sampleChange(posts, {})).toEqual({ note: 'text' });
    expect(sampleParts(posts)).toEqual([{ field: 'pic', name: 'pic.png', type: 'image/png' }]);
  });
  it('an account gets its password twice', () => expect(sampleBody({ ...posts, type: 'auth', fields: [f('password', 'password', { hidden: true, required: true })] } as unknown as Collection, {})).toEqual({ password: 'a long password', passwordConfirm: 'a long password' }));
  const call: Call = { method: 'POST', path: '/api/collections/posts/records', body: { title: "it's", list: ['a'], deep: { n: 1 } }, sdk: { fn: 'create', args: [], body: { title: "it's", list: ['a'], deep: { n: 1 } }, result: 'record' } };
  it.each([
    ['js', "await pb.collection('posts').create({ title: 'it\\'s', list: ['a'], deep: { n: 1 } })"], ['dart', "create(body: {'title': 'it\\'s', 'list': ['a'], 'deep': {'n': 1}})"], ['curl', "\"title\": \"it'\\''s\""], ['fetch', "method: 'POST'"], ['rust', '.json(&serde_json::json!({'],
  ])('%s', (id, part) => expect(languages.find((l) => l.id === id)!.print(call, { base: 'http://x', collection: 'posts', caller: 'account', accounts: 'users' })).toContain(part));
  it('says who has to sign in', () => {
    for (const [caller, part] of [['guest', ''], ['account', "collection('users').authWithPassword"], ['superuser', "collection('_superusers').authWithPassword"]] as const) expect(languages[0]!.print(call, { base: 'http://x', collection: 'posts', caller, accounts: 'users' }).includes(part || 'authWithPassword')).toBe(!!part);
  });
});
