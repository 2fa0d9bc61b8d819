// Runs the browser checks: `PB_BIN=… node tests/run.mjs [--only T12,T13] [--spec name] [--jobs 2] [--shuffle 7]`.
// Each file of specs/ is a process of its own with one seeded server and one browser; `--jobs` of them at a time. Each check has its own browser context.
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { App, checkLimit, rig } from './rig.mjs';

const arg = (name) => { const i = process.argv.indexOf(`--${name}`); return i < 0 ? '' : process.argv[i + 1]; };
const only = arg('only'), specName = arg('spec'), alone = process.argv.includes('--alone');
const files = readdirSync(new URL('./specs/', import.meta.url)).filter((x) => x.endsWith('.mjs') && x.includes(specName)).sort();
const started = Date.now();
const wanted = (name) => !only || only.split(',').some((o) => name.split(' ').includes(o) || (o.length > 4 && name.includes(o)));

if (alone) await runFiles();
else await spread();

async function runFiles() {
  const checks = [];
  globalThis.check = (name, run, options = {}) => checks.push({ name, run, options });
  let size = 'small', extended = false;
  for (const f of files) { const m = await import(`./specs/${f}`); if (m.size === 'full') size = 'full'; extended ||= !!m.extended; }
  let r, passed = 0;
  const failed = [];
  // the checks of a file share a server, but none may need what another left: `--shuffle 7` proves it
  const mix = Number(arg('shuffle')), order = (name) => createHash('sha1').update(`${mix}${name}`).digest('hex');
  if (mix) checks.sort((a, b) => (order(a.name) < order(b.name) ? -1 : 1));
  for (const c of checks.filter((x) => wanted(x.name))) {
    let app;
    const t = Date.now();
    try {
      if (!c.options.own) r ??= await rig({ size, extended });
      if (!c.options.own) app = await App.open(r.browser, r.front, c.options);
      // columns, pins and views that another check left would come in some seconds after the page
      if (app?.auth) await app.forget();
      let timer;
      await Promise.race([c.run(app, app?.page, r), new Promise((_, no) => { timer = setTimeout(() => no(new Error('took longer than its limit')), checkLimit); })]).finally(() => clearTimeout(timer));
      if (app?.problems.length && !c.options.allow) throw new Error(app.problems.slice(0, 4).join('\n'));
      passed++;
      console.log(`ok   ${c.name} (${Date.now() - t} ms)`);
    } catch (e) {
      failed.push(c.name);
      console.log(`FAIL ${c.name}\n     ${String(e.stack ?? e).split('\n').slice(0, 8).join('\n     ')}`);
      try { await app?.page.screenshot({ path: `/tmp/dash-fail-${c.name.split(' ')[0]}.png` }); } catch { /* gone */ }
    } finally {
      if (r) r.faults.hook = null;
      try { await app?.close(); } catch { /* closed by the check */ }
    }
  }
  await r?.stop();
  console.log(`= ${passed} passed, ${failed.length} failed in ${Math.round((Date.now() - started) / 1000)} s${failed.length ? `: ${failed.map((f) => f.split(' ')[0]).join(' ')}` : ''}`);
  process.exit(failed.length ? 1 : 0);
}

/** One process per file; the output of each is shown when it is done, the sum at the end. */
async function spread() {
  const jobs = Math.max(1, Number(arg('jobs')) || Math.min(2, availableParallelism()));
  const queue = [...files];
  let passed = 0, failed = 0;
  const bad = [];
  const worker = async () => {
    for (let f = queue.shift(); f; f = queue.shift()) {
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--alone', '--spec', f, ...(only ? ['--only', only] : []), ...(arg('shuffle') ? ['--shuffle', arg('shuffle')] : [])], { stdio: ['ignore', 'pipe', 'inherit'] });
      let out = '';
      child.stdout.on('data', (d) => (out += d));
      await new Promise((go) => child.once('close', go));
      const m = /^= (\d+) passed, (\d+) failed/m.exec(out);
      if (!m || Number(m[1]) + Number(m[2]) > 0) console.log(`--- ${f}\n${out.trimEnd()}`);
      passed += Number(m?.[1] ?? 0);
      failed += Number(m?.[2] ?? 1);
      bad.push(...[...out.matchAll(/^FAIL (\S+)/gm)].map((x) => x[1]));
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  console.log(`${passed} passed, ${failed} failed in ${Math.round((Date.now() - started) / 1000)} s${bad.length ? `: ${bad.join(' ')}` : ''}`);
  process.exit(failed ? 1 : 0);
}
