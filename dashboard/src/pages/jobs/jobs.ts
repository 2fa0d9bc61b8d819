// Jobs as the server lists them. Pure but for the calls.
import { del, enc, get, post } from '../../lib/api/client';
import type { Json } from '../../lib/api/json';

export interface Job { id: string; topic: string; payload: Json; status: 'pending' | 'processing' | 'completed' | 'failed'; run_at: string; locked_until: string; locked_by?: string; retries: number; max_retries: number; last_error?: string; priority?: number; progress?: number; unique_key?: string; started?: string; finished?: string; created: string; updated: string }
export interface Stats { pending: number; processing: number; completed: number; failed: number; total: number; success_rate: number }
export const statuses = ['pending', 'processing', 'completed', 'failed'] as const;
export interface JobPage { items: Job[]; total: number; limit: number; offset: number }
export const stats = (): Promise<Stats> => get<Stats>('/api/jobs/stats', {}, { superuser: true, key: 'jobs-stats' });
export const list = (q: { topic?: string; status?: string; limit: number; offset: number }, key = 'jobs-list'): Promise<JobPage> => get<JobPage>('/api/jobs', q, { superuser: true, key });
/** The topics, and whether this node does their jobs; `null` from a server that does not tell. */
export interface Topic { topic: string; handled: boolean; pending: number; processing: number; completed: number; failed: number }
export const topics = async (): Promise<Topic[] | null> => { try { const r = await get<{ items?: Topic[] }>('/api/jobs/topics', {}, { superuser: true, key: 'jobs-topics' }); return Array.isArray(r.items) ? r.items : null; } catch { return null; } };
export const one = (id: string): Promise<Job> => get<Job>(`/api/jobs/${enc(id)}`, {}, { superuser: true });
export const enqueue = (job: { topic: string; payload: unknown; run_at?: string; max_retries?: number; priority?: number }): Promise<Job> => post<Job>('/api/jobs/enqueue', job, { superuser: true });
export const requeue = (id: string): Promise<Job> => post<Job>(`/api/jobs/${enc(id)}/requeue`, undefined, { superuser: true });
export const remove = (id: string): Promise<unknown> => del(`/api/jobs/${enc(id)}`, { superuser: true });

/** Minutes before each further attempt: 1, 4, 9 … */
export const pauses = (attempts: number): number[] => Array.from({ length: Math.max(0, attempts - 1) }, (_, i) => (i + 1) ** 2);
/** Three readings in which more and more waits and nothing is done: nobody takes these jobs. */
export function stuck(seen: Stats[]): boolean {
  const [a, b, c] = seen.slice(-3);
  return !!a && !!b && !!c && c.pending > 0 && a.pending <= b.pending && b.pending <= c.pending && c.processing === 0 && a.processing === 0 && a.completed === c.completed && a.failed === c.failed;
}
