// What each part of a collection's API is: example calls as data, parameters, answers. Languages print them (languages.ts).
import type { Json, JsonObject } from '../api/json';
import type { Collection, RuleName } from '../api/types';
import { isMulti, presentable } from '../schema/schema.svelte';
import { sampleBody, sampleChange, sampleParts, type KnownIds, type Part } from './sample';

/** Who has to call: nobody, an account, a superuser. */
export type Caller = 'guest' | 'account' | 'superuser';
export interface Sdk { fn: string; /** positional arguments of both SDKs; `options` is the last object in JavaScript, named arguments in Dart */ args: Json[]; options?: JsonObject; body?: JsonObject; result?: string; of?: 'collection' | 'files' | 'batch' | 'realtime' }
export interface Call { title?: string; method: string; path: string; query?: Record<string, string>; body?: JsonObject; parts?: Part[]; sdk: Sdk; stream?: boolean }
export interface Param { name: string; type: string; text: string; required?: boolean }
export interface Answer { status: number; text: string; sample?: Json }
export interface Section { id: string; title: string; auth?: boolean; rule?: RuleName; /** why it cannot be used now */ off?: (c: Collection) => string; build: (c: Context) => { text: string; calls: Call[]; params?: Param[]; answers: Answer[] } }
export interface Context { c: Collection; id: string; known: KnownIds; record: JsonObject; filter: string; sort: string; find: (id: string) => Collection | undefined; sample: (type: string, f: Collection['fields'][number]) => Json | undefined; text: (english: string, values?: Record<string, string | number>) => string }

const enc = encodeURIComponent;
const records = (c: Collection, id = ''): string => `/api/collections/${enc(c.name)}/records${id ? `/${enc(id)}` : ''}`;
const action = (c: Collection, name: string): string => `/api/collections/${enc(c.name)}/${name}`;
const plain = (o: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(o).filter(([, v]) => v));
const error = (status: number, message: string, data: JsonObject = {}): Answer => ({ status, text: message, sample: { data, message, status } });
const own = (x: Context) => (f: Collection['fields'][number]) => x.sample(f.type, f);

const relations = (c: Collection): string => c.fields.filter((f) => f.type === 'relation').slice(0, 2).map((f) => f.name).join(',');
const identity = (x: Context): string => String((x.c.passwordAuth as { identityFields?: string[] } | undefined)?.identityFields?.[0] ?? 'email');
const identityValue = (x: Context): string => String(x.record[identity(x)] || 'new.person@example.com');
const method = (c: Collection, key: 'passwordAuth' | 'otp' | 'oauth2'): boolean => (c[key] as { enabled?: boolean } | undefined)?.enabled === true;
const token = 'TOKEN_FROM_THE_MAIL';
const authAnswer = (x: Context): Json => ({ token: 'eyJhbGciOi…', record: x.record });

const listParams = (x: Context): Param[] => [
  { name: 'page', type: 'number', text: x.text('Which page; 1 when absent.') }, { name: 'perPage', type: 'number', text: x.text('Records per page; 30 when absent, 1,000 at most.') },
  { name: 'sort', type: 'text', text: x.text('Fields, separated by commas; - before one turns it around; @random.') }, { name: 'filter', type: 'text', text: x.text('A condition such as title ~ "word" && created > "2026-01-01".') },
  { name: 'skipTotal', type: 'bool', text: x.text('Without counting: faster, totals are -1.') },
];
const readParams = (x: Context): Param[] => [
  { name: 'expand', type: 'text', text: x.text('Relations whose records come with it, also across: {list}', { list: relations(x.c) || 'a.b' }) },
  { name: 'fields', type: 'text', text: x.text('Only these fields; :excerpt(200,true) shortens a text.') },
];
const bodyParams = (x: Context): Param[] => x.c.fields.filter((f) => f.type !== 'autodate' && f.name !== 'tokenKey').map((f) => ({ name: f.name, type: isMulti(f) ? `${f.type}[]` : f.type, required: f.required && !f.autogeneratePattern, text: [f.help, f.type === 'select' ? (f.values as string[]).slice(0, 12).join(' | ') : '', f.type === 'relation' ? `→ ${x.find(String(f.collectionId))?.name ?? ''}` : '', isMulti(f) ? `${f.name}+, ${f.name}-` : ''].filter(Boolean).join(' · ') }));
const notFound = (x: Context): Answer => error(404, "The requested resource wasn't found.", x ? {} : {});
const forbidden = error(403, 'Only superusers can perform this action.');

