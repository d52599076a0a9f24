import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ChunkReader, decodeStored } from '../chunk-reader.ts';
import { ByteReader } from '../codec/byte-reader.ts';
import { damageChunks, shiftTimes } from '../damaged-chunks.fixture.ts';
import { DAY_MS, DAY_STALE, HOUR_MS } from '../day-file-schema.ts';
import { DayFile } from '../day-files.ts';
import { FakeLog } from '../fake-log.ts';
import { StoreHarness } from '../store-harness.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { naiveRollups, rowsOf, type RollupRow } from './rollup-model.ts';
import { RollupReader } from './rollup-reader.ts';

const DAY = 20_700;
const MIDNIGHT = DAY * DAY_MS;

type Points = readonly (readonly [hour: number, value: PointValue])[];

let log: FakeLog;
let store: StoreHarness;
let lines: Record<string, unknown>[];

beforeEach(async () => {
  log = new FakeLog(1);
  lines = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as Record<string, unknown>);
  store = new StoreHarness(log, { logLines: pino({ level: 'error', base: null, timestamp: false }, { write }) });
  await store.open();
});

afterEach(() => {
  vi.restoreAllMocks();
  store[Symbol.dispose]();
});

/** The points as a chunk of their own, durably. */
function send(points: Points, ...devices: string[]): void {
  const samples = points.map(([hour, n]) => ({ ts: MIDNIGHT + hour * HOUR_MS, values: { n } }));
  log.append(
    0,
    store.clock.now(),
    (devices.length === 0 ? ['a'] : devices).map((device) => [device, samples]),
  );
  store.consume();
  store.seal();
  store.saveLowWater();
}

function damage(where: string, change?: (data: Uint8Array) => Uint8Array): void {
  damageChunks(store.dir, DAY, where, change);
}

/** What the files of rollups have of a series. */
function rolledUp(level: '1h' | '1d', series = 1): RollupRow[] {
  using reader = new RollupReader({ telemetryDir: store.dir });
  return rowsOf(reader.read(level, series, MIDNIGHT, MIDNIGHT + DAY_MS));
}

function expectRolledUp(points: Points, series = 1): void {
  const model = [new Map(points.map(([hour, value]) => [MIDNIGHT + hour * HOUR_MS, value]))];
  expect(rolledUp('1h', series)).toEqual(naiveRollups(model, HOUR_MS));
  expect(rolledUp('1d', series)).toEqual(naiveRollups(model, DAY_MS));
}

function staleHours(series = 1): number {
  using reader = new ChunkReader({ telemetryDir: store.dir });
  return reader.staleHours(DAY, series);
}

describe('a chunk that cannot be decoded', () => {
  const chunksLeftOut = (): number => store.writer.rollups.leftOut.count;

  test('keeps its series from the rollups while its day is not over, and no other', () => {
    store.clock.step(MIDNIGHT + 5 * HOUR_MS + 15 * 60_000 - store.clock.now());
    send([[1, 1]]);
    store.rollUp();
    send([[5, 1]], 'a', 'b');
    damage(`series = 1 AND start_ms = ${MIDNIGHT + 5 * HOUR_MS}`);
    store.clock.advance(HOUR_MS);
    store.rollUp();
    expect(store.writer.rollups.unreadable).toBe(1);
    expect([staleHours(1), staleHours(2)]).toEqual([(1 << 5) | DAY_STALE, DAY_STALE]);
    // It is not tried all the time.
    store.rollUp();
    expect(store.writer.rollups.unreadable).toBe(1);
    store.clock.advance(HOUR_MS);
    store.rollUp();
    expect(store.writer.rollups.unreadable).toBe(2);
    // Who knows: what made it so may pass.
    damage(`series = 1 AND start_ms = ${MIDNIGHT + 5 * HOUR_MS}`);
    store.clock.advance(HOUR_MS);
    store.rollUp();
    expect(staleHours(1)).toBe(DAY_STALE);
    expect([chunksLeftOut(), lines]).toEqual([0, []]);
  });

  test('is left out when its day is over: the rest is rolled up, the day is done, and it is told of once', async () => {
    store.clock.step(MIDNIGHT + 6 * HOUR_MS + 15 * 60_000 - store.clock.now());
    send([[1, 1]]);
    store.rollUp();
    send([[4, 2]]);
    send([
      [5, 3],
      [5.5, 4],
    ]);
    send([[5.25, 5]]);
    send([[7, true]], 'a', 'b');
    damage(`series = 1 AND start_ms = ${MIDNIGHT + 5 * HOUR_MS}`);
    store.rollUp();
    expect(store.writer.unrolled.all).toEqual([DAY]);
    store.clock.advance(DAY_MS);
    store.rollUp();
    const rest: Points = [
      [1, 1],
      [4, 2],
      [5.25, 5],
      [7, true],
    ];
    expectRolledUp(rest);
    expectRolledUp([[7, true]], 2);
    expect([staleHours(1), staleHours(2)]).toEqual([0, 0]);
    expect([store.writer.unrolled.all, store.writer.catalog.unrolledDays()]).toEqual([[], []]);
    expect(store.writer.upkeep.storeFiles().days).toMatchObject([{ day: DAY, keptBecause: undefined }]);
    const told = {
      level: 50,
      day: new Date(MIDNIGHT).toISOString().slice(0, 10),
      series: 1,
      device: 'a',
      metric: 'n',
      chunks: 1,
    };
    expect(lines).toMatchObject([told]);
    // A late point makes the hour be rolled up once more.
    send([[5.75, 6]]);
    store.rollUp();
    expectRolledUp([...rest.slice(0, 3), [5.75, 6], rest[3]!]);
    expect([chunksLeftOut(), lines.length, store.writer.unrolled.all]).toEqual([2, 1, []]);
    await store.crash();
    store.consume();
    expect(store.writer.unrolled.all).toEqual([]);
  });

  test('leaves no rollups where a series has nothing else, and the day is done', () => {
    send([[3, 1]]);
    damage('series = 1');
    store.rollUp();
    expectRolledUp([]);
    expect([staleHours(), store.writer.unrolled.all]).toEqual([0, []]);
  });

  test('is told of by a bounded number of lines, however many there are', () => {
    const devices = Array.from({ length: 70 }, (_, n) => `d${n}`);
    send([[3, 1]], ...devices, 'good');
    damage('series <= 70');
    store.rollUp();
    expect(chunksLeftOut()).toBe(70);
    expect(lines).toHaveLength(51);
    expect(new Set(lines.map((line) => line['device'])).size).toBe(51);
    expectRolledUp([[3, 1]], 71);
    expect(store.writer.unrolled.all).toEqual([]);
  });

  test('does not keep what can be decoded from being compacted', () => {
    for (const hour of [1, 2, 1, 3, 2, 1]) send([[hour, hour]], 'a', 'b');
    damage('id = (SELECT min(id) FROM chunk WHERE series = 1)');
    const before = store.chunks();
    store.compact();
    expect(store.chunks().filter(({ series }) => series === 1)).toEqual(before.filter(({ series }) => series === 1));
    expect(store.chunks().filter(({ series }) => series === 2)).toEqual([{ day: DAY, series: 2, count: 3 }]);
    expect(store.writer.catalog.uncompactedDays()).toEqual([]);
  });
});

