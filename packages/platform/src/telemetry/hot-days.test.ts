import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { FakeLog } from './fake-log.ts';
import { HotDaysReader, HotDaysWriter, shareHotDays, type HotDaysState } from './hot-days.ts';
import { StoreHarness } from './store-harness.ts';

const QUIET: HotDaysState = { daysVersion: 7, unsaved: false, hot: [20, 22], unrolled: [18, 21, 22] };

function told(change: Partial<HotDaysState> = {}): HotDaysReader {
  const shared = shareHotDays();
  new HotDaysWriter(shared).tell({ ...QUIET, ...change });
  return new HotDaysReader(shared);
}

test('before anything was told the processor is to be asked', () => {
  expect(new HotDaysReader(shareHotDays()).read(0, 1)).toBeUndefined();
});

test('days of which nothing is in memory need no question, with those of them that are not rolled up', () => {
  expect(told().read(10, 20)).toEqual({ daysVersion: 7, unrolledDays: [18] });
  expect(told().read(21, 22)).toEqual({ daysVersion: 7, unrolledDays: [21] });
  expect(told().read(23, 30)).toEqual({ daysVersion: 7, unrolledDays: [] });
});

test('a question goes to the processor for a day in memory, also among others, and days before 1970', () => {
  expect(told().read(20, 21)).toBeUndefined();
  expect(told().read(-1000, 1000)).toBeUndefined();
  expect(told({ hot: [-3] }).read(-4, -2)).toBeUndefined();
  expect(told({ hot: [-3] }).read(-2, 0)).toBeDefined();
});

test('a question goes to the processor while a series is in memory alone, and where the days are too many to list', () => {
  const many = Array.from({ length: 600 }, (_, i) => 1_000 + i);
  expect(told({ unsaved: true }).read(10, 20)).toBeUndefined();
  expect(told({ hot: many }).read(10, 20)).toBeUndefined();
  expect(told({ unrolled: many }).read(10, 20)).toBeUndefined();
  expect(told({ hot: undefined }).read(10, 20)).toBeUndefined();
  expect(told({ unrolled: undefined }).read(10, 20)).toBeUndefined();
});

test('the last that was told counts', () => {
  const shared = shareHotDays();
  const [writer, reader] = [new HotDaysWriter(shared), new HotDaysReader(shared)];
  writer.tell({ ...QUIET, hot: [1, 2, 3] });
  expect(reader.read(3, 4)).toBeUndefined();
  writer.tell({ ...QUIET, daysVersion: 8, hot: [1], unrolled: [] });
  expect(reader.read(3, 4)).toEqual({ daysVersion: 8, unrolledDays: [] });
});

test('what a reader gets was told at once, whatever is told meanwhile', async () => {
  const shared = shareHotDays();
  const writer = new Worker(new URL('./hot-days-writer.fixture.ts', import.meta.url), { workerData: shared });
  await once(writer, 'message');
  const reader = new HotDaysReader(shared);
  const versions = new Set<number>();
  // The other thread may have to wait for a processor meanwhile.
  const untilMs = performance.now() + 60_000;
  for (let reads = 0; reads < 3_000 || (versions.size < 2 && performance.now() < untilMs); reads++) {
    const found = reader.read(0, 1_000);
    if (found === undefined) continue;
    versions.add(found.daysVersion);
    expect(found.unrolledDays).toEqual(Array.from({ length: found.daysVersion % 50 }, () => found.daysVersion % 1_000));
  }
  await writer.terminate();
  expect(versions.size).toBeGreaterThan(1);
});

test('that a day has to be rolled up again is told at once, also where nothing of it is in memory', async () => {
  const log = new FakeLog(1);
  using store = new StoreHarness(log);
  await store.open();
  const { unrolled, hotDays } = store.writer;
  const reader = new HotDaysReader(hotDays);
  expect(reader.read(5, 6)).toMatchObject({ unrolledDays: [] });
  // As when a file of rollups is found to be lost.
  unrolled.add(5);
  expect(reader.read(5, 6)).toMatchObject({ unrolledDays: [5] });
  unrolled.delete(5);
  expect(reader.read(5, 6)).toMatchObject({ unrolledDays: [] });
});
