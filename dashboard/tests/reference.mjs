// The reference executable with the same data, for figures beside ours in one run.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { email, password } from './rig.mjs';
import { seed } from './seed.mjs';

export async function startReference(bin) {
  const home = mkdtempSync(join(tmpdir(), 'dash-ref-')), dir = join(home, 'pb_data'), port = 20000 + (process.pid % 9000);
  execFileSync(bin, ['superuser', 'upsert', email, password, '--dir', dir], { stdio: 'ignore' });
  const child = spawn(bin, ['serve', '--http', `127.0.0.1:${port}`, '--dir', dir], { stdio: 'ignore', cwd: home });
  const url = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 200; i++) { try { if ((await fetch(`${url}/api/health`)).ok) break; } catch { /* not yet */ } await new Promise((go) => setTimeout(go, 50)); }
  await seed(url, email, password, 'full');
  return { url, stop: async () => { child.kill(); await new Promise((go) => child.once('exit', go)); rmSync(home, { recursive: true, force: true }); } };
}
