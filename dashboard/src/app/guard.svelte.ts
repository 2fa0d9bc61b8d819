// Forms with unsaved changes. One registry: route changes, Back, closing, logout and reload all ask the same question.
import { t } from '../i18n/index.svelte';
import { ask } from './dialogs.svelte';
import { router, type Route } from './router.svelte';

export interface DirtyForm { label: string; leaves: (next: Route) => boolean; save: () => Promise<boolean>; discard: () => void }

const forms = new Set<DirtyForm>();
export function registerDirty(form: DirtyForm): () => void {
  forms.add(form);
  return () => forms.delete(form);
}
export const anyDirty = (): boolean => forms.size > 0;

async function question(list: DirtyForm[]): Promise<boolean> {
  const answer = await ask({
    title: t('Unsaved changes'),
    text: t('“{form}” has changes that are not saved.', { form: list.map((f) => f.label).join(', ') }),
    actions: [{ id: 'save', label: t('Save'), primary: true }, { id: 'discard', label: t('Discard'), danger: true }, { id: '', label: t('Stay') }],
  });
  if (!answer) return false;
  for (const f of list) {
    if (answer === 'save' && !(await f.save())) return false;
    if (answer === 'discard') f.discard();
    forms.delete(f);
  }
  return true;
}
/** Before anything that would lose every form: logout. */
export const leaveAll = async (): Promise<boolean> => forms.size === 0 || question([...forms]);
/** Before one form closes. */
export const leave = async (form: DirtyForm): Promise<boolean> => !forms.has(form) || question([form]);

export function startGuard(): void {
  router.guard = (next) => {
    const list = [...forms].filter((f) => f.leaves(next));
    return list.length === 0 || question(list);
  };
  addEventListener('beforeunload', (e) => { if (forms.size) e.preventDefault(); });
}
