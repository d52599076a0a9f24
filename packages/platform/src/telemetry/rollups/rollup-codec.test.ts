import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSelsynError } from '../../kernel/errors.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { decodeDays, decodeHours, encodeDays, encodeHours, NO_DAYS, replaceDay, type DayRollups } from './rollup-codec.ts';
import { concatRollups, foldPoints, NO_ROLLUPS, type RollupColumns } from './rollup-columns.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MONTH_MS = Date.UTC(2026, 10, 1);
const DAY_MS = MONTH_MS + 15 * DAY;

const number = fc.oneof(
  fc.integer({ min: -100_000, max: 100_000 }).map((n) => n / 100),
  fc.double(),
  fc.constantFrom(0, -0, Infinity, -Infinity, NaN, 2 ** 60, 1e-300),
);
const mixed: fc.Arbitrary<PointValue> = fc.oneof(number, fc.boolean(), fc.string({ unit: 'binary' }));

/** Any rows at all: what they say need not fit together. */
function rollupsAt(starts: readonly number[], widthMs: number): fc.Arbitrary<RollupColumns> {
  const size = { minLength: starts.length, maxLength: starts.length };
  const floats = (one: fc.Arbitrary<number>): fc.Arbitrary<Float64Array> =>
    fc.array(one, size).map((all) => Float64Array.from(all));
  const values = fc.oneof(floats(number), fc.array(mixed, size));
  const within = floats(fc.nat(widthMs - 1)).map((times) => times.map((time, i) => time + starts[i]!));
  const count = floats(fc.oneof(fc.constant(60), fc.nat(4_000_000)));
  return fc
    .record({
      counts: count,
      numbers: fc.option(count, { nil: undefined }),
      mins: floats(number),
      maxs: floats(number),
      sums: floats(number),
      firstTimes: within,
      lastTimes: within,
      firsts: values,
      lasts: fc.option(values, { nil: undefined }),
    })
    .map((rollups) => ({
      ...rollups,
      startsMs: Float64Array.from(starts),
      numbers: rollups.numbers ?? rollups.counts,
      lasts: rollups.lasts ?? rollups.firsts,
    }));
}

const hours = fc.uniqueArray(fc.nat(23)).chain((all) =>
  rollupsAt(
    all.sort((a, b) => a - b).map((hour) => DAY_MS + hour * HOUR),
    HOUR,
  ),
);

/** What comes back: nothing is known of the numbers where there are none, and all that are numbers are in a Float64Array. */
function expected(rollups: RollupColumns): RollupColumns {
  const none = rollups.numbers.every((count) => count === 0);
  const zeros = new Float64Array(rollups.startsMs.length);
  const values = (column: RollupColumns['firsts']): RollupColumns['firsts'] =>
    column.length === 0 ? new Float64Array(0) : column;
  return {
    ...rollups,
    ...(none ? { mins: zeros, maxs: zeros, sums: zeros } : {}),
    firsts: values(rollups.firsts),
    lasts: values(rollups.lasts),
  };
}

describe('the codec of rollups', () => {
  test('gives hours back as they were', () => {
    fc.assert(
      fc.property(hours, (rollups) => {
        expect(decodeHours(encodeHours(rollups, DAY_MS), DAY_MS)).toEqual(expected(rollups));
      }),
    );
  });

  test('gives days back as they were, of as many generations as there are', () => {
    const rows = fc.uniqueArray(fc.tuple(fc.nat(30), fc.nat(5)), { selector: ([day, generation]) => day * 10 + generation });
    const days = rows.chain((all) => {
      const sorted = all.sort(([a, x], [b, y]) => a - b || x - y);
      return rollupsAt(
        sorted.map(([day]) => MONTH_MS + day * DAY),
        DAY,
      ).map((rollups) => ({ rollups, generations: Float64Array.from(sorted, ([, generation]) => generation) }));
    });
    fc.assert(
      fc.property(days, ({ rollups, generations }) => {
        const back = decodeDays(encodeDays({ rollups, generations }, MONTH_MS), MONTH_MS);
        expect(back).toEqual({ rollups: expected(rollups), generations });
      }),
    );
  });

  test('refuses bytes that end too early or go on too long, and never more than data.corrupt', () => {
    fc.assert(
      fc.property(hours, fc.nat(), fc.nat(255), (rollups, place, byte) => {
        const bytes = encodeHours(rollups, DAY_MS);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => decodeHours(bytes.subarray(0, length), DAY_MS)).toThrow(/cannot be decoded/);
        }
        expect(() => decodeHours(Uint8Array.from([...bytes, 0]), DAY_MS)).toThrow(/cannot be decoded/);
        const broken = Uint8Array.from(bytes);
        broken[place % bytes.length] = byte;
        for (const decode of [() => decodeHours(broken, DAY_MS), () => decodeDays(broken, MONTH_MS)]) {
          try {
            decode();
          } catch (error) {
            if (!isSelsynError(error, 'data.corrupt')) throw error;
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test('takes no rows that are not in the period', () => {
    const at = (startMs: number): RollupColumns =>
      foldPoints([{ times: Float64Array.of(startMs), values: Float64Array.of(1) }], HOUR);
    expect(() => encodeHours(at(DAY_MS - HOUR), DAY_MS)).toThrow(/does not lie/);
    expect(() => encodeHours(at(DAY_MS + DAY), DAY_MS)).toThrow(/does not lie/);
    const twice = concatRollups([at(DAY_MS), at(DAY_MS)]);
    expect(() => encodeHours(twice, DAY_MS)).toThrow(/does not lie/);
    expect(() => encodeDays({ rollups: twice, generations: Float64Array.of(2, 2) }, MONTH_MS)).toThrow(/does not lie/);
  });

  test('an hour of a sensor with two decimals takes few bytes', () => {
    const values = Array.from({ length: 1440 }, (_, minute) => Math.round((20 + 5 * Math.sin(minute / 200)) * 100) / 100);
    const times = values.map((_, minute) => DAY_MS + minute * 60_000);
    const day = foldPoints([{ times: Float64Array.from(times), values: Float64Array.from(values) }], HOUR);
    expect(encodeHours(day, DAY_MS).length / 24).toBeLessThan(14);
  });
});

describe('the days of a month', () => {
  const day = (number_: number, value: number): RollupColumns =>
    foldPoints([{ times: Float64Array.of(MONTH_MS + number_ * DAY + value), values: Float64Array.of(value) }], DAY);
  const put = (days: DayRollups, number_: number, generation: number, value?: number): DayRollups =>
    replaceDay(days, value === undefined ? NO_ROLLUPS : day(number_, value), MONTH_MS + number_ * DAY, generation);
  const listed = ({ rollups, generations }: DayRollups): number[][] =>
    [...rollups.startsMs].map((ms, i) => [(ms - MONTH_MS) / DAY, generations[i]!, Number(rollups.firsts[i])]);

  test('have a row for each generation of a day, in order, and one takes the place of its former self', () => {
    let days = put(put(put(NO_DAYS, 5, 7, 1), 3, 9, 2), 5, 2, 3);
    expect(listed(days)).toEqual([
      [3, 9, 2],
      [5, 2, 3],
      [5, 7, 1],
    ]);
    days = put(put(days, 5, 7, 4), 3, 9);
    expect(listed(days)).toEqual([
      [5, 2, 3],
      [5, 7, 4],
    ]);
    expect(listed(put(days, 30, 1, 5)).at(-1)).toEqual([30, 1, 5]);
  });
});
