import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import type { DiskLog } from './disk-log.ts';

const HOUR_MS = 3_600_000;

let folder: DiskLogFolder;
let log: DiskLog;

/** Ten segments of three records each, begun an hour apart. */
async function fill(retention: { maxAgeMs: number; maxBytes: number }, held = retention): Promise<void> {
  log = await folder.open({ segmentBytes: 4096, retention, held });
  const writer = await TestWriter.open(log, FIRST);
  for (let i = 0; i < 30; i += 1) {
    if (i % 3 === 0) folder.clock.advance(HOUR_MS);
    writer.add(source('a', 't'), String(i).padEnd(1200));
    await writer.settled();
  }
}

beforeEach(() => {
  folder = new DiskLogFolder();
});

afterEach(() => folder[Symbol.asyncDispose]());

test('removes released segments that are too many, and never others', async () => {
  await fill({ maxAgeMs: 1000 * HOUR_MS, maxBytes: 12_000 });
  expect(folder.segments(0)).toHaveLength(10);
  await log.release(FIRST, 2 as Offset);
  expect(await log.oldest(FIRST)).toBe(0);
  await log.release(FIRST, 13 as Offset);
  expect(await log.oldest(FIRST)).toBe(12);
  await log.release(FIRST, 5 as Offset);
  await log.release(FIRST, 30 as Offset);
  // Three segments are within 12,000 bytes.
  expect(await log.oldest(FIRST)).toBe(21);
  expect(readAll(await log.openReader(FIRST, 0 as Offset))[0]?.offset).toBe(21);
});

test('removes released segments that are too old, also while nothing more is released', async () => {
  await fill({ maxAgeMs: 4 * HOUR_MS, maxBytes: 1e9 });
  await log.release(FIRST, 30 as Offset);
  // The segment from 12 on ends before the one that was begun four hours ago.
  expect(await log.oldest(FIRST)).toBe(12);
  folder.clock.advance(2 * HOUR_MS);
  await log.release(FIRST, 0 as Offset);
  expect(await log.oldest(FIRST)).toBe(18);
  folder.clock.advance(100 * HOUR_MS);
  await log.release(FIRST, 0 as Offset);
  expect(await log.oldest(FIRST)).toBe(27);
  expect(readAll(await log.openReader(FIRST, 27 as Offset))).toHaveLength(3);
});

test('keeps what is held for longer, whichever thread says so, and not beyond the bounds of that', async () => {
  await fill({ maxAgeMs: 0, maxBytes: 0 }, { maxAgeMs: 100 * HOUR_MS, maxBytes: 20_000 });
  log.hold(FIRST, 13 as Offset);
  // Five segments are within 20,000 bytes, and from 12 on six are held.
  await log.release(FIRST, 30 as Offset);
  expect(await log.oldest(FIRST)).toBe(15);
  log.hold(FIRST, 22 as Offset);
  await log.release(FIRST, 30 as Offset);
  expect(await log.oldest(FIRST)).toBe(21);
  folder.clock.advance(200 * HOUR_MS);
  await log.release(FIRST, 30 as Offset);
  expect(await log.oldest(FIRST)).toBe(27);
});

test('forgets that something was held once nobody holds it', async () => {
  await fill({ maxAgeMs: 0, maxBytes: 0 }, { maxAgeMs: 100 * HOUR_MS, maxBytes: 1e9 });
  log.hold(FIRST, 0 as Offset);
  await log.release(FIRST, 30 as Offset);
  expect(await log.oldest(FIRST)).toBe(0);
  log.hold(FIRST, undefined);
  await log.release(FIRST, 30 as Offset);
  expect(await log.oldest(FIRST)).toBe(27);
});

test('never lets go what is held and was not released', async () => {
  await fill({ maxAgeMs: 0, maxBytes: 0 }, { maxAgeMs: 0, maxBytes: 0 });
  log.hold(FIRST, 20 as Offset);
  await log.release(FIRST, 6 as Offset);
  expect(await log.oldest(FIRST)).toBe(6);
});

test('tells how much the records from an offset on take', async () => {
  await fill({ maxAgeMs: 1000 * HOUR_MS, maxBytes: 1e9 });
  const all = await log.bytesFrom(FIRST, 0 as Offset);
  expect(all).toBeGreaterThan(30 * 1200);
  expect(all).toBeLessThan(30 * 1400);
  const half = await log.bytesFrom(FIRST, 15 as Offset);
  expect(half / all).toBeCloseTo(0.5, 1);
  const inside = await log.bytesFrom(FIRST, 16 as Offset);
  expect(inside).toBeLessThan(half);
  expect(await log.bytesFrom(FIRST, 30 as Offset)).toBe(0);
});

test('tells a reader that was overtaken, and one that finds records missing', async () => {
  await fill({ maxAgeMs: 0, maxBytes: 0 });
  const slow = await log.openReader(FIRST, 4 as Offset);
  expect(slow.read()?.firstOffset).toBe(4);
  const robbed = await log.openReader(FIRST, 25 as Offset);
  expect(robbed.read()?.firstOffset).toBe(25);
  await log.release(FIRST, 21 as Offset);
  // It still has its segment open, and reads it to its end.
  expect(slow.read()?.firstOffset).toBe(5);
  expect(() => slow.read()).toThrow(expect.objectContaining({ code: 'log.offset-gone' }));

  const reader = await log.openReader(FIRST, 21 as Offset);
  rmSync(folder.segments(0)[1]!);
  for (let i = 0; i < 3; i += 1) reader.read();
  expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
});
