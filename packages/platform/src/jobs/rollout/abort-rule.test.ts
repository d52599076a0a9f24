import fc from 'fast-check';
import { expect, test } from 'vitest';
import { brokenCriterion, mayRetry } from './abort-rule.ts';
import { NO_COUNTS } from './job-counts.ts';

const criterion = { failureType: 'FAILED', action: 'CANCEL', thresholdPercentage: 20, minNumberOfExecutedThings: 10 } as const;

test.each([
  [{ FAILED: 2, SUCCEEDED: 7 }, false],
  [{ FAILED: 2, SUCCEEDED: 8 }, true],
  [{ FAILED: 1, SUCCEEDED: 9 }, false],
  [{ FAILED: 10 }, true],
  [{ REJECTED: 10 }, false],
  [{ FAILED: 2, SUCCEEDED: 7, QUEUED: 1000 }, false],
  [{ FAILED: 2, SUCCEEDED: 8, QUEUED: 1000, IN_PROGRESS: 1000 }, true],
  [{ FAILED: 2, TIMED_OUT: 3, REJECTED: 5, CANCELED: 90, REMOVED: 90 }, true],
])('of %o aborts: %s', (counts, aborts) => {
  expect(brokenCriterion({ criteria: [criterion] }, { ...NO_COUNTS, ...counts }) !== undefined).toBe(aborts);
});

test('one more failure never takes an abort back, and one more success never makes one', () => {
  const count = fc.nat({ max: 1000 });
  const kinds = fc.constantFrom('FAILED' as const, 'REJECTED' as const, 'TIMED_OUT' as const);
  const percent = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(count, count, count, count, kinds, percent, fc.integer({ min: 1, max: 500 }), (...values) => {
      const [SUCCEEDED, FAILED, REJECTED, TIMED_OUT, failureType, thresholdPercentage, minNumberOfExecutedThings] = values;
      const abort = { criteria: [{ failureType, action: 'CANCEL' as const, thresholdPercentage, minNumberOfExecutedThings }] };
      const counts = { ...NO_COUNTS, SUCCEEDED, FAILED, REJECTED, TIMED_OUT };
      const isBroken = brokenCriterion(abort, counts) !== undefined;
      const worse = { ...counts, [failureType]: counts[failureType] + 1 };
      const better = { ...counts, SUCCEEDED: SUCCEEDED + 1 };
      if (isBroken) expect(brokenCriterion(abort, worse)).toBeDefined();
      const executed = SUCCEEDED + FAILED + REJECTED + TIMED_OUT;
      if (!isBroken && executed >= minNumberOfExecutedThings) expect(brokenCriterion(abort, better)).toBeUndefined();
    }),
  );
});

test('an execution is tried again as often as its kind of failure allows', () => {
  const retry = {
    criteria: [
      { failureType: 'FAILED', numberOfRetries: 2 },
      { failureType: 'ALL', numberOfRetries: 1 },
    ],
  } as const;
  expect([0, 1, 2].map((retries) => mayRetry(retry, 'FAILED', retries))).toEqual([true, true, false]);
  expect([0, 1].map((retries) => mayRetry(retry, 'TIMED_OUT', retries))).toEqual([true, false]);
  expect(['SUCCEEDED', 'REJECTED', 'CANCELED', 'REMOVED'].some((ended) => mayRetry(retry, ended, 0))).toBe(false);
  expect(mayRetry(undefined, 'FAILED', 0)).toBe(false);
});
