// What the server refused, and where. Knows no screen: a path like `fields.3.name` is all a form needs.
import type { IssueTree } from './types';

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly data: IssueTree, readonly method: string, readonly path: string, readonly retryAfter = 0) { super(message); }
  /** Gone or unreachable rather than refused. */
  get network(): boolean { return this.status === 0; }
  get aborted(): boolean { return this.status === -1; }
}

export type Issues = Record<string, string>;

/** Every leaf `{code,message}` of the tree by its dotted path. */
export function issuesOf(error: unknown, prefix = ''): Issues {
  const out: Issues = {};
  const walk = (node: unknown, path: string) => {
    if (node === null || typeof node !== 'object') return;
    const n = node as Record<string, unknown>;
    if (typeof n.message === 'string' && typeof n.code === 'string') { out[path] = n.message; return; }
    for (const [k, v] of Object.entries(n)) walk(v, path ? `${path}.${k}` : k);
  };
  if (error instanceof ApiError) walk(error.data, prefix);
  return out;
}

/** The issue at a path, else the first below it. */
export function issueAt(issues: Issues, path: string): string | undefined {
  if (issues[path]) return issues[path];
  const below = Object.keys(issues).find((k) => k.startsWith(`${path}.`));
  return below ? `${below.slice(path.length + 1)}: ${issues[below]}` : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
export const isAbort = (e: unknown): boolean => (e instanceof ApiError && e.aborted) || (e instanceof DOMException && e.name === 'AbortError');
