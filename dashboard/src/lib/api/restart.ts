// After a restore the server restarts itself: wait until it went and came back (A16 tells it for sure by a new instance).
import { apiBase } from './session.svelte';

export async function waitForRestart(limit = 60_000): Promise<void> {
  const until = Date.now() + limit;
  let gone = false, ok = 0;
  while (Date.now() < until) {
    await new Promise((go) => setTimeout(go, 400));
    try {
      const r = await fetch(`${apiBase}/api/health`, { cache: 'no-store' });
      if (!r.ok) throw new Error();
      ok++;
      // seen down and up again, or up for so long that the restart was faster than our eyes
      if (gone || ok > 8) return;
    } catch { gone = true; ok = 0; }
  }
  throw new Error('The server did not come back within a minute');
}
