import { afterEach, beforeEach, expect, test } from 'vitest';
import { ChunkReader } from '../telemetry/chunk-reader.ts';
import { DAY_MS, dayOf, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { columns, type Pair, StoreFixture } from '../telemetry/query-fixture.ts';
import { RollupReader } from '../telemetry/rollups/rollup-reader.ts';
import { CountingPace } from './counting-pace.ts';
import type { HotPoints } from './hot-points.ts';
import { rollupsOf, timesOf } from './stored-rollups.ts';

const START = Date.UTC(2026, 2, 27);
const DAY = dayOf(START);
let store: StoreFixture;
beforeEach(() => {
  store = new StoreFixture();
});
afterEach(() => store[Symbol.dispose]());

function days(hot: readonly Pair[], unrolledDays: readonly number[]): (readonly [day: number, count: number, max: number])[] {
  using reader = new ChunkReader(store);
  using rollups = new RollupReader(store);
  reader.refresh(1);
  rollups.refresh(1);
  const hours = hot.map(([time]) => Math.floor(time / HOUR_MS));
  const memory = { unrolledDays, hours, of: () => columns(hot) } as unknown as HotPoints;
  const parts = { reader, rollups, hot: memory, pace: new CountingPace(), times: timesOf(reader, rollups, memory) };
  const { startsMs, counts, maxs } = rollupsOf(parts, '1d', 1, { fromMs: START - DAY_MS, toMs: START + 5 * DAY_MS });
  return Array.from(startsMs, (startMs, i) => [dayOf(startMs) - DAY, counts[i]!, maxs[i]!] as const);
}

test('a late point of a day of which only the day is kept is added to it, in memory and stored', () => {
  for (const day of [DAY, DAY + 1]) {
    const points = Array.from({ length: 24 }, (_, hour): Pair => [day * DAY_MS + hour * HOUR_MS, hour]);
    store.chunk(1, points);
    store.rollUp(1, day, columns(points), 0, 10 + day);
    store.removeDay(day);
    store.removeHours(day);
  }
  const late: Pair[] = [[START + 5, 100]];
  const expected = [
    [0, 25, 100],
    [1, 24, 23],
  ];
  expect(days(late, [])).toEqual(expected);
  store.chunk(1, late);
  expect(days([], [DAY])).toEqual(expected);
});

test('between times that are far apart nothing is looked for', () => {
  const read: number[] = [];
  class Watched extends RollupReader {
    override read(...[level, series, fromMs, toMs, except]: Parameters<RollupReader['read']>): ReturnType<RollupReader['read']> {
      read.push((toMs - fromMs) / DAY_MS);
      return super.read(level, series, fromMs, toMs, except);
    }
  }
  for (const day of [DAY - 20_000, DAY]) {
    const points: Pair[] = [[day * DAY_MS, 1]];
    store.chunk(1, points);
    store.rollUp(1, day, columns(points), 0, 10);
  }
  using reader = new ChunkReader(store);
  using rollups = new Watched(store);
  reader.refresh(1);
  rollups.refresh(1);
  const hot = { unrolledDays: [], hours: [], of: () => columns([]) } as unknown as HotPoints;
  const parts = { reader, rollups, hot, pace: new CountingPace(), times: timesOf(reader, rollups, hot) };
  const { startsMs } = rollupsOf(parts, '1h', 1, { fromMs: -Infinity, toMs: Infinity });
  expect([...startsMs]).toEqual([START - 20_000 * DAY_MS, START]);
  // Two years at most, for a file of days is one of a year.
  expect(read.reduce((sum, days) => sum + days, 0)).toBeLessThanOrEqual(732);
});
