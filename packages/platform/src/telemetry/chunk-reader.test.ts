import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChunkReader } from './chunk-reader.ts';
import { dayOf, DAY_MS, openDayFileForWrite } from './day-file-schema.ts';
import { StoreFixture } from './query-fixture.ts';

const START = Date.UTC(2026, 2, 10);

let store: StoreFixture;
let reader: ChunkReader;
beforeEach(() => {
  store = new StoreFixture();
  reader = new ChunkReader({ telemetryDir: store.telemetryDir, maxOpenFiles: 2 });
});
afterEach(() => {
  reader[Symbol.dispose]();
  store[Symbol.dispose]();
});

/** Day files that this process has open. */
function openFiles(): string[] {
  const open = new Set<string>();
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      if (path.startsWith(store.telemetryDir) && path.endsWith('.db')) open.add(path.slice(-13, -3));
    } catch {
      continue; // The descriptor of the listing itself is closed by now.
    }
  }
  return [...open].sort();
}

describe('a chunk reader', () => {
  it('lists the days that overlap a time', () => {
    for (const day of [0, 2, 3]) store.chunk(1, [[START + day * DAY_MS, 1]]);
    reader.refresh(1);
    const days = (from: number, to: number): number[] =>
      [...reader.days(START + from, START + to)].map((day) => day - dayOf(START));
    expect(days(-DAY_MS, 9 * DAY_MS)).toEqual([0, 2, 3]);
    expect(days(DAY_MS - 1, 2 * DAY_MS)).toEqual([0]);
    expect(days(DAY_MS - 1, 2 * DAY_MS + 1)).toEqual([0, 2]);
    expect(days(DAY_MS, 2 * DAY_MS)).toEqual([]);
    expect(days(3 * DAY_MS - 1, 3 * DAY_MS)).toEqual([2]);
  });

  it('has no days before there is a folder', () => {
    reader.refresh(1);
    expect(reader.days(0, START)).toHaveLength(0);
  });

  it.runIf(process.platform === 'linux')('keeps the files open that were used last, and no more', () => {
    for (let day = 0; day < 4; day++) store.chunk(1, [[START + day * DAY_MS, day]]);
    store.closeDays();
    reader.refresh(1);
    const read = (day: number): unknown => reader.newest(dayOf(START) + day, 1)?.values[0];
    expect([0, 1, 0, 2, 3, 0].map(read)).toEqual([0, 1, 0, 2, 3, 0]);
    expect(openFiles()).toEqual(['2026-03-10', '2026-03-13']);
    reader[Symbol.dispose]();
    expect(openFiles()).toEqual([]);
  });

  it('counts by series what overlaps a time, and gives the chunks by their start', () => {
    store.chunk(1, [
      [START + 10, 1],
      [START + 20, 1],
    ]);
    store.chunk(1, [
      [START + 5, 1],
      [START + 12, 1],
      [START + 30, 1],
    ]);
    store.chunk(2, [[START + 15, 1]]);
    store.chunk(3, [[START + 15, 1]]);
    const day = dayOf(START);
    const counts = (from: number, to: number): unknown => [...reader.counts(day, [1, 2, 4], START + from, START + to)];
    expect(counts(0, 100)).toEqual([
      [1, 5],
      [2, 1],
    ]);
    expect(counts(21, 22)).toEqual([[1, 3]]);
    expect(counts(0, 10)).toEqual([[1, 3]]);
    expect(counts(31, 100)).toEqual([]);
    const ids = (from: number, to: number, limit: number): number[] =>
      reader.page(day, 1, START + from, START + to, limit).map(({ id }) => id);
    expect(ids(0, 100, 9)).toEqual([2, 1]);
    expect(ids(0, 100, 1)).toEqual([2]);
    expect(ids(20, 100, 9)).toEqual([2, 1]);
    expect(ids(21, 100, 9)).toEqual([2]);
  });

  it('sees each commit, and does not keep the writer from a checkpoint', () => {
    const writer = openDayFileForWrite(store.telemetryDir, dayOf(START), () => 1);
    const insert = writer.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (1, ?, ?, 1, ?)');
    for (let i = 1; i <= 3; i++) {
      insert.run(START + i, START + i, new Uint8Array(100));
      expect(reader.page(dayOf(START), 1, START, START + DAY_MS, 2)).toHaveLength(Math.min(i, 2));
      expect(reader.counts(dayOf(START), [1], START, START + DAY_MS).get(1)).toBe(i);
      expect(writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toEqual({ busy: 0, log: 0, checkpointed: 0 });
    }
    writer.close();
  });
});
