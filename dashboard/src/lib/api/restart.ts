// After a restore the server restarts itself: wait until it went and came back (A16 tells it for sure by a new instance).
import { apiBase } from './session.svelte';

/** The instance that answers now; empty where the server does not tell. */
export async function instance(token: string): Promise<string> {
  try { const r = await fetch(`${apiBase}/api/health?details=1`, { cache: 'no-store', headers: token ? { Authorization: token } : {} }); return String(((await r.json()) as { data?: { instanceId?: string } }).data?.instanceId ?? ''); } catch { return ''; }
}
/** `before` = the instance that was asked to restart: another one is the proof. */
export async function waitForRestart(limit = 60_000, before = '', token = ''): Promise<void> {
  const until = Date.now() + limit;
  let gone = false, ok = 0;
  while (Date.now() < until) {
    await new Promise((go) => setTimeout(go, 400));
    try {
      const r = await fetch(`${apiBase}/api/health?details=1`, { cache: 'no-store', headers: token ? { Authorization: token } : {} });
      if (!r.ok) throw new Error();
      const now = String(((await r.json()) as { data?: { instanceId?: string } }).data?.instanceId ?? '');
      if (before && now) { if (now !== before) return; continue; }
      ok++;
      // seen down and up again, or up for so long that the restart was faster than our eyes
      if (gone || ok > 8) return;
    } catch { gone = true; ok = 0; }
  }
  throw new Error('The server did not come back within a minute');
}
