import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { dateOf, needsShares, planFiles, type PlanInput, type RetainedFile } from './planner.ts';
import type { KeptDays } from './retention-policy.ts';
import { UNKNOWN } from './series-classes.ts';

const NOW_DAY = 20_000;
const LEVELS = ['raw', 'hourly', 'daily'] as const;

const kept: fc.Arbitrary<KeptDays> = fc
  .array(fc.option(fc.integer({ min: 1, max: 30 }), { nil: null, freq: 3 }), { minLength: 3, maxLength: 3 })
  .map((days) => {
    const longer = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : Math.max(a, b));
    const [raw, hourly, daily] = [days[0]!, longer(days[0]!, days[1]!), longer(longer(days[0]!, days[1]!), days[2]!)];
    return { raw, hourly, daily, archive: null };
  });
const series = fc.record({ of: fc.nat(2), held: fc.boolean(), points: fc.integer({ min: 1, max: 9 }) });
const file = fc.record({
  level: fc.constantFrom(...LEVELS),
  ago: fc.integer({ min: -5, max: 40 }),
  long: fc.constantFrom(1, 7),
  series: fc.array(series, { minLength: 1, maxLength: 6 }),
  unknown: fc.boolean(),
  keptBecause: fc.option(fc.constantFrom('hot-points' as const, 'not-archived' as const), { nil: undefined, freq: 5 }),
});

test('goes by each series of each file as a look at every single one says', () => {
  fc.assert(
    fc.property(fc.array(kept, { minLength: 3, maxLength: 3 }), fc.array(file, { maxLength: 8 }), (classes, drafts) => {
      const nowMs = NOW_DAY * DAY_MS + 1234;
      const files = drafts.map((draft, index): RetainedFile & { readonly draft: typeof draft } => {
        const shares = new Map<number, number>();
        for (const each of draft.series) {
          const found = (each.of << 1) | Number(each.held);
          shares.set(found, (shares.get(found) ?? 0) + each.points);
        }
        if (draft.unknown) shares.set(UNKNOWN, 1);
        const fromDay = NOW_DAY - draft.ago;
        const sizeBytes = 1000;
        const { level, keptBecause } = draft;
        return { level, file: String(index), fromDay, toDay: fromDay + draft.long, sizeBytes, shares, keptBecause, draft };
      });
      const input: PlanInput = { nowMs, classes, uniform: false };
      const steps = planFiles(files, input);
      for (const one of files) {
        const { draft } = one;
        const isOld = (each: { readonly of: number }): boolean => {
          const days = classes[each.of]![one.level];
          return days !== null && nowMs - one.toDay * DAY_MS >= days * DAY_MS;
        };
        const goes = draft.series.filter((each) => isOld(each) && !each.held);
        const held = draft.series.filter((each) => isOld(each) && each.held);
        const step = steps.find((each) => each.file === one);
        if (goes.length === 0 && held.length === 0) {
          expect(step).toBeUndefined();
          continue;
        }
        const all = goes.length === draft.series.length && !draft.unknown;
        expect(step!.planned.from).toBe(dateOf(one.fromDay));
        if (goes.length === 0) {
          expect(step!.planned.blocked).toBe('held');
          continue;
        }
        expect(step!.planned.action).toBe(all ? 'drop' : 'trim');
        const points = draft.series.reduce((sum, each) => sum + each.points, draft.unknown ? 1 : 0);
        const going = goes.reduce((sum, each) => sum + each.points, 0);
        expect(step!.planned.freesBytes).toBe(Math.floor((1000 * going) / points));
        expect(step!.planned.blocked === undefined).toBe(draft.keptBecause === undefined && !waits(one, steps));
      }
      // The finer level first, and of a level the oldest.
      const order = steps.map(({ file: { level, fromDay } }) => LEVELS.indexOf(level) * 1e6 + fromDay);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
    { numRuns: 500 },
  );
});

/** A finer file of the same days stays though it is too old. */
function waits(file: RetainedFile, steps: ReturnType<typeof planFiles>): boolean {
  return steps.some(
    ({ file: finer, planned }) =>
      LEVELS.indexOf(finer.level) < LEVELS.indexOf(file.level) &&
      planned.blocked !== undefined &&
      planned.blocked !== 'held' &&
      Math.max(finer.fromDay, file.fromDay) < Math.min(finer.toDay, file.toDay),
  );
}

test('a file whose series are all alike needs no look inside, and any other only once something of it is old', () => {
  const classes: KeptDays[] = [
    { raw: 7, hourly: 90, daily: 365, archive: null },
    { raw: 30, hourly: 90, daily: 365, archive: null },
  ];
  const at = (toDay: number) => ({ level: 'raw', toDay }) as const;
  const nowMs = NOW_DAY * DAY_MS;
  expect(needsShares(at(NOW_DAY - 8), { nowMs, classes: classes.slice(0, 1), uniform: true })).toBe(false);
  expect(needsShares(at(NOW_DAY - 6), { nowMs, classes, uniform: false })).toBe(false);
  expect(needsShares(at(NOW_DAY - 7), { nowMs, classes, uniform: false })).toBe(true);
  // All classes are over: a series may have come since, of one that is not.
  expect(needsShares(at(NOW_DAY - 31), { nowMs, classes, uniform: false })).toBe(true);
});

test('points of days that are still to come do not go', () => {
  const classes: KeptDays[] = [{ raw: 1, hourly: 1, daily: 1, archive: null }];
  const file = { level: 'raw', file: 'f', fromDay: NOW_DAY + 400, toDay: NOW_DAY + 401, sizeBytes: 1 } as const;
  expect(planFiles([file], { nowMs: NOW_DAY * DAY_MS, classes, uniform: true })).toEqual([]);
});
