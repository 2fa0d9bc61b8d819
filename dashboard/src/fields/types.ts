// What a field type is to the dashboard. Pages read these and never switch on a type's name.
import type { Component, Snippet } from 'svelte';
import type { Json } from '../lib/api/json';
import type { Field, Rec } from '../lib/api/types';

export type Value = Json | (string | File)[] | undefined;
export interface FormProps {
  field: Field;
  value: Value;
  onchange: (value: Value) => void;
  id: string;
  invalid: boolean;
  describe: string | undefined;
  disabled: boolean;
  /** the record as stored; undefined for a new one */
  record: Rec | undefined;
  /** used as the editor of a grid cell */
  cell?: boolean;
  /** issue below the field's own path, e.g. of file 2 */
  issue?: (path: string) => string | undefined;
  /** opens a form for a new target of a relation */
  nested?: ((collection: string, text: string, done: (r: Rec) => void) => void) | undefined;
}
export interface CellContext { record: Rec; local: boolean }
export type SettingsDraft = Field;

export interface FieldDef {
  type: string;
  label: string;
  icon: string;
  empty: Json;
  width: number;
  right?: boolean;
  cell?: Snippet<[value: Json | undefined, field: Field, context: CellContext]>;
  settings?: Snippet<[draft: SettingsDraft, issue: (path: string) => string | undefined, isNew: boolean]>;
  /** the form widget also edits a cell */
  inline?: boolean;
  /** never in lists, never filtered */
  unlisted?: boolean;
  /** the server writes it */
  readonly?: boolean;
  unsortable?: boolean;
  /** cannot be chosen for a new field */
  internal?: boolean;
  /** the plugin without which the server refuses a new field of the type */
  needs?: string;
  requiredMeans?: string;
  defaults?: () => Record<string, Json>;
  /** text of a value: cells without a snippet, copy, export */
  text?: (value: Json | undefined, field: Field) => string;
  /** import, paste and cell typing; throws */
  parse?: (text: string, field: Field) => Json;
  /** a preview of the server's refusal */
  check?: (value: Value, field: Field) => string;
  /** what goes into the body; undefined = leave it out */
  send?: (value: Value, field: Field) => Json | undefined;
  /** selection of the list's `fields` */
  select?: (name: string) => string;
  summary?: (field: Field) => string;
  sample?: (field: Field) => Json;
  form: Component<FormProps>;
}
export type FieldModule = { default: Component<FormProps>; field: Omit<FieldDef, 'form'> };
