import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Columns } from '../query-columns.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { combineRollups, foldPoints, NO_ROLLUPS, sliceRollups, widenRollups, type RollupColumns } from './rollup-columns.ts';
import { naiveRollups, rowsOf } from './rollup-model.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function columns(points: readonly (readonly [number, PointValue])[]): Columns {
  const sorted = [...new Map(points)].sort(([a], [b]) => a - b);
  const values = sorted.map(([, value]) => value);
  const numeric = values.every((value) => typeof value === 'number');
  return { times: Float64Array.from(sorted, ([time]) => time), values: numeric ? Float64Array.from(values) : values };
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.constantFrom('on', 'off', '') },
);
const points = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 60 }).map((n) => n * 1_234_567),
    value,
  ),
  { maxLength: 40 },
);

describe('a fold of points into hours', () => {
  test('equals a naive one, however the points are cut into runs', () => {
    fc.assert(
      fc.property(points, fc.array(fc.nat(40), { maxLength: 5 }), (found, cuts) => {
        const all = columns(found);
        const edges = [0, ...cuts, all.times.length].map((cut) => Math.min(cut, all.times.length)).sort((a, b) => a - b);
        const runs = edges.slice(1).map((end, i) => ({
          times: all.times.slice(edges[i], end),
          values: all.values.slice(edges[i], end),
        }));
        expect(rowsOf(foldPoints(runs, HOUR))).toEqual(naiveRollups([new Map(found)], HOUR));
        expect(rowsOf(widenRollups(foldPoints(runs, HOUR), DAY))).toEqual(naiveRollups([new Map(found)], DAY));
      }),
    );
  });

  test('sums without an error that grows, and within the range of doubles where the sum is', () => {
    const sum = (values: readonly number[]): number =>
      foldPoints([{ times: Float64Array.from(values.keys()), values: Float64Array.from(values) }], HOUR).sums[0]!;
    expect(sum([1e16, 1, -1e16])).toBe(1);
    expect(sum(Array.from({ length: 10_000 }, () => 0.1))).toBe(1000);
    expect(sum([1.5e308, 1.5e308, -1.5e308])).toBe(1.5e308);
    expect(sum([1.5e308, 1.5e308])).toBe(Infinity);
  });

  test('text counts, and is no number', () => {
    const rollups = foldPoints(
      [
        columns([
          [5, 'a'],
          [7, 'b'],
        ]),
      ],
      HOUR,
    );
    expect(rowsOf(rollups)).toEqual([{ startMs: 0, count: 2, numbers: 0, firstTime: 5, lastTime: 7, first: 'a', last: 'b' }]);
  });
});

test('generations of one hour are added; of one time the newest value is the last', () => {
  fc.assert(
    fc.property(fc.array(points, { maxLength: 4 }), (generations) => {
      const parts = generations.map((found) => foldPoints([columns(found)], HOUR));
      expect(rowsOf(combineRollups(parts))).toEqual(
        naiveRollups(
          generations.map((found) => new Map(found)),
          HOUR,
        ),
      );
    }),
  );
});

test('a slice has the rows that begin in it', () => {
  const rollups = foldPoints([columns([1, 2, 3, 5].map((hour) => [hour * HOUR + 1, hour]))], HOUR);
  const starts = (from: number, to: number): number[] => [...sliceRollups(rollups, from, to).startsMs].map((ms) => ms / HOUR);
  expect(starts(0, DAY)).toEqual([1, 2, 3, 5]);
  expect(starts(HOUR + 1, 5 * HOUR)).toEqual([2, 3]);
  expect(sliceRollups(NO_ROLLUPS, 0, DAY).startsMs.length).toBe(0);
  const checked: RollupColumns = sliceRollups(rollups, 0, DAY);
  expect(checked).toBe(rollups);
});
