// The languages of the examples. A new one is one entry: a function from a call to its text.
import type { Json, JsonObject } from '../api/json';
import type { Call, Caller } from './calls';

export interface Setting { base: string; collection: string; caller: Caller; /** the auth collection that an account signs in to */ accounts: string }
export interface Language { id: string; label: string; print: (call: Call, s: Setting) => string }

const name = (k: string): string => (/^[A-Za-z_$][\w$]*$/.test(k) ? k : `'${k}'`);
const single = (s: string): string => `'${s.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n')}'`;
/** A value as JavaScript writes it; short objects on one line. */
function js(v: Json | undefined, depth = 0): string {
  if (typeof v === 'string') return single(v);
  if (v === null || v === undefined || typeof v !== 'object') return String(v);
  if (Array.isArray(v)) return `[${v.map((x) => js(x, depth)).join(', ')}]`;
  if (!('length' in v) && Object.keys(v).length === 0) return '{}';
  const parts = Object.entries(v as JsonObject).map(([k, x]) => `${name(k)}: ${js(x, depth + 1)}`);
  const line = `{ ${parts.join(', ')} }`;
  return line.length < 72 - depth * 2 ? line : `{\n${parts.map((p) => `${'  '.repeat(depth + 1)}${p},`).join('\n')}\n${'  '.repeat(depth)}}`;
}
function dart(v: Json | undefined, depth = 0): string {
  if (typeof v === 'string') return single(v).replace(/\$/g, '\\$');
  if (v === null || v === undefined || typeof v !== 'object') return String(v);
  if (Array.isArray(v)) return `[${v.map((x) => dart(x, depth)).join(', ')}]`;
  const parts = Object.entries(v as JsonObject).map(([k, x]) => `${single(k)}: ${dart(x, depth + 1)}`);
  const line = `{${parts.join(', ')}}`;
  return line.length < 72 - depth * 2 ? line : `{\n${parts.map((p) => `${'  '.repeat(depth + 1)}${p},`).join('\n')}\n${'  '.repeat(depth)}}`;
}
const has = (o: JsonObject | undefined): o is JsonObject => !!o && Object.keys(o).length > 0;
const address = (c: Call, s: Setting): string => { const q = new URLSearchParams(c.query ?? {}).toString(); return `${s.base}${c.path}${q ? `?${q}` : ''}`; };
const pretty = (v: Json): string => JSON.stringify(v, null, 2);
const needsToken = (s: Setting): boolean => s.caller !== 'guest';

