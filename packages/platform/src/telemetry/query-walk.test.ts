import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ChunkReader } from './chunk-reader.ts';
import { ByteReader } from './codec/byte-reader.ts';
import { damageChunks } from './damaged-chunks.fixture.ts';
import { DAY_MS } from './day-file-schema.ts';
import { NO_POINTS, type Columns } from './query-columns.ts';
import { StoreFixture } from './query-fixture.ts';
import { QueryPace } from './query-pace.ts';
import { SeriesWalk } from './query-walk.ts';

const DAY = 20_000;
const MIDNIGHT = DAY * DAY_MS;

let store: StoreFixture;
let left: number[];

beforeEach(() => {
  store = new StoreFixture();
  left = [];
  // More than a page of chunks, of which the last reaches over all.
  for (let n = 0; n < 40; n++) store.chunk(1, [[MIDNIGHT + n, n]]);
  store.chunk(1, [
    [MIDNIGHT, -1],
    [MIDNIGHT + 39, -2],
  ]);
  store.closeDays();
});
afterEach(() => {
  vi.restoreAllMocks();
  store[Symbol.dispose]();
});

function walk(onUndecodable?: (chunk: { readonly id: number }) => void): number[] {
  using reader = new ChunkReader({ telemetryDir: store.telemetryDir });
  const series = new SeriesWalk({
    reader,
    pace: new QueryPace({ clock: { monotonicMs: () => 0 }, maxPoints: Infinity }),
    series: 1,
    hot: NO_POINTS,
    fromMs: MIDNIGHT,
    toMs: MIDNIGHT + DAY_MS,
    days: [DAY],
    ...(onUndecodable === undefined ? {} : { onUndecodable }),
  });
  const runs: Columns[] = [];
  while (series.step(runs));
  return runs.flatMap(({ values }) => [...values] as number[]);
}

test('a chunk that cannot be decoded is an error, or is left out where somebody wants to be told', () => {
  const all = Array.from({ length: 40 }, (_, n) => n);
  damageChunks(store.telemetryDir, DAY, 'id = 8 OR id = 41');
  expect(() => walk()).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
  expect(walk(({ id }) => left.push(id))).toEqual(all.filter((n) => n !== 7));
  expect([...new Set(left)]).toEqual([8, 41]);
});

test('nothing but a damaged chunk is left out', () => {
  const bug = new RangeError('Invalid typed array length');
  vi.spyOn(ByteReader.prototype, 'load').mockImplementation(() => {
    throw bug;
  });
  expect(() => walk(({ id }) => left.push(id))).toThrow(bug);
  expect(left).toEqual([]);
});
