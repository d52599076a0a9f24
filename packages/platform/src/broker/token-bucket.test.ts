import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('lets a burst through, then one for each part of the second', () => {
  const bucket = new TokenBucket({ perSec: 4, burst: 3 });
  expect([1, 2, 3, 4].map(() => bucket.take(1, 100))).toEqual([true, true, true, false]);
  expect(bucket.waitMs(1, 100)).toBe(250);
  expect([349, 350, 350].map((now) => bucket.take(1, now))).toEqual([false, true, false]);
  expect([bucket.waitMs(1, 350), bucket.waitMs(2, 350), bucket.waitMs(3, 350)]).toEqual([250, 500, 750]);
});

test('a refusal takes nothing', () => {
  const bucket = new TokenBucket({ perSec: 1, burst: 2 });
  expect(bucket.take(2, 0)).toBe(true);
  for (let now = 0; now < 1_000; now += 10) expect(bucket.take(1, now)).toBe(false);
  expect(bucket.take(1, 1_000)).toBe(true);
});

test('fractions of tokens are not lost, at any rate and however often it is asked', () => {
  for (const perSec of [0.1, 1 / 3, 3, 7, 333, 99_999]) {
    const bucket = new TokenBucket({ perSec, burst: 1 });
    let taken = 0;
    const step = Math.min(1, 250 / perSec);
    const steps = 20_000;
    for (let i = 0; i < steps; i++) if (bucket.take(1, i * step)) taken++;
    expect(taken).toBeCloseTo(1 + (perSec * (steps - 1) * step) / 1_000, -0.5);
  }
});

test('after a jump of the clock it is full, and no fuller', () => {
  const bucket = new TokenBucket({ perSec: 10, burst: 5 });
  for (const now of [0, 1e9, 1e15]) {
    expect([1, 2, 3, 4, 5, 6].map(() => bucket.take(1, now))).toEqual([true, true, true, true, true, false]);
  }
});

test('more than the burst is given by a full bucket, which then owes it', () => {
  const bucket = new TokenBucket({ perSec: 100, burst: 10 });
  expect(bucket.take(1, 0)).toBe(true);
  expect(bucket.take(50, 0)).toBe(false);
  expect(bucket.waitMs(50, 0)).toBe(10);
  expect(bucket.take(50, 10)).toBe(true);
  expect([bucket.waitMs(0, 10), bucket.waitMs(1, 10)]).toEqual([400, 410]);
});

test('what is spent is owed', () => {
  const bucket = new TokenBucket({ perSec: 1_000, burst: 1_000 });
  bucket.spend(1_000, 0);
  expect(bucket.waitMs(0, 0)).toBe(0);
  bucket.spend(2_000, 0);
  expect([bucket.waitMs(0, 0), bucket.waitMs(0, 1_500), bucket.waitMs(0, 2_000)]).toEqual([2_000, 500, 0]);
});

test('who waits as long as told gets it; in no time does it give more than rate and burst', () => {
  const takes = fc.array(fc.record({ n: fc.integer({ min: 0, max: 20 }), pauseMs: fc.nat(300) }), { maxLength: 60 });
  const rate = fc.record({ perSec: fc.double({ min: 0.5, max: 5_000, noNaN: true }), burst: fc.integer({ min: 20, max: 200 }) });
  fc.assert(
    fc.property(rate, takes, (limits, script) => {
      const bucket = new TokenBucket(limits);
      let now = 12_345.678;
      const start = now;
      let taken = 0;
      for (const { n, pauseMs } of script) {
        const wait = bucket.waitMs(n, now);
        if (wait > 0) {
          expect(bucket.take(n, now)).toBe(false);
          expect(bucket.take(n, now + wait - 1 - 0.01)).toBe(false);
          now += wait;
        }
        expect(bucket.take(n, now)).toBe(true);
        taken += n;
        expect(taken).toBeLessThanOrEqual(limits.burst + (limits.perSec * (now - start)) / 1_000 + 0.1);
        now += pauseMs;
      }
    }),
  );
});
