import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dueAt, MAX_CATCH_UP_MS, nextDueMs, paceAt, rateOf, untilNextIncrease, type RolloutPace } from './rollout-rate.ts';

const MINUTE_MS = 60_000;
const START = 1_700_000_000_000;

/** Asks at these moments, and takes all that is due each time. @returns what was given out when. */
function giveOut(rate: number, moments: readonly number[]): readonly (readonly [atMs: number, count: number])[] {
  let pace: RolloutPace | undefined;
  return moments.map((atMs) => {
    pace = paceAt(pace, rate, atMs);
    const due = dueAt(pace, atMs);
    pace = { ...pace, granted: pace.granted + due };
    return [atMs, due] as const;
  });
}

const rates = fc.integer({ min: 1, max: 2_000_000 });

test('however often it is asked, exactly the rate is given out: nothing drifts', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.integer({ min: 1, max: MAX_CATCH_UP_MS - 1 }), { maxLength: 200 }), (rate, gaps) => {
      const moments = gaps.reduce((times, gap) => [...times, times.at(-1)! + gap], [START]);
      const total = giveOut(rate, moments).reduce((sum, [, count]) => sum + count, 0);
      const passedMs = moments.at(-1)! - START;
      if (60_000 / rate < MAX_CATCH_UP_MS) expect(total).toBe(Math.floor((passedMs * rate) / MINUTE_MS) + 1);
      else expect(total).toBeLessThanOrEqual(Math.floor((passedMs * rate) / MINUTE_MS) + 1);
    }),
  );
});

test('no minute has more than the rate, but for what a stall of a few seconds held back', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 100 }), (rate, gaps) => {
      const moments = gaps.reduce((times, gap) => [...times, times.at(-1)! + gap], [START]);
      const given = giveOut(rate, moments);
      for (const [from] of given) {
        const inMinute = given.filter(([at]) => at >= from && at < from + MINUTE_MS).reduce((sum, [, count]) => sum + count, 0);
        expect(inMinute).toBeLessThanOrEqual(Math.ceil((rate * (MINUTE_MS + MAX_CATCH_UP_MS)) / MINUTE_MS) + 1);
      }
    }),
  );
});

test('the next one is due exactly when it is said to be', () => {
  fc.assert(
    fc.property(rates, fc.nat({ max: 100_000 }), (perMinute, granted) => {
      const pace = { sinceMs: START, granted, perMinute };
      const next = nextDueMs(pace);
      expect(dueAt(pace, Math.ceil(next))).toBeGreaterThanOrEqual(1);
      if (Math.ceil(next) - 1 < next) expect(dueAt(pace, Math.ceil(next) - 1)).toBe(0);
    }),
  );
});

test('after hours without the server the rollout goes on at its rate, not with all that it missed', () => {
  const pace = paceAt({ sinceMs: START, granted: 10, perMinute: 600 }, 600, START + 3_600_000);
  expect(dueAt(pace, START + 3_600_000)).toBe(51);
});

test('a clock that is set back does not stop a rollout', () => {
  const pace = paceAt({ sinceMs: START, granted: 600, perMinute: 600 }, 600, START - 86_400_000);
  expect(dueAt(pace, START - 86_400_000)).toBe(1);
});

test('another rate goes on where the one before was: nobody is given out twice for the same time', () => {
  const before: RolloutPace = { sinceMs: START, granted: 1, perMinute: 1 };
  const pace = paceAt(before, 60, START + 1_000);
  expect(dueAt(pace, START + 1_000)).toBe(0);
  expect(nextDueMs(pace)).toBeLessThanOrEqual(START + 60_000);
});

test('an exponential rate grows by its factor each time that so many more are notified or have succeeded', () => {
  const rollout = {
    maximumPerMinute: 1000,
    exponential: { baseRatePerMinute: 50, incrementFactor: 2, rateIncreaseCriteria: { numberOfNotifiedThings: 1000 } },
  };
  const at = (notified: number): number | undefined => rateOf(rollout, { notified, succeeded: 0 });
  expect([0, 999, 1000, 1999, 2000, 3000, 4000, 5000, 1e9].map(at)).toEqual([50, 50, 100, 100, 200, 400, 800, 1000, 1000]);
  expect([0, 1, 999, 1000].map((notified) => untilNextIncrease(rollout, notified))).toEqual([1000, 999, 1, 1000]);
  const bySuccess = {
    exponential: { baseRatePerMinute: 10, incrementFactor: 1.5, rateIncreaseCriteria: { numberOfSucceededThings: 10 } },
  };
  expect(rateOf(bySuccess, { notified: 500, succeeded: 20 })).toBe(22);
  expect(rateOf({ maximumPerMinute: 7 }, { notified: 0, succeeded: 0 })).toBe(7);
  expect(rateOf(undefined, { notified: 0, succeeded: 0 })).toBeUndefined();
});
