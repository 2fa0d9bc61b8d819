// One record being edited: what is stored, what was touched, what goes to the server. Only touched fields are ever sent.
import { t } from '../../i18n/index.svelte';
import { call, enc, get } from '../../lib/api/client';
import { ApiError, issuesOf, messageOf, type Issues } from '../../lib/api/errors';
import { copyJson, equalJson, printJson, type Json, type JsonObject } from '../../lib/api/json';
import type { Collection, Field, Rec } from '../../lib/api/types';
import { defOf, emptyOf } from '../../fields';
import { JsonText } from '../../fields/Json.svelte';
import type { Value } from '../../fields/types';
import { onUpdateField } from '../../lib/schema/schema.svelte';

const draftLife = 7 * 86_400_000;
const secret = new Set(['password', 'secret', 'file']);
export interface Conflict { field: Field; theirs: Json; mine: Value }
interface Draft { at: number; values: Record<string, unknown> }

export class RecordForm {
  readonly collection: Collection;
  /** empty for a new record */
  id = $state('');
  base = $state.raw<Rec | undefined>(undefined);
  /** the base holds every field, not only those of the list */
  whole = $state(false);
  values = $state.raw<Record<string, Value>>({});
  issues = $state.raw<Issues>({});
  error = $state('');
  saving = $state(false);
  progress = $state(0);
  /** fields that somebody else changed and that were taken over */
  merged = $state.raw<Set<string>>(new Set());
  draft = $state.raw<Draft | null>(null);
  savedAt = $state(0);
  conflicts = $state.raw<Conflict[]>([]);
  gone = $state(false);
  private loadedAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private start: Record<string, Value> = {};

