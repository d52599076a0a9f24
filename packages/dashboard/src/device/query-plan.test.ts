import { expect, it } from 'vitest';
import { planBuckets, planQuery, refetchEveryMs } from './query-plan.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

it('asks for every point up to an hour and for buckets beyond', () => {
  expect(planQuery(HOUR, 1000).kind).toBe('raw');
  expect(planQuery(6 * HOUR, 1000)).toEqual({ kind: 'buckets', everyMs: 60_000, every: '1m' });
  expect(planQuery(DAY, 1000)).toEqual({ kind: 'buckets', everyMs: 300_000, every: '5m' });
  expect(planQuery(30 * DAY, 1000)).toEqual({ kind: 'buckets', everyMs: 2 * HOUR, every: '2h' });
});

it('never has more buckets than pixels, nor more than a thousand', () => {
  for (const widthPx of [100, 390, 1280, 1920, 8000]) {
    for (const span of [1000, 60_000, HOUR, DAY, 30 * DAY, 365 * DAY, 10 * 365 * DAY]) {
      expect(span / planBuckets(span, widthPx).everyMs).toBeLessThanOrEqual(Math.min(1000, Math.max(200, widthPx)));
    }
  }
});

it('does not change with a small resize', () => {
  expect(planBuckets(DAY, 1001)).toEqual(planBuckets(DAY, 1200));
});

it('fetches again no more often than something new can have come', () => {
  expect(refetchEveryMs(planQuery(HOUR, 1000))).toBe(60_000);
  expect(refetchEveryMs(planQuery(6 * HOUR, 1000))).toBe(60_000);
  expect(refetchEveryMs(planQuery(30 * DAY, 1000))).toBe(300_000);
});
