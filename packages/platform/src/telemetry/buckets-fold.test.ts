import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBuckets } from './buckets.ts';
import { BucketFold } from './buckets-fold.ts';
import { ZoneOffsets } from './buckets-zone.ts';
import { columns, pairs, type Pair } from './query-fixture.ts';
import type { Aggregate, PointValue } from './telemetry-queries.ts';

const ALL = ['mean', 'min', 'max', 'sum', 'count', 'first', 'last'] as const;

function fold(fn: Aggregate, runs: readonly (readonly Pair[])[], limit = 1_000): Pair[] {
  const buckets = openBuckets({ ms: 10 }, new ZoneOffsets('UTC'));
  const folding = new BucketFold({ buckets, fn, allowance: { left: limit, limit } });
  for (const run of runs) folding.add(columns(run));
  return pairs(folding.finish());
}

function naive(fn: Aggregate, values: readonly PointValue[]): PointValue | undefined {
  if (fn === 'count') return values.length;
  if (fn === 'first') return values[0];
  if (fn === 'last') return values.at(-1);
  const numbers = values.filter((value) => typeof value !== 'string').map(Number);
  if (numbers.length === 0) return undefined;
  if (fn === 'min') return Math.min(...numbers);
  if (fn === 'max') return Math.max(...numbers);
  const sum = numbers.reduce((a, b) => a + b, 0);
  return fn === 'sum' ? sum : sum / numbers.length;
}

describe('folding', () => {
  it.each(ALL)('%s gives what a naive loop over each bucket gives, however the points are cut into runs', (fn) => {
    const value: fc.Arbitrary<PointValue> = fc.oneof<fc.MaybeWeightedArbitrary<PointValue>[]>(
      { weight: 5, arbitrary: fc.integer({ min: -1_000, max: 1_000 }) },
      { weight: 1, arbitrary: fc.boolean() },
      { weight: 1, arbitrary: fc.string({ maxLength: 3 }) },
    );
    const points = fc
      .uniqueArray(fc.tuple(fc.integer({ min: -200, max: 200 }), value), { selector: ([timeMs]) => timeMs, maxLength: 80 })
      .map((list) => list.toSorted((a, b) => a[0] - b[0]));
    fc.assert(
      fc.property(points, fc.array(fc.nat(80), { maxLength: 5 }), (list, at) => {
        const cuts = [0, ...at.map((cut) => Math.min(cut, list.length)), list.length].toSorted((a, b) => a - b);
        const runs = cuts.slice(1).map((end, i) => list.slice(cuts[i], end));
        const byBucket = Map.groupBy(list, ([timeMs]) => Math.floor(timeMs / 10) * 10);
        const expected = [...byBucket]
          .map(
            ([startMs, members]) =>
              [
                startMs,
                naive(
                  fn,
                  members.map(([, member]) => member),
                ),
              ] as const,
          )
          .filter(([, result]) => result !== undefined);
        expect(fold(fn, runs)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('counts booleans as 0 and 1, passes over text, and leaves out a bucket of text alone', () => {
    const run: Pair[] = [
      [0, true],
      [1, 'on'],
      [2, false],
      [11, 'off'],
      [25, 3],
    ];
    expect(fold('mean', [run])).toEqual([
      [0, 0.5],
      [20, 3],
    ]);
    expect(fold('count', [run])).toEqual([
      [0, 3],
      [10, 1],
      [20, 1],
    ]);
    expect(fold('first', [run])).toEqual([
      [0, true],
      [10, 'off'],
      [20, 3],
    ]);
  });

  it('does not lose small values beside large ones', () => {
    const run = [1e16, 1, -1e16, 1, 0.1].map((value, i): Pair => [i, value]);
    expect(fold('sum', [run])).toEqual([[0, 2.1]]);
    expect(fold('mean', [run])).toEqual([[0, 0.42000000000000004]]);
  });

  it('keeps the error of a long sum of tenths at nothing', () => {
    const folding = new BucketFold({
      buckets: openBuckets({ ms: 10_000_000 }, new ZoneOffsets('UTC')),
      fn: 'sum',
      allowance: { left: 1, limit: 1 },
    });
    for (let at = 0; at < 1_000_000; at += 1_000) {
      folding.add({ times: Float64Array.from({ length: 1_000 }, (_, i) => at + i), values: new Float64Array(1_000).fill(0.1) });
    }
    expect(pairs(folding.finish())).toEqual([[0, 100_000]]);
  });

  it('finds the mean also where the sum is beyond all doubles', () => {
    const run = [1.5e308, 1.7e308, 1.6e308].map((value, i): Pair => [i, value]);
    expect((fold('mean', [run.slice(0, 1), run.slice(1)])[0]![1] as number) / 1.6e308).toBeCloseTo(1, 12);
    expect(fold('sum', [run])).toEqual([[0, Infinity]]);
    const cancelling = [1.5e308, 1.5e308, -1.5e308, -1.5e308].map((value, i): Pair => [i, value]);
    expect(fold('sum', [cancelling])).toEqual([[0, 0]]);
  });

  it('gives as many buckets as it may and fails with one more', () => {
    const runs: Pair[][] = [[[0, 1]], [[10, 'text']], [[20, 1]]];
    expect(fold('mean', runs, 2)).toHaveLength(2);
    expect(() => fold('mean', runs, 1)).toThrow(expect.objectContaining({ code: 'query.too-large', details: { limit: 1 } }));
  });

  it('has typed values for numbers and plain ones where text or a boolean is among them', () => {
    const of = (run: readonly Pair[]): unknown => {
      const folding = new BucketFold({
        buckets: openBuckets({ ms: 10 }, new ZoneOffsets('UTC')),
        fn: 'last',
        allowance: { left: 9, limit: 9 },
      });
      folding.add(columns(run));
      return folding.finish().values;
    };
    expect(of([[0, 1]])).toBeInstanceOf(Float64Array);
    expect(of([[0, 'a']])).toEqual(['a']);
    expect(fold('last', [])).toEqual([]);
  });
});
