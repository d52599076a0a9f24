import { expect, it } from 'vitest';
import { longestSilenceMs, withGaps } from './gaps.ts';
import { indexesAlone } from './isolated-points.ts';

const every = (ms: number, count: number, start = 0) => Array.from({ length: count }, (_, i) => start + i * ms);

it('an outage of a regular device is a gap, a lost message is none', () => {
  const times = [...every(1000, 60), ...every(1000, 60, 90_000)];
  const silence = longestSilenceMs(times, 0);
  expect(silence).toBe(3500);
  const columns = withGaps({ times, values: times.map(() => 1) }, silence);
  expect(columns.times).toHaveLength(121);
  expect(columns.values[60]).toBeNull();
  expect(columns.times[60]).toBe((59_000 + 90_000) / 2);
});

it('a device that reports at irregular times keeps its line', () => {
  const times = [0, 700, 3000, 3100, 5200, 8000, 8100, 11_000, 11_800, 14_000];
  expect(withGaps({ times, values: times }, longestSilenceMs(times, 0)).times).toEqual(times);
});

it('hourly points in narrow columns are a line, not single dots', () => {
  const times = every(3_600_000, 24);
  expect(longestSilenceMs(times, 300_000)).toBeGreaterThan(3_600_000);
});

it('says nothing about fewer than four points', () => {
  expect(longestSilenceMs([0, 5, 1000], 0)).toBe(Infinity);
});

it('finds points that stand alone between gaps', () => {
  expect(indexesAlone([1, null, 2, null, 3, 4, null, 5], 0, 7)).toEqual([0, 2, 7]);
});