test('points whose times have changed to others than the row of their chunk tells are left out, and do not stop the rollups of a day', () => {
  send([[1, 1]], 'a', 'b');
  send([
    [2, 2],
    [2.5, 3],
  ]);
  send([[3, 4]]);
  damage(`start_ms = ${MIDNIGHT + 2 * HOUR_MS}`, shiftTimes(2 * HOUR_MS));
  store.rollUp();
  expectRolledUp([
    [1, 1],
    [3, 4],
  ]);
  expectRolledUp([[1, 1]], 2);
  expect([store.writer.unrolled.all, store.writer.rollups.leftOut.count, lines.length]).toEqual([[], 1, 1]);
});

describe('what is no damage of a chunk', () => {
  const POINTS: Points = [
    [1, 1],
    [2, 2],
  ];

  test.each([
    ['an I/O error', Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10 })],
    ['a locked file', Object.assign(new Error('database is locked'), { code: 'ERR_SQLITE_ERROR', errcode: 5 })],
    ['a bug', new TypeError('undefined is not a function')],
  ])('is never left out: %s keeps the day until it is gone', (_, error) => {
    send(POINTS);
    vi.spyOn(DayFile.prototype, 'rowStatement').mockImplementation(() => {
      throw error;
    });
    for (let tries = 0; tries < 3; tries++) {
      store.clock.advance(61_000);
      expect(() => {
        while (store.writer.rollups.step());
      }).toThrow(error);
    }
    expect(store.writer.unrolled.all).toEqual([DAY]);
    expect(store.writer.upkeep.storeFiles().days).toMatchObject([{ keptBecause: 'stale-hours' }]);
    expect(store.writer.rollups.leftOut.count).toBe(0);
    vi.restoreAllMocks();
    store.rollUp();
    expectRolledUp(POINTS);
  });

  test('is never left out: a bug of the codec keeps the day, and is no `data.corrupt` for readers either', () => {
    send(POINTS);
    const bug = new RangeError('Invalid typed array length');
    vi.spyOn(ByteReader.prototype, 'load').mockImplementation(() => {
      throw bug;
    });
    expect(() => store.rollUp()).toThrow(bug);
    expect(() => decodeStored(new Uint8Array(1), {})).toThrow(bug);
    vi.restoreAllMocks();
    expect([store.writer.unrolled.all, store.writer.rollups.leftOut.count]).toEqual([[DAY], 0]);
    store.rollUp();
    expectRolledUp(POINTS);
  });

  test('a file of a later version is refused, by its writer and by readers: its chunks may have a form that is not known', async () => {
    send(POINTS);
    const { db } = store.writer.files.use(DAY);
    db.exec('PRAGMA user_version = 3');
    damage('true');
    await store.crash();
    store.clock.advance(61_000);
    expect(() => {
      while (store.writer.rollups.step());
    }).toThrow(/newer version of this program/);
    expect(store.writer.unrolled.all).toEqual([DAY]);
    expect(() => staleHours()).toThrow(expect.objectContaining({ code: 'telemetry.store-failed' }));
  });
});
