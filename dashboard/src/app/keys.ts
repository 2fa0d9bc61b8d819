// All keys as data: the dispatcher, the help dialog, tooltips and the palette are made from this table.
import { prefs } from './prefs.svelte';

export type Scope = 'everywhere' | 'grid' | 'drawer' | 'code';
export interface Key { id: string; keys: string[]; scope: Scope; label: string }

export const keys: Key[] = [
  { id: 'palette', keys: ['Mod+K'], scope: 'everywhere', label: 'Go to or do anything' },
  { id: 'help', keys: ['?'], scope: 'everywhere', label: 'List of keys' },
  { id: 'focusList', keys: ['g g'], scope: 'everywhere', label: 'Focus the list' },
  { id: 'focusSearch', keys: ['/'], scope: 'everywhere', label: 'Focus the search' },
  { id: 'side', keys: ['Mod+B'], scope: 'everywhere', label: 'Show or hide the side list' },
  { id: 'goData', keys: ['g c'], scope: 'everywhere', label: 'Go to the data' },
  { id: 'goLogs', keys: ['g l'], scope: 'everywhere', label: 'Go to the logs' },
  { id: 'goSettings', keys: ['g s'], scope: 'everywhere', label: 'Go to the settings' },
  { id: 'prevCollection', keys: ['[', 'Alt+PageUp'], scope: 'everywhere', label: 'Previous collection' },
  { id: 'nextCollection', keys: [']', 'Alt+PageDown'], scope: 'everywhere', label: 'Next collection' },
  { id: 'explain', keys: ['Mod+Shift+E'], scope: 'everywhere', label: 'Explain this search' },
  { id: 'newRecord', keys: ['n'], scope: 'everywhere', label: 'New record' },
  { id: 'edit', keys: ['Enter', 'F2'], scope: 'grid', label: 'Edit the cell' },
  { id: 'open', keys: ['Mod+O'], scope: 'grid', label: 'Open the record' },
  { id: 'peek', keys: ['Space'], scope: 'grid', label: 'Toggle a bool, read a long value' },
  { id: 'selectRow', keys: ['Shift+Space'], scope: 'grid', label: 'Select the row' },
  { id: 'selectAll', keys: ['Mod+A'], scope: 'grid', label: 'Select all loaded rows' },
  { id: 'copy', keys: ['Mod+C'], scope: 'grid', label: 'Copy the cells' },
  { id: 'copyJson', keys: ['Mod+Alt+C'], scope: 'grid', label: 'Copy the cells as JSON' },
  { id: 'range', keys: ['Shift+ArrowDown'], scope: 'grid', label: 'Choose several cells' },
  { id: 'rangeEnd', keys: ['Mod+Shift+ArrowDown'], scope: 'grid', label: 'Choose to the last row' },
  { id: 'paste', keys: ['Mod+V'], scope: 'grid', label: 'Paste onto the cells' },
  { id: 'clear', keys: ['Delete'], scope: 'grid', label: 'Clear the cells' },
  { id: 'undo', keys: ['Mod+Z'], scope: 'grid', label: 'Undo the last edit' },
  { id: 'deleteRows', keys: ['Mod+Backspace'], scope: 'grid', label: 'Delete the rows' },
  { id: 'duplicate', keys: ['Mod+D'], scope: 'grid', label: 'Duplicate the record' },
  { id: 'columnMenu', keys: ['Alt+ArrowDown'], scope: 'grid', label: 'Menu of the column' },
  { id: 'save', keys: ['Mod+S'], scope: 'drawer', label: 'Save' },
  { id: 'saveClose', keys: ['Mod+Enter'], scope: 'drawer', label: 'Save and close' },
  { id: 'saveNew', keys: ['Mod+Shift+S'], scope: 'drawer', label: 'Save and new' },
  { id: 'prevRecord', keys: ['Alt+ArrowUp'], scope: 'drawer', label: 'Previous record' },
  { id: 'nextRecord', keys: ['Alt+ArrowDown'], scope: 'drawer', label: 'Next record' },
  { id: 'wide', keys: ['Alt+Enter'], scope: 'drawer', label: 'Full width' },
  { id: 'run', keys: ['Mod+Enter'], scope: 'code', label: 'Run or apply' },
  { id: 'complete', keys: ['Ctrl+Space'], scope: 'code', label: 'Completion' },
];

const mac = /mac|iphone|ipad/i.test(navigator.platform);
export const isMod = (e: KeyboardEvent | MouseEvent): boolean => (mac ? e.metaKey : e.ctrlKey);
export const keyText = (id: string): string => keys.find((k) => k.id === id)?.keys.map((k) => (mac ? k.replace('Mod', '⌘') : k.replace('Mod', 'Ctrl')).replace(/Arrow/, '')).join(' / ') ?? '';

/** The chord of an event as the table spells it. */
export function chordOf(e: KeyboardEvent): string {
  let key = e.key === ' ' ? 'Space' : e.key;
  if (e.altKey && /^Key[A-Z]$/.test(e.code)) key = e.code.slice(3);
  if (key.length === 1 && /[a-z]/i.test(key)) key = isMod(e) || e.altKey ? key.toUpperCase() : key;
  const parts: string[] = [];
  if (isMod(e)) parts.push('Mod');
  else if (e.ctrlKey) parts.push('Ctrl');
  if (e.altKey) parts.push('Alt');
  if (e.shiftKey && key.length > 1) parts.push('Shift');
  if (e.shiftKey && key.length === 1 && isMod(e)) parts.push('Shift');
  parts.push(key);
  return parts.join('+');
}
export function actionOf(e: KeyboardEvent, scope: Scope): string | null {
  const chord = chordOf(e);
  return keys.find((k) => k.scope === scope && k.keys.includes(chord))?.id ?? null;
}

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || !!target.closest('[role=grid], .cm-editor, dialog[open].modal'));

let pending = '';
let timer: ReturnType<typeof setTimeout> | undefined;
/** Runs the global keys; single letters only when nothing takes text. */
export function onGlobalKey(e: KeyboardEvent, run: (id: string) => boolean): void {
  if (e.defaultPrevented || e.isComposing) return;
  const chord = chordOf(e);
  const plain = !/^(Mod|Ctrl|Alt)\+/.test(chord);
  if (plain && (typing(e.target) || !prefs.letterKeys.value)) return;
  const full = pending ? `${pending} ${chord}` : chord;
  const hit = keys.find((k) => k.scope === 'everywhere' && k.keys.includes(full));
  clearTimeout(timer);
  pending = '';
  if (hit) { if (run(hit.id)) e.preventDefault(); return; }
  if (plain && keys.some((k) => k.keys.some((x) => x.startsWith(`${full} `)))) {
    pending = full;
    timer = setTimeout(() => { pending = ''; }, 900);
  }
}
