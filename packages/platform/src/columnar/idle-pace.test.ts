import { beforeEach, expect, test } from 'vitest';
import { IdlePace } from './idle-pace.ts';

let nowMs: number;
let slept: number[];
/** Of two processors, what others leave of both together. */
let left: number;
let idleMs: number;
let ownMs: number;
/** What others use of a quota of one processor, as a share of it; undefined: there is none. */
let quotaUsed: number | undefined;

beforeEach(() => {
  [nowMs, slept, left, idleMs, ownMs, quotaUsed] = [1_000, [], 0, 0, 0, undefined];
});

function open(processors = 2): IdlePace {
  return new IdlePace({
    monotonicMs: () => nowMs,
    times: () => {
      const used = quotaUsed;
      return {
        processors,
        idleMs,
        ownMs,
        ...(used === undefined ? {} : { quotas: [{ processors: 1, unusedMs: nowMs * (1 - used) - ownMs }] }),
      };
    },
    sleep: (ms) => {
      slept.push(ms);
      nowMs += ms;
      idleMs += left * ms;
    },
  });
}

/** Pieces of work of a millisecond each. */
function work(pace: IdlePace, pieces: number): void {
  for (let i = 0; i < pieces; i++) {
    nowMs += 1;
    ownMs += Math.min(1, left);
    idleMs += Math.max(0, left - 1);
    pace.rest();
  }
}

test('rests six times as long as it worked, while others need the processors', () => {
  left = 0.4;
  work(open(), 100);
  expect(slept).toEqual(Array.from({ length: 20 }, () => 30));
});

test('goes on at full speed once one processor is free, its own use counted as free', () => {
  left = 1;
  const pace = open();
  work(pace, 100);
  const before = slept.length;
  // Until it looked for the first time.
  expect(before).toBeLessThan(20);
  work(pace, 1000);
  expect(slept.length).toBe(before);
  left = 0.2;
  work(pace, 1000);
  expect(slept.length).toBeGreaterThan(before);
});

test('half of the only processor is enough', () => {
  left = 0.6;
  const pace = open(1);
  work(pace, 100);
  const before = slept.length;
  work(pace, 1000);
  expect(slept.length).toBe(before);
});

test('after ten minutes it has waited enough', () => {
  const pace = open();
  while (nowMs < 601_000) work(pace, 100);
  const before = slept.length;
  expect(before).toBeGreaterThan(10_000);
  work(pace, 1000);
  expect(slept.length).toBe(before);
});

test('a single piece that took long is not followed by a long sleep', () => {
  const pace = open();
  nowMs += 60_000;
  pace.rest();
  expect(slept).toEqual([1_500]);
});

test('rests while others need a quota that it shares with them, however idle the machine is', () => {
  left = 2;
  quotaUsed = 0.9;
  const pace = open();
  work(pace, 100);
  const before = slept.length;
  work(pace, 1000);
  expect(slept.length).toBeGreaterThan(before + 100);
  quotaUsed = 0.2;
  work(pace, 300);
  const after = slept.length;
  work(pace, 1000);
  expect(slept.length).toBe(after);
});