function jsText(c: Call, s: Setting): string {
  const lines = ["import PocketBase from 'pocketbase';", '', `const pb = new PocketBase(${single(s.base)});`];
  if (s.caller === 'superuser') lines.push("await pb.collection('_superusers').authWithPassword('YOUR_EMAIL', 'YOUR_PASSWORD');");
  if (s.caller === 'account') lines.push(`await pb.collection(${single(s.accounts)}).authWithPassword('YOUR_EMAIL', 'YOUR_PASSWORD');`);
  lines.push('');
  const coll = `pb.collection(${single(s.collection)})`, a = c.sdk;
  const result = a.result ? `const ${a.result} = ` : '';
  if (a.of === 'realtime') lines.push(`await ${coll}.subscribe(${js(a.args[0])}, (event) => {`, '  console.log(event.action, event.record);', '});', '', '// later', `await ${coll}.unsubscribe(${js(a.args[0])});`);
  else if (a.of === 'files') lines.push(...(has(a.options) ? ['const token = await pb.files.getToken();'] : []), `const url = pb.files.getURL({ id: ${js(a.args[1])}, collectionName: ${single(s.collection)} }, ${js(a.args[0])}${has(a.options) ? ', { token }' : ''});`);
  else if (a.of === 'batch') lines.push('const batch = pb.createBatch();', `batch.collection(${single(s.collection)}).create(${js(a.body?.create)});`, `batch.collection(${single(s.collection)}).update(${js(a.args[0])}, ${js(a.body?.update)});`, `${result}await batch.send();`);
  else {
    const args = a.args.map((x) => js(x));
    const files = c.parts ?? [];
    if (a.body) args.push(files.length ? js(a.body).replace(/\s*}$/, '').replace(/([^,{])$/, '$1,').concat(`\n${files.map((f) => `  ${name(f.field)}: new File(['content'], ${single(f.name)}, { type: ${single(f.type)} }),`).join('\n')}\n}`) : js(a.body));
    if (has(a.options)) args.push(js(a.options));
    lines.push(`${result}await ${coll}.${a.fn}(${args.join(', ')});`);
  }
  return lines.join('\n');
}
function dartText(c: Call, s: Setting): string {
  const lines = ["import 'package:pocketbase/pocketbase.dart';", ...(c.parts?.length ? ["import 'package:http/http.dart' as http;"] : []), '', `final pb = PocketBase(${single(s.base)});`];
  if (needsToken(s)) lines.push(`await pb.collection(${single(s.caller === 'superuser' ? '_superusers' : s.accounts)}).authWithPassword('YOUR_EMAIL', 'YOUR_PASSWORD');`);
  lines.push('');
  const coll = `pb.collection(${single(s.collection)})`, a = c.sdk;
  const result = a.result ? `final ${a.result} = ` : '';
  if (a.of === 'realtime') lines.push(`await ${coll}.subscribe(${dart(a.args[0])}, (event) {`, '  print(event.action);', '  print(event.record);', '});', '', '// later', `await ${coll}.unsubscribe(${dart(a.args[0])});`);
  else if (a.of === 'files') lines.push(`final record = await ${coll}.getOne(${dart(a.args[1])});`, ...(has(a.options) ? ['final token = await pb.files.getToken();'] : []), `final url = pb.files.getURL(record, ${dart(a.args[0])}${has(a.options) ? ', token: token' : ''});`);
  else if (a.of === 'batch') lines.push('final batch = pb.createBatch();', `batch.collection(${single(s.collection)}).create(body: ${dart(a.body?.create)});`, `batch.collection(${single(s.collection)}).update(${dart(a.args[0])}, body: ${dart(a.body?.update)});`, `${result}await batch.send();`);
  else if (a.fn === 'authWithOAuth2') lines.push(`${result}await ${coll}.authWithOAuth2(${dart(a.options?.provider)}, (url) async {`, '  // open the address in a browser', '});');
  else {
    const paging = a.fn === 'getList';
    const args = paging ? [`page: ${a.args[0]}`, `perPage: ${a.args[1]}`] : a.fn === 'impersonate' ? [dart(a.args[0]), dart(a.args[1])] : a.args.map((x) => dart(x));
    if (a.body) args.push(`body: ${dart(a.body)}`);
    if (c.parts?.length) args.push(`files: [${c.parts.map((f) => `http.MultipartFile.fromString(${single(f.field)}, 'content', filename: ${single(f.name)})`).join(', ')}]`);
    for (const [k, v] of Object.entries(a.options ?? {})) args.push(`${k}: ${dart(v)}`);
    lines.push(`${result}await ${coll}.${a.fn}(${args.join(', ')});`);
  }
  return lines.join('\n');
}
const shell = (s: string): string => `'${s.replace(/'/g, `'\\''`)}'`;
function curlText(c: Call, s: Setting): string {
  if (c.stream) return [`# the stream says its client id first`, `curl -N ${shell(`${s.base}/api/realtime`)}`, '', '# then, with that id, say what you want', `curl -X POST ${shell(`${s.base}/api/realtime`)} \\`, ...(needsToken(s) ? ["  -H 'Authorization: TOKEN' \\"] : []), "  -H 'Content-Type: application/json' \\", `  -d ${shell(JSON.stringify({ clientId: 'CLIENT_ID', subscriptions: [`${s.collection}/${c.sdk.args[0]}`] }))}`].join('\n');
  const parts = [`curl ${c.method === 'GET' ? '' : `-X ${c.method} `}${shell(address(c, s))}`];
  if (needsToken(s)) parts.push("-H 'Authorization: TOKEN'");
  if (c.parts?.length) parts.push(`-F ${shell(`@jsonPayload=${JSON.stringify(c.body ?? {})}`)}`, ...c.parts.map((f) => `-F ${shell(`${f.field}=@${f.name};type=${f.type}`)}`));
  else if (c.body) parts.push("-H 'Content-Type: application/json'", `-d ${shell(pretty(c.body))}`);
  return parts.join(' \\\n  ');
}
function fetchText(c: Call, s: Setting): string {
  if (c.stream) return [`const stream = new EventSource(${single(`${s.base}/api/realtime`)});`, "stream.addEventListener('PB_CONNECT', async (e) => {", '  const { clientId } = JSON.parse(e.data);', `  await fetch(${single(`${s.base}/api/realtime`)}, {`, "    method: 'POST',", `    headers: { 'Content-Type': 'application/json'${needsToken(s) ? ", Authorization: 'TOKEN'" : ''} },`, `    body: JSON.stringify({ clientId, subscriptions: [${single(`${s.collection}/${c.sdk.args[0]}`)}] }),`, '  });', '});', `stream.addEventListener(${single(`${s.collection}/${c.sdk.args[0]}`)}, (e) => console.log(JSON.parse(e.data)));`].join('\n');
  const headers = [...(c.body && !c.parts?.length ? ["'Content-Type': 'application/json'"] : []), ...(needsToken(s) ? ["Authorization: 'TOKEN'"] : [])];
  const lines: string[] = [];
  if (c.parts?.length) lines.push('const form = new FormData();', `form.set('@jsonPayload', JSON.stringify(${js(c.body ?? {})}));`, ...c.parts.map((f) => `form.append(${single(f.field)}, new File(['content'], ${single(f.name)}, { type: ${single(f.type)} }));`), '');
  const o = [...(c.method === 'GET' ? [] : [`method: ${single(c.method)}`]), ...(headers.length ? [`headers: { ${headers.join(', ')} }`] : []), ...(c.parts?.length ? ['body: form'] : c.body ? [`body: JSON.stringify(${js(c.body, 1)})`] : [])];
  lines.push(`const response = await fetch(${single(address(c, s))}${o.length ? `, {\n${o.map((x) => `  ${x},`).join('\n')}\n}` : ''});`, "if (!response.ok) throw new Error(await response.text());", c.method === 'DELETE' ? '' : 'const result = await response.json();');
  return lines.join('\n').trimEnd();
}
function rustText(c: Call, s: Setting): string {
  const q = Object.entries(c.query ?? {});
  const lines = ['// reqwest with the features json, multipart and stream; serde_json', `let answer = reqwest::Client::new()`, `    .${c.method.toLowerCase()}(${JSON.stringify(`${s.base}${c.path}`)})`];
  if (q.length) lines.push(`    .query(&[${q.map(([k, v]) => `(${JSON.stringify(k)}, ${JSON.stringify(v)})`).join(', ')}])`);
  if (needsToken(s)) lines.push('    .header("Authorization", token)');
  if (c.parts?.length) lines.push('    .multipart(', '        reqwest::multipart::Form::new()', `            .text("@jsonPayload", serde_json::json!(${pretty(c.body ?? {}).replace(/\n/g, '\n            ')}).to_string())`, ...c.parts.map((f) => `            .part(${JSON.stringify(f.field)}, reqwest::multipart::Part::text("content").file_name(${JSON.stringify(f.name)}))`), '    )');
  else if (c.body) lines.push(`    .json(&serde_json::json!(${pretty(c.body).replace(/\n/g, '\n    ')}))`);
  lines.push('    .send()', '    .await?', '    .error_for_status()?', c.stream ? '    .bytes_stream(); // events, separated by empty lines; POST /api/realtime says which' : c.method === 'DELETE' ? '    .status();' : '    .json::<serde_json::Value>()', ...(c.stream || c.method === 'DELETE' ? [] : ['    .await?;']));
  return lines.join('\n');
}

export const languages: Language[] = [
  { id: 'js', label: 'JavaScript', print: jsText },
  { id: 'dart', label: 'Dart', print: dartText },
  { id: 'curl', label: 'curl', print: curlText },
  { id: 'fetch', label: 'fetch', print: fetchText },
  { id: 'rust', label: 'Rust', print: rustText },
];
