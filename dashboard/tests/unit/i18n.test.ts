import { readFileSync, readdirSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import zh from '../../src/i18n/zh-CN';

const src = new URL('../../src/', import.meta.url).pathname;
const files: string[] = [];
const walk = (dir: string): void => { for (const f of readdirSync(dir)) { const path = `${dir}${f}`; if (f === 'i18n') continue; if (statSync(path).isDirectory()) walk(`${path}/`); else if (/\.(svelte|ts)$/.test(f)) files.push(path); } };
walk(src);

/** Sentences that code shows: t('…'), text('…') of the API page, and the titles that tables of data carry. */
function sentences(text: string, tables: boolean): string[] {
  const out = [...text.matchAll(/\b(?:t|x\.text)\(\s*(?:\w+ \? )?(['"])((?:\\.|(?!\1).)*)\1(?: : (['"])((?:\\.|(?!\3).)*)\3)?/g)].flatMap((m) => [m[2]!, ...(m[4] ? [m[4]] : [])]);
  if (tables) out.push(...[...text.matchAll(/\b(?:title|label|group|note|off|text): (?:\(c\) => \([^?]*\? )?(['"])((?:\\.|(?!\1).)+)\1/g)].map((m) => m[2]!), ...[...text.matchAll(/\? '' : '((?:\\.|[^'])+)'/g)].map((m) => m[1]!), ...[...text.matchAll(/\? '([A-Z](?:\\.|[^'])+\.)' : ''/g)].map((m) => m[1]!), ...[...text.matchAll(/\['[a-z-]+', '([A-Z][^']+)', '/g)].map((m) => m[1]!));
  return out.map((s) => s.replace(/\\'/g, "'")).filter((s) => /[A-Za-z]{2}/.test(s) && !/^(API|PKCE|JSON|CSV|SVG|PNG|DBML|Mermaid|OpenAPI|TypeScript|JavaScript|Dart|Rust|curl|fetch|SQL|OTP|OAuth2|record|done|GET|POST)$/.test(s));
}
const data = /\/(app\/(pages|keys)|pages\/settings\/sections|pages\/overview\/Overview|lib\/docs\/calls|providers\/index)\.(ts|svelte)$/;

describe('languages', () => {
  it('zh-CN has every sentence', () => {
    const missing = new Set(files.flatMap((f) => sentences(readFileSync(f, 'utf8'), data.test(f))).filter((s) => !(s in zh)));
    expect([...missing]).toEqual([]);
  });
  it('keeps the placeholders', () => {
    const names = (s: string): string => [...s.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort().join();
    expect(Object.entries(zh).filter(([en, cn]) => names(en) !== names(cn))).toEqual([]);
  });
});
