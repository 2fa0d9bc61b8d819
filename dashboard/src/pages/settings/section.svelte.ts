// One section of the settings as a form: what was loaded, what was changed, only changed top-level keys are sent.
import { t } from '../../i18n/index.svelte';
import { ask, toast } from '../../app/dialogs.svelte';
import { settings } from '../../app/settings.svelte';
import { get, patch } from '../../lib/api/client';
import { issuesOf, messageOf, type Issues } from '../../lib/api/errors';
import { copyJson, equalJson, type JsonObject } from '../../lib/api/json';
import type { Settings } from '../../lib/api/types';

type Picked = Record<string, JsonObject | string[]>;

export class SectionForm {
  values = $state<Picked>({});
  base = $state.raw<Picked>({});
  ready = $state(false);
  issues = $state.raw<Issues>({});
  error = $state('');
  saving = $state(false);
  /** secrets stand here until saved: the server never sends them */
  secrets = $state<Record<string, string>>({});
  readonly keys: string[];
  constructor(keys: string[]) {
    this.keys = keys;
    const now = settings.all;
    if (now) this.take(now);
    settings.load().then((s) => { if (!this.ready || !this.dirty) this.take(s); }, (e) => (this.error = messageOf(e)));
  }
  private take(s: Settings): void {
    const picked = Object.fromEntries(this.keys.map((k) => [k, s[k]])) as Picked;
    this.base = copyJson(picked);
    this.values = copyJson(picked);
    this.secrets = {};
    this.ready = true;
  }
  get changedKeys(): string[] { return this.keys.filter((k) => !equalJson(this.base[k], $state.snapshot(this.values[k] as unknown)) || Object.keys(this.secrets).some((s) => s.startsWith(`${k}.`))); }
  get dirty(): boolean { return this.ready && this.changedKeys.length > 0; }
  get count(): number {
    let n = Object.keys(this.secrets).length;
    for (const k of this.keys) {
      const a = this.base[k], b = $state.snapshot(this.values[k] as unknown) as JsonObject | string[];
      if (Array.isArray(a) || !a) { if (!equalJson(a, b)) n++; } else for (const x of Object.keys({ ...a, ...(b as object) })) if (!equalJson((a as JsonObject)[x], (b as JsonObject)[x])) n++;
    }
    return n;
  }
  /** Empty until loaded. */
  group(key: string): JsonObject { return (this.values[key] ?? {}) as JsonObject; }
  reset(): void { this.values = copyJson(this.base); this.secrets = {}; this.issues = {}; this.error = ''; }

  /** The body: of each changed group only its changed keys; lists whole. */
  body(): JsonObject {
    const out: JsonObject = {};
    for (const k of this.changedKeys) {
      const a = this.base[k], b = $state.snapshot(this.values[k] as unknown) as JsonObject | string[];
      if (Array.isArray(b) || !a || Array.isArray(a)) { out[k] = b as JsonObject[string]; continue; }
      const part: JsonObject = {};
      for (const x of Object.keys(b as JsonObject)) if (!equalJson((a as JsonObject)[x], (b as JsonObject)[x])) part[x] = (b as JsonObject)[x]!;
      out[k] = part;
    }
    for (const [path, v] of Object.entries(this.secrets)) {
      const parts = path.split('.');
      let at = out;
      for (const p of parts.slice(0, -1)) at = (at[p] ??= {}) as JsonObject;
      at[parts[parts.length - 1]!] = v;
    }
    return out;
  }
  async save(): Promise<boolean> {
    this.saving = true;
    this.issues = {};
    this.error = '';
    try {
      const now = await get<Settings>('/api/settings', {}, { superuser: true });
      const theirs = this.changedKeys.filter((k) => !equalJson(now[k], this.base[k]));
      if (theirs.length) {
        const answer = await ask({ title: t('Changed by somebody else meanwhile'), text: t('These settings were changed since you opened them: {keys}', { keys: theirs.join(', ') }), actions: [{ id: '', label: t('Go on editing') }, { id: 'theirs', label: t('Take theirs') }, { id: 'mine', label: t('Save mine'), danger: true }] });
        if (answer === 'theirs') this.take(now);
        if (answer !== 'mine') return false;
      }
      const saved = await patch<Settings>('/api/settings', this.body(), { superuser: true });
      settings.put(saved);
      this.take(saved);
      new BroadcastChannel('dash').postMessage('settings');
      toast(t('Saved'), { key: 'save' });
      return true;
    } catch (e) {
      this.issues = issuesOf(e);
      this.error = Object.keys(this.issues).length ? '' : messageOf(e);
      setTimeout(() => document.querySelector<HTMLElement>('[data-screen] [aria-invalid=true]')?.focus());
      return false;
    } finally { this.saving = false; }
  }
}
