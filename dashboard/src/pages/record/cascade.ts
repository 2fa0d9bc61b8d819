// What goes with a record, and what keeps it: counted before a deletion asks.
import { t } from '../../i18n/index.svelte';
import { enc, get } from '../../lib/api/client';
import type { Collection, Page, Rec } from '../../lib/api/types';
import { backRelations } from '../../lib/filter/check';
import { quote } from '../../lib/filter/tokens';
import { schema } from '../../lib/schema/schema.svelte';

export async function countRefs(c: Collection, ids: string[]): Promise<{ collection: Collection; field: string; cascade: boolean; required: boolean; count: number }[]> {
  const back = backRelations(c, schema.list).filter((b) => b.collection.type !== 'view');
  return Promise.all(back.map(async ({ collection, field }) => {
    const filter = ids.map((id) => `${field.name} ?= ${quote(id)}`).map((x) => (Number(field.maxSelect ?? 1) > 1 ? x.replace(`${field.name} ?=`, `${field.name}.id ?=`) : x)).join(' || ');
    const r = await get<Page<Rec>>(`/api/collections/${enc(collection.name)}/records`, { perPage: 1, fields: 'id', filter }).catch(() => ({ totalItems: -1 }));
    return { collection, field: field.name, cascade: field.cascadeDelete === true, required: field.required, count: r.totalItems };
  }));
}
export async function cascadeText(c: Collection, ids: string[]): Promise<string[]> {
  if (ids.length > 20) return backRelations(c, schema.list).length ? [t('References to so many records are not counted beforehand.')] : [];
  const refs = await countRefs(c, ids);
  return refs.filter((r) => r.count).map((r) => {
    const place = `${r.collection.name}.${r.field}`;
    if (r.count < 0) return t('{place}: not known', { place });
    if (r.cascade) return t('{n} of {place} are deleted with it', { n: r.count, place });
    return r.required ? t('{n} of {place} need it: the server will refuse', { n: r.count, place }) : t('{n} of {place} lose their reference', { n: r.count, place });
  });
}
