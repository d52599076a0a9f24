import { statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { planCompaction, SETTLED_CHUNKS, type ChunkSpan } from './compaction-plan.ts';
import { DAY_MS } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import { StoreHarness } from './store-harness.ts';

function span(id: number, startMs: number, endMs: number, count: number): ChunkSpan {
  return { id, startMs, endMs, count };
}

const ids = (chunks: readonly ChunkSpan[]): number[][] => planCompaction(chunks).map((group) => group.map(({ id }) => id));

describe('the plan of a compaction', () => {
  test('leaves full chunks that follow each other alone', () => {
    expect(ids([span(1, 0, 9, 1024), span(2, 10, 19, 1024), span(3, 20, 20, 1)])).toEqual([]);
  });

  test('takes in every chunk that overlaps another of the group', () => {
    expect(
      ids([span(1, 0, 9, 1024), span(4, 5, 25, 3), span(2, 10, 19, 1024), span(3, 20, 29, 1024), span(5, 30, 39, 1000)]),
    ).toEqual([[1, 4, 2, 3]]);
  });

  test('joins small neighbours where that halves their number', () => {
    const small = (count: number): ChunkSpan[] =>
      Array.from({ length: count }, (_, index) => span(index + 1, index * 10, index * 10 + 9, 400));
    expect(ids(small(3))).toEqual([]);
    expect(ids(small(4))).toEqual([[1, 2, 3, 4]]);
    expect(ids(small(24)).map((group) => group.length)).toEqual([10, 10, 4]);
  });

  test('makes one chunk of a day of a point a minute, once it is over', () => {
    const day = [span(1, 0, 9, 480), span(2, 10, 19, 480), span(3, 20, 29, 480)];
    expect(ids(day)).toEqual([]);
    expect(planCompaction(day, SETTLED_CHUNKS)).toEqual([day]);
    const seconds = Array.from({ length: 84 }, (_, index) => span(index + 1, index * 10, index * 10 + 9, 1024));
    expect(planCompaction(seconds, SETTLED_CHUNKS).map((group) => group.length)).toEqual([...Array<number>(10).fill(8), 4]);
  });

  test('leaves groups alone that are too large to merge at once', () => {
    expect(
      ids([
        span(1, 0, 100, 60_000),
        span(2, 50, 100, 60_000),
        span(3, 60, 90, 60_000),
        span(4, 61, 99, 65_000),
        span(5, 62, 63, 65_000),
      ]),
    ).toEqual([]);
  });
});

describe('the compactor', () => {
  test('makes full chunks of small and overlapping ones, with the same points, and gives space back', async () => {
    const log = new FakeLog(1);
    using store = new StoreHarness(log);
    await store.open();
    const today = Math.floor(store.clock.now() / DAY_MS) * DAY_MS;
    for (let part = 0; part < 40; part++) {
      const samples = Array.from({ length: 100 }, (_, index) => ({
        ts: today + part * 100_000 + index * 1000,
        v: part + index,
        s: part % 7 === 0 ? 'x' : index,
      }));
      // Every fifth part comes late, again and with other values: they count.
      const late =
        part % 5 === 4
          ? Array.from({ length: 50 }, (_, index) => ({ ts: today + (part - 3) * 100_000 + index * 1500, v: -part }))
          : [];
      log.append(0, store.clock.now(), [['a', [...samples, ...late]]]);
      store.consume();
      store.seal();
    }
    const before = store.stored();
    expect(before['a']!['v']!.length).toBeGreaterThan(4000);
    const chunksBefore = store.chunks().length;
    store.compact();
    expect(store.stored()).toEqual(before);
    expect(chunksBefore).toBeGreaterThanOrEqual(80);
    expect(store.chunks().length).toBeLessThan(16);
    const file = store.writer.files.use(today / DAY_MS);
    expect(file.db.prepare('PRAGMA freelist_count').get()).toEqual({ freelist_count: 0 });
    expect(statSync(`${store.writer.files.pathOf(today / DAY_MS)!}-wal`).size).toBe(0);
    // A day that is done is not looked at again, until something is written to it.
    expect(store.writer.catalog.uncompactedDays()).toEqual([]);
    log.append(0, store.clock.now(), [['a', { ts: today + 5, v: 1 }]]);
    store.consume();
    store.seal();
    expect(store.writer.catalog.uncompactedDays()).toEqual([today / DAY_MS]);
  });
});
