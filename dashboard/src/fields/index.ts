// All field types: every .svelte file of this folder is one. Nothing else has to be touched for a new type.
import type { Field } from '../lib/api/types';
import type { Json } from '../lib/api/json';
import { isMulti, textOf } from '../lib/schema/schema.svelte';
import type { FieldDef, FieldModule } from './types';

const modules = import.meta.glob<FieldModule>('./*.svelte', { eager: true });
const order = ['text', 'editor', 'number', 'bool', 'email', 'url', 'date', 'autodate', 'select', 'file', 'relation', 'json', 'geoPoint', 'password', 'secret'];
export const fieldDefs: FieldDef[] = Object.values(modules)
  .map((m) => ({ ...m.field, form: m.default }))
  .sort((a, b) => (order.indexOf(a.type) + 1 || 99) - (order.indexOf(b.type) + 1 || 99));
const byType = new Map(fieldDefs.map((d) => [d.type, d]));

export const defOf = (type: string): FieldDef => byType.get(type) ?? (byType.get('unknown') as FieldDef);
export const emptyOf = (f: Field): Json => (isMulti(f) ? [] : defOf(f.type).empty);
export const listText = (value: Json | undefined, f: Field): string => defOf(f.type).text?.(value, f) ?? textOf(value);