  constructor(collection: Collection, id: string, row?: Rec, start: Record<string, Value> = {}) {
    this.collection = collection;
    this.id = id;
    this.start = start;
    if (row) { this.base = row; this.loadedAt = Date.now(); }
    if (!id) { this.whole = true; this.values = { ...start }; }
    this.draft = this.readDraft();
  }
  get isNew(): boolean { return !this.id; }
  get changed(): Field[] { return this.collection.fields.filter((f) => f.name in this.values); }
  get dirty(): boolean { return this.isNew ? !equalJson(this.plain(this.values), this.plain(this.start)) : this.changed.length > 0; }
  private plain(v: Record<string, Value>): Record<string, unknown> { return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, x instanceof JsonText ? x.text : x])); }

  /** Lists carry excerpts of long fields: such a field waits for the whole record. */
  known(f: Field): boolean { return this.whole || (!!this.base && f.name in this.base && !defOf(f.type).select); }
  value(f: Field): Value {
    if (f.name in this.values) return this.values[f.name];
    return (this.base?.[f.name] ?? (this.base ? undefined : emptyOf(f))) as Value;
  }
  set(f: Field, v: Value): void {
    const next = { ...this.values };
    const stored = this.base?.[f.name];
    const same = v instanceof JsonText ? this.base && v.text === printJson(stored ?? null) : this.base ? equalJson(v, stored ?? emptyOf(f)) : equalJson(v, emptyOf(f));
    if (same) delete next[f.name]; else next[f.name] = v;
    this.values = next;
    if (Object.keys(this.issues).some((k) => k === f.name || k.startsWith(`${f.name}.`))) this.issues = Object.fromEntries(Object.entries(this.issues).filter(([k]) => k !== f.name && !k.startsWith(`${f.name}.`)));
    this.keepDraft();
  }
  revert(f: Field): void { const next = { ...this.values }; delete next[f.name]; this.values = next; this.keepDraft(); }
  discard(): void { this.values = {}; this.issues = {}; this.error = ''; this.dropDraft(); }

  async load(signal?: AbortSignal): Promise<void> {
    if (this.isNew) return;
    const expand = this.collection.fields.filter((f) => f.type === 'relation').map((f) => f.name).join(',');
    try {
      const r = await get<Rec>(`/api/collections/${enc(this.collection.name)}/records/${enc(this.id)}`, { expand }, signal ? { signal } : {});
      this.base = r;
      this.whole = true;
      this.loadedAt = Date.now();
    } catch (e) {
      const status = (e as { status?: number }).status;
      if (status === 404) this.gone = true;
      if (status !== -1) this.error = messageOf(e);
    }
  }

  /** The body: touched fields as the field type sends them, files apart. */
  body(): { json: JsonObject; files: [string, File][] } {
    const json: JsonObject = {}, files: [string, File][] = [];
    for (const f of this.changed) {
      const def = defOf(f.type);
      if (def.readonly) continue;
      let v = this.values[f.name];
      if (Array.isArray(v) && v.some((x) => x instanceof File)) {
        for (const x of v) if (x instanceof File) files.push([f.name, x]);
        v = v.filter((x) => typeof x === 'string');
        if (Number(f.maxSelect ?? 1) <= 1) continue;
      } else if (f.type === 'file' && Array.isArray(v) && Number(f.maxSelect ?? 1) <= 1) v = (v[0] as string | undefined) ?? '';
      const out = def.send ? def.send(v, f) : (v as Json);
      if (out === undefined) continue;
      json[f.name] = out;
      if (f.type === 'password' && this.collection.type === 'auth') json.passwordConfirm = out;
    }
    return { json, files };
  }

  /** False when it was not saved: refused, offline, or somebody else changed the same field. */
  async save(): Promise<Rec | null> {
    if (this.saving) return null;
    this.saving = true;
    this.error = '';
    this.issues = {};
    try {
      if (!this.isNew && Date.now() - this.loadedAt > 1000 && (await this.conflicting())) return null;
      return await this.write();
    } catch (e) {
      if (e instanceof ApiError && e.status === 409) { this.conflicts = this.differing(e.data as Rec, this.changed); if (this.conflicts.length) return null; }
      this.issues = issuesOf(e);
      const known = Object.keys(this.issues).some((k) => this.collection.fields.some((f) => k === f.name || k.startsWith(`${f.name}.`)));
      const rest = Object.entries(this.issues).filter(([k]) => !this.collection.fields.some((f) => k === f.name || k.startsWith(`${f.name}.`)));
      this.error = known && !rest.length ? '' : [rest.length ? '' : messageOf(e), ...rest.map(([k, m]) => `${k}: ${m}`)].filter(Boolean).join('\n');
      if ((e as { status?: number }).status === 404) this.gone = true;
      return null;
    } finally { this.saving = false; this.progress = 0; }
  }
  private async conflicting(): Promise<boolean> {
    const fields = this.changed.filter((f) => !defOf(f.type).unlisted && this.base && f.name in this.base);
    if (!fields.length) return false;
    const now = await get<Rec>(`/api/collections/${enc(this.collection.name)}/records/${enc(this.id)}`, { fields: ['id', ...fields.map((f) => f.name)].join(',') });
    this.conflicts = this.differing(now, fields);
    return this.conflicts.length > 0;
  }
  /** After the three-way dialog: their value becomes the base, mine stays or goes. */
  settle(mine: Set<string>): void {
    const base = copyJson(this.base ?? {}) as Rec;
    const values = { ...this.values };
    for (const c of this.conflicts) { base[c.field.name] = c.theirs; if (!mine.has(c.field.name)) delete values[c.field.name]; }
    this.base = base;
    this.values = values;
    this.conflicts = [];
    this.loadedAt = Date.now();
    this.keepDraft();
  }
  /** The values that must still be there (A22): closes the gap between the look before a save and the save. Other servers ignore it. */
  private precondition(): Record<string, string> {
    const base = this.base;
    if (this.isNew || !base) return {};
    const parts: string[] = [];
    for (const f of this.changed) {
      const v = base[f.name];
      if (defOf(f.type).unlisted || defOf(f.type).select || !(f.name in base) || !['string', 'number', 'boolean'].includes(typeof v) || String(v).length > 300) continue;
      parts.push(`${f.name}=${encodeURIComponent(String(v))}`);
    }
    return parts.length ? { 'x-if-unchanged': parts.join(';') } : {};
  }
  private differing(now: Rec, fields: Field[]): Conflict[] {
    return fields.filter((f) => this.base && !equalJson(now[f.name], this.base[f.name]) && !equalJson(now[f.name], this.values[f.name])).map((field) => ({ field, theirs: now[field.name] ?? null, mine: this.values[field.name] }));
  }
  private async write(): Promise<Rec> {
    const { json, files } = this.body();
    const path = `/api/collections/${enc(this.collection.name)}/records${this.isNew ? '' : `/${enc(this.id)}`}`;
    const method = this.isNew ? 'POST' : 'PATCH';
    const query = { expand: this.collection.fields.filter((f) => f.type === 'relation').map((f) => f.name).join(',') };
    let saved: Rec;
    if (files.length) {
      const form = new FormData();
      form.set('@jsonPayload', printJson(json));
      for (const [name, file] of files) form.append(name, file, file.name);
      saved = await call<Rec>(method, path, { query, form, progress: (a, b) => { this.progress = b ? a / b : 0; } });
    } else saved = await call<Rec>(method, path, { query, body: json, headers: this.precondition() });
    const before = this.base;
    const touched = new Set(this.changed.map((f) => f.name));
    this.merged = new Set(before && this.whole ? this.collection.fields.filter((f) => !touched.has(f.name) && !defOf(f.type).readonly && f.name in before && !equalJson(before[f.name], saved[f.name])).map((f) => f.name) : []);
    this.dropDraft();
    this.base = saved;
    this.id = saved.id;
    this.whole = true;
    this.values = {};
    this.loadedAt = this.savedAt = Date.now();
    return saved;
  }
  get updated(): string { const f = onUpdateField(this.collection); return f ? String(this.base?.[f.name] ?? '') : ''; }

  private get draftKey(): string { return `draft_${this.collection.id}_${this.id || 'new'}`; }
  private keepDraft(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.writeDraft(), 500);
  }
  writeDraft(): void {
    clearTimeout(this.timer);
    const values: Record<string, unknown> = {};
    for (const f of this.changed) {
      if (secret.has(f.type) || f.name === 'tokenKey') continue;
      const v = this.values[f.name];
      values[f.name] = v instanceof JsonText ? { $json: v.text } : v;
    }
    try {
      if (Object.keys(values).length) localStorage.setItem(this.draftKey, printJson({ at: Date.now(), values }));
      else localStorage.removeItem(this.draftKey);
    } catch { /* full: the form itself still holds everything */ }
  }
  private readDraft(): Draft | null {
    try {
      const d = JSON.parse(localStorage.getItem(this.draftKey) ?? 'null') as Draft | null;
      if (!d || Date.now() - d.at > draftLife) { localStorage.removeItem(this.draftKey); return null; }
      return Object.keys(d.values).length ? d : null;
    } catch { return null; }
  }
  restoreDraft(): void {
    const values = { ...this.values };
    for (const [k, v] of Object.entries(this.draft?.values ?? {})) {
      const text = (v as { $json?: string } | null)?.$json;
      if (this.collection.fields.some((f) => f.name === k)) values[k] = text !== undefined ? (new JsonText(text) as unknown as Value) : (v as Value);
    }
    this.values = values;
    this.draft = null;
  }
  dropDraft(): void { clearTimeout(this.timer); this.draft = null; try { localStorage.removeItem(this.draftKey); } catch { /* off */ } }
  /** What a preview of the server's check says; never in the way of saving. */
  hint(f: Field): string {
    if (!(f.name in this.values)) return '';
    const def = defOf(f.type), v = this.value(f);
    if (f.required && !this.isNew && !def.unlisted && equalJson(v, emptyOf(f)) && !f.autogeneratePattern) return t('required');
    return def.check?.(v, f) ?? '';
  }
}
