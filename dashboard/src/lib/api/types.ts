// The server's shapes, as far as the dashboard reads them. Written by hand until the server describes them (A9).
import type { Json, JsonObject } from './json';

export interface Field extends JsonObject {
  id: string; name: string; type: string; system: boolean; hidden: boolean; presentable: boolean; required: boolean; help: string;
}
export type RuleName = 'listRule' | 'viewRule' | 'createRule' | 'updateRule' | 'deleteRule' | 'authRule' | 'manageRule';
export interface MailTemplate extends JsonObject { subject: string; body: string }
export interface Provider extends JsonObject { name: string; clientId: string; clientSecret: string; displayName: string; pkce: boolean | null; authURL: string; tokenURL: string; userInfoURL: string; extra: JsonObject | null }
export interface Collection extends JsonObject {
  id: string; name: string; type: 'base' | 'auth' | 'view'; system: boolean; fields: Field[]; indexes: string[];
  listRule: string | null; viewRule: string | null; createRule: string | null; updateRule: string | null; deleteRule: string | null;
  created: string; updated: string;
}
export interface Rec extends JsonObject { id: string; collectionId: string; collectionName: string }
export interface Page<T> { page: number; perPage: number; totalItems: number; totalPages: number; items: T[] }
export interface Settings extends JsonObject {
  meta: { appName: string; appURL: string; senderName: string; senderAddress: string; hideControls: boolean; accentColor: string } & JsonObject;
}
export interface ApiIssue { code: string; message: string; params?: JsonObject }
export type IssueTree = { [key: string]: Json };
