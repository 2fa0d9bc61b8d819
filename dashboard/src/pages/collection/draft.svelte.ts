// A collection being edited: fields with their removal and their old names, what changed in words, what is sent.
import { t } from '../../i18n/index.svelte';
import { copyJson, equalJson, type JsonObject } from '../../lib/api/json';
import type { Collection, Field, RuleName } from '../../lib/api/types';
import { defOf } from '../../fields';
import { parseIndex, printIndex, randomId, renameIn } from '../../lib/schema/indexes';
import { isMulti } from '../../lib/schema/schema.svelte';

export interface Row { key: string; field: Field; removed: boolean; before: Field | undefined }
export interface Change { level: 'danger' | 'normal'; text: string; field?: Field; kind?: 'drop' }
export const ruleNames: RuleName[] = ['listRule', 'viewRule', 'createRule', 'updateRule', 'deleteRule'];

export class CollectionDraft {
  readonly original: Collection | undefined;
  c = $state() as Collection;
  rows = $state<Row[]>([]);
  constructor(original: Collection | undefined, start: Collection) {
    this.original = original;
    this.take(start);
  }
  private take(start: Collection): void {
    this.c = copyJson(start);
    this.rows = start.fields.map((f) => ({ key: f.id || randomId(6), field: copyJson(f), removed: false, before: this.original?.fields.find((x) => x.id === f.id) }));
  }
  reset(): void { if (this.original) this.take(this.original); }
  replaceWith(c: Collection): void { this.take(c); }
  get isNew(): boolean { return !this.original; }
  get kept(): Row[] { return this.rows.filter((r) => !r.removed); }
  get fields(): Field[] { return this.kept.map((r) => r.field); }
  /** The collection as it would be: completion and checks see unsaved names. */
  get asCollection(): Collection { return { ...this.c, fields: this.fields } as Collection; }
  get body(): JsonObject {
    const { created: _c, updated: _u, ...rest } = $state.snapshot(this.c as unknown) as Collection;
    const out: JsonObject = { ...rest, fields: $state.snapshot(this.fields as unknown) as JsonObject[] };
    if (this.isNew) delete out.id;
    if (this.c.type === 'view') { delete out.indexes; delete out.fields; }
    return out;
  }
  get dirty(): boolean { return this.isNew ? !!this.c.name || this.rows.some((r) => !r.field.system && r.field.type !== 'autodate') : !equalJson(this.plainOriginal, this.body); }
  private get plainOriginal(): JsonObject {
    const { created: _c, updated: _u, ...rest } = this.original as Collection;
    const out: JsonObject = { ...rest };
    if (this.c.type === 'view') { delete out.indexes; delete out.fields; }
    return out;
  }