export const sections: Section[] = [
  { id: 'list', title: 'List and search', rule: 'listRule', build: (x) => {
    const expand = relations(x.c), sort = x.sort || (x.c.fields.some((f) => f.name === 'created') ? '-created' : '');
    const p = presentable(x.c)[0], filter = x.filter || (p && ['text', 'email', 'url', 'editor'].includes(p.type) ? `${p.name} ~ 'a'` : '');
    const query = plain({ filter, sort, expand });
    return { text: x.text('A page of records, those that the rule lets the caller see.'), params: [...listParams(x), ...readParams(x)],
      calls: [
        { method: 'GET', path: records(x.c), query: { page: '1', perPage: '50', ...query }, sdk: { fn: 'getList', args: [1, 50], options: query, result: 'page' } },
        { title: x.text('All of them'), method: 'GET', path: records(x.c), query: plain({ perPage: '1000', skipTotal: '1', sort }), sdk: { fn: 'getFullList', args: [], options: plain({ sort }), result: 'records' } },
        ...(filter ? [{ title: x.text('The first that matches'), method: 'GET', path: records(x.c), query: plain({ perPage: '1', skipTotal: '1', filter, expand }), sdk: { fn: 'getFirstListItem', args: [filter], options: plain({ expand }), result: 'record' } }] : []),
      ],
      answers: [{ status: 200, text: x.text('The page'), sample: { page: 1, perPage: 50, totalItems: 1, totalPages: 1, items: [x.record] } }, error(400, 'Something went wrong while processing your request.'), forbidden] };
  } },
  { id: 'view', title: 'View one', rule: 'viewRule', build: (x) => ({ text: x.text('One record by its id.'), params: readParams(x),
    calls: [{ method: 'GET', path: records(x.c, x.id), query: plain({ expand: relations(x.c) }), sdk: { fn: 'getOne', args: [x.id], options: plain({ expand: relations(x.c) }), result: 'record' } }],
    answers: [{ status: 200, text: x.text('The record'), sample: x.record }, forbidden, notFound(x)] }) },
  { id: 'create', title: 'Create', rule: 'createRule', off: (c) => (c.type === 'view' ? 'Views cannot be written.' : ''), build: (x) => {
    const body = sampleBody(x.c, x.known, own(x)), parts = sampleParts(x.c), one = parts.slice(0, 1);
    return { text: x.text('A new record. Files need a multipart body; everything else may be JSON.'), params: bodyParams(x),
      calls: [
        { method: 'POST', path: records(x.c), body, sdk: { fn: 'create', args: [], body, result: 'record' } },
        ...(one.length ? [{ title: x.text('With a file'), method: 'POST', path: records(x.c), body, parts: one, sdk: { fn: 'create', args: [], body, result: 'record' } }] : []),
      ],
      answers: [{ status: 200, text: x.text('The record'), sample: x.record }, error(400, 'Failed to create record.', { [Object.keys(body)[0] ?? 'title']: { code: 'validation_required', message: 'Cannot be blank.' } }), forbidden] };
  } },
  { id: 'update', title: 'Update', rule: 'updateRule', off: (c) => (c.type === 'view' ? 'Views cannot be written.' : ''), build: (x) => {
    const body = sampleChange(x.c, x.known, own(x));
    return { text: x.text('Changes the given fields; name+ and name- add to and take from numbers and lists.'), params: bodyParams(x),
      calls: [{ method: 'PATCH', path: records(x.c, x.id), body, sdk: { fn: 'update', args: [x.id], body, result: 'record' } }],
      answers: [{ status: 200, text: x.text('The record'), sample: x.record }, error(400, 'Failed to update record.', { [Object.keys(body)[0] ?? 'title']: { code: 'validation_invalid_value', message: 'Invalid value.' } }), forbidden, notFound(x)] };
  } },
  { id: 'delete', title: 'Delete', rule: 'deleteRule', off: (c) => (c.type === 'view' ? 'Views cannot be written.' : ''), build: (x) => ({ text: x.text('Deletes a record, and with it those whose relation says so.'),
    calls: [{ method: 'DELETE', path: records(x.c, x.id), sdk: { fn: 'delete', args: [x.id] } }],
    answers: [{ status: 204, text: x.text('Deleted') }, error(400, 'Failed to delete record. Make sure that the record is not part of a required relation reference.'), forbidden, notFound(x)] }) },
  { id: 'realtime', title: 'Realtime', rule: 'listRule', off: (c) => (c.type === 'view' ? 'Views send no events.' : ''), build: (x) => ({ text: x.text('Changes as they happen, over one stream of events. The list rule decides for *, the view rule for one id.'),
    calls: [{ method: 'GET', path: '/api/realtime', stream: true, sdk: { fn: 'subscribe', args: ['*'], of: 'realtime' } }, { title: x.text('One record'), method: 'GET', path: '/api/realtime', stream: true, sdk: { fn: 'subscribe', args: [x.id], of: 'realtime' } }],
    answers: [{ status: 200, text: x.text('A stream; each event carries'), sample: { action: 'create', record: x.record } }] }) },
  { id: 'batch', title: 'Several at once', off: (c) => (c.type === 'view' ? 'Views cannot be written.' : ''), build: (x) => {
    const body = sampleBody(x.c, x.known, own(x)), change = sampleChange(x.c, x.known, own(x));
    const requests: Json[] = [{ method: 'POST', url: records(x.c), body }, { method: 'PATCH', url: records(x.c, x.id), body: change }];
    return { text: x.text('Several writes as one transaction. It has to be enabled in the settings.'), calls: [{ method: 'POST', path: '/api/batch', body: { requests }, sdk: { fn: 'send', args: [x.id], body: { create: body, update: change }, of: 'batch', result: 'results' } }],
      answers: [{ status: 200, text: x.text('One answer per request, in order'), sample: [{ status: 200, body: x.record }] }, error(400, 'Batch transaction failed.', { requests: { '0': { code: 'batch_request_failed', message: 'Batch request failed.' } } }), error(403, 'Batch requests are not allowed.')] };
  } },
  { id: 'files', title: 'Files', off: (c) => (c.fields.some((f) => f.type === 'file') ? '' : 'This collection has no file field.'), build: (x) => {
    const f = x.c.fields.find((y) => y.type === 'file'), value = f && x.record[f.name], name = (Array.isArray(value) ? String(value[0] ?? '') : String(value ?? '')) || 'FILE_NAME';
    const secret = f?.protected === true;
    return { text: x.text(secret ? 'The address of a stored file. This one is protected: a short-lived token of the caller goes with it.' : 'The address of a stored file.'), params: [{ name: 'thumb', type: 'text', text: ((f?.thumbs as string[] | null) ?? []).join(', ') || '100x100' }, { name: 'token', type: 'text', text: x.text('For protected files: from POST /api/files/token') }, { name: 'download', type: 'bool', text: x.text('As an attachment') }],
      calls: [{ method: 'GET', path: `/api/files/${enc(x.c.name)}/${enc(x.id)}/${enc(name)}`, query: plain({ token: secret ? 'FILE_TOKEN' : '' }), sdk: { fn: 'getURL', args: [name, x.id], of: 'files', options: plain({ token: secret ? 'FILE_TOKEN' : '' }) } }],
      answers: [{ status: 200, text: x.text('The file') }, notFound(x)] };
  } },
  { id: 'auth-methods', title: 'Ways to sign in', auth: true, build: (x) => ({ text: x.text('Which ways to sign in this collection has now.'), calls: [{ method: 'GET', path: action(x.c, 'auth-methods'), sdk: { fn: 'listAuthMethods', args: [], result: 'methods' } }],
    answers: [{ status: 200, text: x.text('The ways'), sample: { mfa: { enabled: false, duration: 0 }, otp: { enabled: method(x.c, 'otp'), duration: 180 }, password: { enabled: method(x.c, 'passwordAuth'), identityFields: [identity(x)] }, oauth2: { enabled: method(x.c, 'oauth2'), providers: [] } } }] }) },
  { id: 'auth-with-password', title: 'Sign in with a password', auth: true, rule: 'authRule', off: (c) => (method(c, 'passwordAuth') ? '' : 'Not enabled in this collection.'), build: (x) => {
    const body = { identity: identityValue(x), password: 'YOUR_PASSWORD' };
    return { text: x.text('Gives a token for later requests; the SDKs keep it in their store.'), calls: [{ method: 'POST', path: action(x.c, 'auth-with-password'), body, sdk: { fn: 'authWithPassword', args: [body.identity, body.password], result: 'auth' } }], params: [{ name: 'identity', type: 'text', required: true, text: ((x.c.passwordAuth as { identityFields?: string[] } | undefined)?.identityFields ?? []).join(', ') }, { name: 'password', type: 'text', required: true, text: '' }],
      answers: [{ status: 200, text: x.text('Token and record'), sample: authAnswer(x) }, error(400, 'Failed to authenticate.'), { status: 401, text: x.text('A second factor is needed'), sample: { mfaId: 'abc123abc123abc' } }] };
  } },
  { id: 'auth-with-otp', title: 'Sign in with a code', auth: true, rule: 'authRule', off: (c) => (method(c, 'otp') ? '' : 'Not enabled in this collection.'), build: (x) => ({ text: x.text('First a code goes out by mail, then id and code are sent.'), calls: <Call[]>[
    { method: 'POST', path: action(x.c, 'request-otp'), body: { email: identityValue(x) }, sdk: { fn: 'requestOTP', args: [identityValue(x)], result: 'request' } },
    { title: x.text('Then'), method: 'POST', path: action(x.c, 'auth-with-otp'), body: { otpId: 'OTP_ID', password: '12345678' }, sdk: { fn: 'authWithOTP', args: ['OTP_ID', '12345678'], result: 'auth' } }],
    answers: [{ status: 200, text: x.text('Token and record'), sample: authAnswer(x) }, error(400, 'Failed to authenticate.')] }) },
  { id: 'auth-with-oauth2', title: 'Sign in with another service', auth: true, rule: 'authRule', off: (c) => (method(c, 'oauth2') ? '' : 'Not enabled in this collection.'), build: (x) => {
    const provider = String(((x.c.oauth2 as { providers?: { name: string }[] } | undefined)?.providers ?? [])[0]?.name ?? 'google');
    const body = { provider, code: 'CODE', codeVerifier: 'CODE_VERIFIER', redirectURL: 'https://example.com/redirect' };
    return { text: x.text('The SDKs open the window and wait; by hand, the code of the redirect is sent.'), calls: [{ method: 'POST', path: action(x.c, 'auth-with-oauth2'), body, sdk: { fn: 'authWithOAuth2', args: [], options: { provider }, result: 'auth' } }],
      answers: [{ status: 200, text: x.text('Token and record'), sample: authAnswer(x) }, error(400, 'Failed to authenticate.')] };
  } },
  { id: 'auth-refresh', title: 'Refresh', auth: true, rule: 'authRule', build: (x) => ({ text: x.text('A new token for the account that the present one belongs to.'), calls: [{ method: 'POST', path: action(x.c, 'auth-refresh'), sdk: { fn: 'authRefresh', args: [], result: 'auth' } }], answers: [{ status: 200, text: x.text('Token and record'), sample: authAnswer(x) }, error(401, 'The request requires valid record authorization token.')] }) },
  ...([['verification', 'Verification', 'requestVerification', 'confirmVerification', 'request-verification', 'confirm-verification'], ['password-reset', 'Password reset', 'requestPasswordReset', 'confirmPasswordReset', 'request-password-reset', 'confirm-password-reset'], ['email-change', 'Change of e-mail', 'requestEmailChange', 'confirmEmailChange', 'request-email-change', 'confirm-email-change']] as const).map(([id, title, ask, yes, askPath, yesPath]): Section => ({
    id, title, auth: true, off: (c) => (c.name === '_superusers' && id !== 'password-reset' ? 'Superusers have no such thing.' : ''), build: (x) => {
      const email = id === 'email-change' ? 'new.address@example.com' : identityValue(x);
      const confirm: JsonObject = id === 'verification' ? { token } : id === 'password-reset' ? { token, password: 'a new password', passwordConfirm: 'a new password' } : { token, password: 'YOUR_PASSWORD' };
      return { text: x.text('A mail with a link goes out; its token confirms. The answer never says whether the address exists.'), calls: <Call[]>[
        { method: 'POST', path: action(x.c, askPath), body: id === 'email-change' ? { newEmail: email } : { email }, sdk: { fn: ask, args: [email] } },
        { title: x.text('Then'), method: 'POST', path: action(x.c, yesPath), body: confirm, sdk: { fn: yes, args: Object.values(confirm) } }],
        answers: [{ status: 204, text: x.text('Done') }, error(400, 'An error occurred while validating the submitted data.', { token: { code: 'validation_invalid_token', message: 'Invalid or expired token.' } })] };
    } })),
  { id: 'impersonate', title: 'Act as an account', auth: true, build: (x) => ({ text: x.text('A token of another account, for superusers; it cannot be refreshed.'), calls: [{ method: 'POST', path: `${action(x.c, 'impersonate')}/${enc(x.id)}`, body: { duration: 3600 }, sdk: { fn: 'impersonate', args: [x.id, 3600], result: 'client' } }], answers: [{ status: 200, text: x.text('Token and record'), sample: authAnswer(x) }, forbidden, notFound(x)] }) },
];

/** Who an example has to sign in as, from the rule. */
export function callerOf(s: Section, c: Collection): Caller {
  if (s.id === 'impersonate') return 'superuser';
  if (['auth-refresh', 'email-change'].includes(s.id)) return 'account';
  if (s.id === 'batch') return [c.createRule, c.updateRule].some((r) => r === null) ? 'superuser' : [c.createRule, c.updateRule].some((r) => r !== '') ? 'account' : 'guest';
  if (s.auth || !s.rule) return s.id === 'files' && c.fields.some((f) => f.type === 'file' && f.protected === true) ? 'account' : 'guest';
  const rule = c[s.rule] as string | null;
  return rule === null ? 'superuser' : /@request\.auth/.test(rule) ? 'account' : 'guest';
}
