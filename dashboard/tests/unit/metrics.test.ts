import { describe, expect, it } from 'vitest';
import { histogram, parseMetrics, quantile, rate, type Scrape } from '../../src/lib/format/openmetrics';

const text = (fast: number, slow: number): string => `# HELP h times\n# TYPE h histogram\nh_bucket{route="/a \\"x\\"",le="0.1"} ${fast}\nh_bucket{route="/a \\"x\\"",le="1"} ${fast + slow}\nh_bucket{route="/a \\"x\\"",le="+Inf"} ${fast + slow}\nh_count{route="/a \\"x\\""} ${fast + slow}\nh_sum{route="/a \\"x\\""} 3\nc_total 5\n# EOF\n`;
const scrape = (at: number, fast: number, slow: number): Scrape => ({ at, samples: parseMetrics(text(fast, slow)) });

describe('metrics', () => {
  it('reads labels with quotes', () => expect(parseMetrics(text(1, 2))[0]).toEqual({ name: 'h_bucket', labels: { route: '/a "x"', le: '0.1' }, value: 1 }));
  it.each([
    [[[0.1, 90], [1, 100], [Infinity, 100]], 0.5, 0.0556], [[[0.1, 90], [1, 100], [Infinity, 100]], 0.95, 0.55], [[[0.1, 0], [1, 0], [Infinity, 4]], 0.95, 1],
  ] as [[number, number][], number, number][])('quantile of %j at %d', (buckets, q, wanted) => expect(quantile(buckets, q)).toBeCloseTo(wanted, 3));
  it('compares two readings', () => {
    const [row] = histogram(scrape(0, 10, 0), scrape(10_000, 100, 10), 'h');
    expect(row).toMatchObject({ count: 100, perSecond: 10 });
    expect(row!.p95).toBeCloseTo(0.1 + 0.9 * (5 / 10), 6);
  });
  it('a restart counts from zero', () => {
    expect(rate({ at: 0, samples: [{ name: 'c_total', labels: {}, value: 100 }] }, { at: 2000, samples: [{ name: 'c_total', labels: {}, value: 6 }] }, 'c_total')).toBe(3);
  });
});
