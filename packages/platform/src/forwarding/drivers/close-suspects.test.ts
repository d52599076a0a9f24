import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutgoingRecord } from '../delivery.ts';
import { CLOSES, CloseSuspects } from './close-suspects.ts';

const record = (offset: number, partition = 0): OutgoingRecord => ({
  partition,
  offset,
  arrivalMs: 0,
  device: 'd',
  topic: 't',
  payload: new Uint8Array(),
});
const records = Array.from({ length: 1_000 }, (_, offset) => record(offset));

/** Sends all as the target does, to a broker that acknowledges late and closes on the poison. @returns whether it was closed */
function attempt(suspects: CloseSuspects, poison: ReadonlySet<number>, acksLate: number): boolean {
  let inFlight: OutgoingRecord[] = [];
  const acknowledge = (down: number): void => {
    while (inFlight.length > down) suspects.acknowledged(inFlight.shift()!);
  };
  for (const each of records) {
    if (suspects.isRefused(each)) continue;
    const isSuspect = suspects.has(each);
    acknowledge(isSuspect ? 0 : acksLate);
    inFlight.push(each);
    if (!poison.has(each.offset)) continue;
    // The window of suspects may hold more of them.
    if (isSuspect)
      inFlight = records.slice(each.offset, each.offset + suspects.windowOf(0)).filter((other) => suspects.has(other));
    suspects.closed(inFlight, true);
    return true;
  }
  acknowledge(0);
  return false;
}

test('names exactly the records on which the broker closes, after a few closes each', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(999), { minLength: 1, maxLength: 4 }), fc.nat(900), (offsets, acksLate) => {
      const suspects = new CloseSuspects();
      const poison = new Set(offsets);
      let closes = 0;
      while (attempt(suspects, poison, acksLate)) closes += 1;
      expect(records.filter((each) => suspects.isRefused(each)).map(({ offset }) => offset)).toEqual(
        offsets.toSorted((a, b) => a - b),
      );
      expect(closes).toBeLessThanOrEqual(offsets.length * (CLOSES + 2));
      expect(records.some((each) => suspects.has(each))).toBe(false);
    }),
  );
});

test('a record that was acknowledged in between is innocent, and so is one that was not alone', () => {
  const suspects = new CloseSuspects();
  for (let n = 0; n < 10; n += 1) {
    suspects.closed([record(1)], true);
    suspects.closed([record(1)], true);
    suspects.acknowledged(record(1));
    suspects.closed([record(1), record(2)], true);
    suspects.acknowledged(record(1));
    suspects.acknowledged(record(2));
  }
  expect([record(1), record(2)].some((each) => suspects.isRefused(each) || suspects.has(each))).toBe(false);
});

test('closes on a record alone are forgotten when its partition was closed on without it, and not when another one was', () => {
  const suspects = new CloseSuspects();
  const aloneTimes = (times: number): void => {
    for (let n = 0; n < times; n += 1) suspects.closed([record(1)], true);
  };
  aloneTimes(CLOSES - 1);
  suspects.closed([record(2), record(3)], true);
  aloneTimes(CLOSES - 1);
  expect(suspects.isRefused(record(1))).toBe(false);
  suspects.closed([record(2, 1), record(3, 1)], true);
  aloneTimes(1);
  expect(suspects.isRefused(record(1))).toBe(true);
});

test('connections that had answered nothing blame nobody', () => {
  const suspects = new CloseSuspects();
  for (let n = 0; n < 10; n += 1) suspects.closed([record(1)], false);
  expect(suspects.isRefused(record(1))).toBe(false);
  expect(suspects.has(record(1))).toBe(true);
});

test('who was not alone in flight is not blamed, whatever it was suspected of: it may have been what another partition sent', () => {
  const suspects = new CloseSuspects();
  suspects.closed([record(7)], true);
  for (let n = 0; n < 3 * CLOSES; n += 1) expect(suspects.closed([record(n, 1), record(7), record(n, 2)], true)).toBe(false);
  expect(suspects.isRefused(record(7))).toBe(false);
  expect(suspects.has(record(3 * CLOSES - 1, 1))).toBe(true);
});

test('a partition finds its record, however many suspects others have', () => {
  const suspects = new CloseSuspects();
  suspects.closed([...records, record(0, 1), record(1, 1)], true);
  expect([suspects.windowOf(0), suspects.windowOf(1)]).toEqual([31, 1]);
});

test('the connection must have stayed the longer before a record, the more often it was closed on that', () => {
  const suspects = new CloseSuspects();
  const waits = [suspects.quietMs([record(1)])];
  for (let n = 1; n < CLOSES; n += 1) {
    suspects.closed([record(1)], true);
    waits.push(suspects.quietMs([record(0), record(1)]));
  }
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
  expect(new Set(waits).size).toBe(CLOSES);
  expect(suspects.quietMs([record(0)])).toBe(0);
  // It was not closed on the record: while nothing was sent.
  suspects.closed([], true);
  expect(suspects.isRefused(record(1))).toBe(false);
});