  freeName(name: string): string {
    const used = new Set(this.fields.map((f) => f.name.toLowerCase()));
    if (!used.has(name.toLowerCase())) return name;
    for (let i = 2; ; i++) if (!used.has(`${name}${i}`.toLowerCase())) return `${name}${i}`;
  }
  add(type: string, name = '', required = false): Row {
    const field = { id: '', name: this.freeName(name || type.toLowerCase()), type, system: false, hidden: false, presentable: false, required, help: '', ...defOf(type).defaults?.() } as Field;
    const row: Row = { key: randomId(6), field, removed: false, before: undefined };
    // new fields stand before the automatic dates at the end
    let at = this.rows.length;
    while (at > 0 && this.rows[at - 1]!.field.type === 'autodate') at--;
    this.rows.splice(type === 'autodate' ? this.rows.length : at, 0, row);
    return this.rows.find((r) => r.key === row.key) as Row;
  }
  duplicate(row: Row): void {
    const f = $state.snapshot(row.field as unknown) as Field;
    const copy: Row = { key: randomId(6), field: { ...f, id: '', system: false, name: this.freeName(`${f.name}_copy`) } as Field, removed: false, before: undefined };
    this.rows.splice(this.rows.indexOf(row) + 1, 0, copy);
  }
  remove(row: Row): void { if (row.before) row.removed = true; else this.rows.splice(this.rows.findIndex((r) => r.key === row.key), 1); }
  move(row: Row, by: number): void {
    const i = this.rows.findIndex((r) => r.key === row.key), to = i + by;
    if (to < 0 || to >= this.rows.length) return;
    const [x] = this.rows.splice(i, 1);
    if (x) this.rows.splice(to, 0, x);
  }
  /** Names are letters, digits and _; index columns and identity fields follow. */
  rename(row: Row, to: string): void {
    const from = row.field.name, name = to.replace(/\W+/g, '_');
    row.field.name = name;
    if (!from || !name) return;
    this.c.indexes = this.c.indexes.map((i) => renameIn(i, from, name));
    const auth = this.c.passwordAuth as { identityFields?: string[] } | undefined;
    if (auth?.identityFields?.includes(from)) auth.identityFields = auth.identityFields.map((x) => (x === from ? name : x));
  }
  renameCollection(to: string): void {
    const name = to.replace(/\W+/g, '_');
    this.c.indexes = this.c.indexes.map((i) => { const p = parseIndex(i); return p ? printIndex({ ...p, table: name }) : i; });
    this.c.name = name;
  }
  /** Places of other texts that still say an old name. */
  uses(name: string, all: Collection[]): string[] {
    const word = new RegExp(`\\b${name}\\b`);
    const out: string[] = [];
    for (const c of all) {
      const text = c.id === this.original?.id ? this.c : c;
      for (const r of [...ruleNames, 'authRule', 'manageRule'] as RuleName[]) if (typeof text[r] === 'string' && word.test(text[r] as string) && (c.id === this.original?.id || (text[r] as string).includes(this.original?.name ?? '\u0000') || word.test(text[r] as string))) out.push(`${c.name}.${r}`);
      if (c.type === 'view' && c.id !== this.original?.id && word.test(String(c.viewQuery)) && String(c.viewQuery).includes(this.original?.name ?? '\u0000')) out.push(`${c.name}.viewQuery`);
    }
    return out;
  }
  changes(all: Collection[]): Change[] {
    const o = this.original;
    const out: Change[] = [];
    if (!o) return [{ level: 'normal', text: t('A new collection “{name}”', { name: this.c.name }) }];
    if (o.name !== this.c.name) out.push({ level: 'danger', text: t('Renamed from {from} to {to}: programs that use the old name stop working', { from: o.name, to: this.c.name }) });
    for (const r of this.rows) {
      const f = r.field, b = r.before;
      if (r.removed && b) { out.push({ level: 'danger', kind: 'drop', field: b, text: t('Field {name} and its data are deleted', { name: b.name }) }); for (const u of this.uses(b.name, all)) out.push({ level: 'danger', text: t('{place} still says {name}', { place: u, name: b.name }) }); continue; }
      if (!b) { out.push({ level: 'normal', text: t('New field {name} ({type})', { name: f.name, type: f.type }) }); continue; }
      if (b.name !== f.name) { out.push({ level: 'danger', text: t('Field {from} is renamed to {to}', { from: b.name, to: f.name }) }); for (const u of this.uses(b.name, all)) out.push({ level: 'danger', text: t('{place} still says {name}', { place: u, name: b.name }) }); }
      if (isMulti(b) && !isMulti(f)) out.push({ level: 'danger', text: t('Field {name} keeps only the last of several values', { name: f.name }) });
      const plain = $state.snapshot(f as unknown) as JsonObject;
      const keys = Object.keys({ ...b, ...plain }).filter((k) => k !== 'name' && !equalJson(b[k], plain[k]));
      if (keys.length) out.push({ level: 'normal', text: t('Field {name}: {keys}', { name: f.name, keys: keys.join(', ') }) });
    }
    if (!equalJson(o.fields.map((f) => f.id), this.rows.filter((r) => r.before).map((r) => r.before?.id))) out.push({ level: 'normal', text: t('Order of the fields') });
    for (const i of o.indexes) if (!this.c.indexes.includes(i)) out.push({ level: 'normal', text: t('Index removed: {sql}', { sql: i }) });
    for (const i of this.c.indexes) if (!o.indexes.includes(i)) out.push({ level: 'normal', text: t('Index added: {sql}', { sql: i }) });
    for (const r of [...ruleNames, 'authRule', 'manageRule'] as RuleName[]) {
      if (!(r in this.c) || o[r] === this.c[r]) continue;
      const wider = this.c[r] === '' || o[r] === null;
      out.push({ level: wider ? 'danger' : 'normal', text: t('{rule}: {from} → {to}', { rule: r, from: ruleText(o[r] as string | null), to: ruleText(this.c[r] as string | null) }) });
    }
    const covered = new Set(['fields', 'indexes', 'name', 'created', 'updated', ...ruleNames, 'authRule', 'manageRule']);
    for (const k of Object.keys(this.c)) if (!covered.has(k) && !equalJson(o[k], ($state.snapshot(this.c as unknown) as JsonObject)[k])) out.push({ level: 'normal', text: t('Changed: {keys}', { keys: k }) });
    return out;
  }
}
export const ruleText = (r: string | null | undefined): string => (r === null || r === undefined ? t('superusers only') : r === '' ? t('everyone') : r);
