// A log entry and what must not be read in it.
import type { JsonObject } from '../../lib/api/json';
export interface Log { id: string; created: string; level: number; message: string; data: JsonObject }
export const levelName = (n: number): string => ({ [-4]: 'debug', 0: 'info', 4: 'warn', 8: 'error' })[n] ?? String(n);
/** File tokens stand in URLs: a reader of logs must not be able to use them. */
export const maskText = (s: string): string => s.replace(/([?&]token=)[^&\s"'\\]+/g, '$1•••');
export const order = ['execTime', 'type', 'auth', 'authId', 'status', 'method', 'url', 'referer', 'userIP', 'remoteIP', 'userAgent'];
export const last = ['error', 'details'];
