// Questions (L1, L2) as promises and toasts, one per cause. The shell shows them; nothing here touches the page.
import { t } from '../i18n/index.svelte';
import { messageOf, ApiError } from '../lib/api/errors';

export interface Action { id: string; label: string; primary?: boolean; danger?: boolean }
export interface Question { title: string; text?: string; lines?: string[]; code?: string; actions: Action[]; /** must be typed (L2) */ type?: string }

class Dialogs {
  open = $state.raw<(Question & { answer: (id: string) => void })[]>([]);
  toasts = $state.raw<Toast[]>([]);
}
export interface Toast { key: string; text: string; kind: 'ok' | 'error' | 'info'; action?: { label: string; run: () => void } }
export const dialogs = new Dialogs();

export function ask(q: Question): Promise<string> {
  return new Promise((resolve) => {
    const entry = { ...q, answer: (id: string) => { dialogs.open = dialogs.open.filter((o) => o !== entry); resolve(id); } };
    dialogs.open = [...dialogs.open, entry];
  });
}
/** L1: the verb stands on the button, Cancel is the default. `type` makes it L2. */
export async function confirm(title: string, verb: string, o: { text?: string; lines?: string[]; code?: string; type?: string } = {}): Promise<boolean> {
  return (await ask({ title, ...o, actions: [{ id: '', label: t('Cancel') }, { id: 'yes', label: verb, danger: true }] })) === 'yes';
}

const timers = new Map<string, ReturnType<typeof setTimeout>>();
export function toast(text: string, o: Partial<Toast> = {}): void {
  const entry: Toast = { kind: 'ok', key: text, ...o, text };
  dialogs.toasts = [...dialogs.toasts.filter((x) => x.key !== entry.key), entry].slice(-3);
  hold(entry.key);
  if (entry.kind !== 'error') release(entry.key);
}
export function hold(key: string): void { clearTimeout(timers.get(key)); }
export function release(key: string): void {
  const entry = dialogs.toasts.find((x) => x.key === key);
  if (!entry || entry.kind === 'error') return;
  timers.set(key, setTimeout(() => closeToast(key), entry.action ? 8000 : 5000));
}
export function closeToast(key: string): void { dialogs.toasts = dialogs.toasts.filter((x) => x.key !== key); }
export function fail(error: unknown, key = 'error'): void {
  if (error instanceof ApiError && error.aborted) return;
  toast(messageOf(error), { kind: 'error', key });
}
export async function copyText(text: string): Promise<void> {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = document.createElement('textarea');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(t('Copied'), { key: 'copy' });
}
