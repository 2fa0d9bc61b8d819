import { describe, expect, it, vi } from 'vitest';

// what is tested here calls nothing
vi.mock('../../src/lib/api/client', () => ({}));
import { before, change, showTime, type Stats } from '../../src/pages/analytics/analytics';
import { accessOf, exposed, figures, matching, pathIssue, targetOf } from '../../src/pages/gateway/proxies';
import { pauses, stuck, type Stats as Queue } from '../../src/pages/jobs/jobs';
import { parseEnv, usedBy } from '../../src/pages/secrets/secrets';
import { parseMetrics } from '../../src/lib/format/openmetrics';

describe('a .env file', () => {
  it.each([
    ['A=1', { A: '1' }, []], ['export A = x y # note', { A: 'x y' }, []], ['# note\n\nA=1\r\nB=2', { A: '1', B: '2' }, []], [`A="x # y"`, { A: 'x # y' }, []], [`A='$x\\n'`, { A: '$x\\n' }, []], [String.raw`A="a\nb\"c"`, { A: 'a\nb"c' }, []],
    ['A="one\ntwo"\nB=3', { A: 'one\ntwo', B: '3' }, []], ['A=', { A: '' }, []], ['A=1\nA=2', { A: '2' }, []], ['no assignment\nA=1', { A: '1' }, [1]], ['A="never closed\nB=1', { B: '1' }, [1]], ['A=x=y', { A: 'x=y' }, []],
  ])('%j', (text, lines, bad) => {
    const r = parseEnv(text);
    expect(Object.fromEntries(r.lines.map((l) => [l.key, l.value]))).toEqual(lines);
    expect(r.bad).toEqual(bad);
  });
  it('proxies that send a secret', () => { expect([...usedBy([{ path: '/-/a', headers: { X: 'Bearer {secret.K}', Y: '{secret.K}{secret.L}' } }, { path: '/-/b', headers: null }])]).toEqual([['K', ['/-/a']], ['L', ['/-/a']]]); });
});

describe('proxies', () => {
  const list = [{ path: '/-/a', active: true }, { path: '/-/a/b', active: true }, { path: '/-/off', active: false }];
  it.each([['/-/a', '/-/a'], ['/-/a/x?y', '/-/a'], ['/-/a/b/c', '/-/a/b'], ['/-/ab', undefined], ['/-/off', undefined], ['/', undefined]])('%s meets %s', (path, wanted) => { expect(matching(list, path)?.path).toBe(wanted); });
  it.each([['/-/a/v1?x=1', true, 'https://h/base/v1?x=1'], ['/-/a', true, 'https://h/base'], ['/-/a/v1', false, 'https://h/base/-/a/v1']])('%s', (path, stripPath, target) => { expect(targetOf({ path: '/-/a', upstream: 'https://h/base/', stripPath }, path)).toBe(target); });
  it.each([['/-/a', ''], ['x', 'slash'], ['/', 'root'], ['/api/x', 'api'], ['/apix', ''], ['/_/x', 'ui'], ['/-/a b', 'form'], ['/-/a/../b', 'form'], ['/-//a', 'form'], ['/-/%41', 'form']])('path %s: %s', (path, code) => { expect(pathIssue(path)).toBe(code); });
  it('who may use it, and what that exposes', () => {
    expect(['', 'true', 'false', "@request.auth.id != ''"].map(accessOf)).toEqual(['superusers', 'public', 'nobody', 'rule']);
    expect([exposed({ accessRule: 'true', headers: { A: 'Bearer {secret.X}' } }), exposed({ accessRule: 'true', headers: { A: 'plain' } }), exposed({ accessRule: '', headers: { A: '{env.X}' } })]).toEqual([true, false, false]);
  });
  it('figures of one proxy between two readings', () => {
    const at = (n: number, e: number, state: number) => parseMetrics(`gateway_requests_total{proxy="p1",status="200"} ${n}\ngateway_requests_total{proxy="p2"} 999\ngateway_errors_total{proxy="p1"} ${e}\ngateway_circuit_breaker_state{proxy="p1"} ${state}\n`);
    expect(figures({ at: 0, samples: at(10, 0, 0) }, { at: 10_000, samples: at(30, 5, 1) }, 'p1')).toMatchObject({ perSecond: 2, errors: 0.25, breaker: 'open' });
    expect(figures(undefined, undefined, 'p1')).toBe(null);
  });
});

describe('jobs', () => {
  const s = (pending: number, completed = 0, processing = 0): Queue => ({ pending, processing, completed, failed: 0, total: 0, success_rate: 0 });
  it('pauses', () => { expect([pauses(1), pauses(3), pauses(0)]).toEqual([[], [1, 4], []]); });
  it.each([[[s(1), s(2), s(3)], true], [[s(1), s(2)], false], [[s(3), s(2), s(3)], false], [[s(1), s(2), s(3, 1)], false], [[s(0), s(0), s(0)], false], [[s(1), s(1), s(1, 0, 1)], false]])('stuck %#', (seen, wanted) => { expect(stuck(seen)).toBe(wanted); });
});

describe('analytics', () => {
  const span = (...days: [string, number][]): Stats => ({ summary: { totalPV: 0, totalUV: 0, bounceRate: 0, avgDur: 0 }, daily: days.map(([date, pv]) => ({ date, pv, uv: 0 })), startDate: '', endDate: '' });
  it('the time before, where the longer span reaches', () => {
    const now = span(['2026-01-03', 5], ['2026-01-04', 6]);
    expect(before(now, span(['2026-01-01', 1], ['2026-01-02', 2], ['2026-01-03', 5], ['2026-01-04', 6]))).toBe(3);
    expect(before(now, span(['2026-01-02', 2], ['2026-01-03', 5], ['2026-01-04', 6]))).toBe(null);
  });
  it('in words', () => { expect([change(15, 10), change(5, 10), change(5, 0), change(5, null), showTime(900), showTime(1500), showTime(125_000)]).toEqual(['+50 %', '−50 %', '', '', '900 ms', '1.5 s', '2 min 5 s']); });
});
