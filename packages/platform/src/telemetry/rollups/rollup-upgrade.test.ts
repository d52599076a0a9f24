import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { ChunkReader } from '../chunk-reader.ts';
import { encodeChunk } from '../codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, dayFilePath, daysFolder, HOUR_MS } from '../day-file-schema.ts';
import { FakeLog } from '../fake-log.ts';
import { StoreHarness } from '../store-harness.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { naiveRollups, readRollups } from './rollup-model.ts';

const DAY = 20_700;
const MIDNIGHT = DAY * DAY_MS;

type HourPoint = readonly [hour: number, value: PointValue];

function expectPoints(store: StoreHarness, points: readonly HourPoint[], rolledHours: number): void {
  const model = [new Map(points.map(([hour, value]) => [MIDNIGHT + hour * HOUR_MS, value]))];
  const found = readRollups(store, 'a', [DAY]).get('n')!;
  expect(found.hours).toEqual(naiveRollups(model, HOUR_MS));
  expect(found.rolledHours).toBe(rolledHours);
  if (rolledHours === 24) expect(found.days).toEqual(naiveRollups(model, DAY_MS));
}

function rollUp(store: StoreHarness): void {
  store.clock.advance(61_000);
  while (store.writer.rollups.step());
}

test('a telemetry folder of version 1 is rolled up, and read exactly before that', async () => {
  const log = new FakeLog(1);
  using store = new StoreHarness(log);
  const points = Array.from({ length: 48 }, (_, i): HourPoint => [i / 2, i]);
  writeVersion1(store, new Map(points.map(([hour, value]) => [MIDNIGHT + hour * HOUR_MS, value])));
  await store.open();
  using reader = new ChunkReader({ telemetryDir: store.dir });
  reader.refresh(1);
  expect(reader.mark(DAY, 1)).toEqual({ hours: ALL_HOURS | DAY_STALE, generation: 0 });
  expectPoints(store, points, 0);
  rollUp(store);
  // The reader has opened the file before it was upgraded.
  expect(reader.mark(DAY, 1)).toEqual({ hours: 0, generation: 0 });
  expect(store.writer.unrolled.all).toEqual([]);
  expectPoints(store, points, 24);
  log.append(0, store.clock.now(), [['a', { ts: MIDNIGHT + 5.25 * HOUR_MS, n: 'late' }]]);
  store.consume();
  store.seal();
  expectPoints(store, [...points, [5.25, 'late']], 23);
  rollUp(store);
  expectPoints(store, [...points, [5.25, 'late']], 24);
});

test('a telemetry folder of version 1 that was not rolled up before a power loss is so after it', async () => {
  using store = new StoreHarness(new FakeLog(1));
  writeVersion1(store, new Map([[MIDNIGHT, 1]]));
  await store.open();
  store.writer.files.use(DAY);
  await store.crash((file) => file.includes('days'));
  expect(store.writer.unrolled.all).toEqual([DAY]);
  expectPoints(store, [[0, 1]], 0);
  rollUp(store);
  await store.crash((file) => file.includes('days'));
  expectPoints(store, [[0, 1]], 1);
});

/** What the version before rollups left on disk: one series, in three chunks. */
function writeVersion1(store: StoreHarness, points: ReadonlyMap<number, PointValue>): void {
  mkdirSync(daysFolder(store.dir), { recursive: true });
  const catalog = new DatabaseSync(join(store.dir, 'catalog.db'));
  catalog.exec(`
    CREATE TABLE counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counter VALUES ('series', 2), ('assigned', 0);
    CREATE TABLE log (number INTEGER PRIMARY KEY, identity TEXT NOT NULL);
    CREATE TABLE low_water (log INTEGER NOT NULL, partition INTEGER NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY (log, partition)) WITHOUT ROWID;
    CREATE TABLE series (id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, last_day INTEGER NOT NULL, UNIQUE (device, metric));
    CREATE TABLE touched (day INTEGER PRIMARY KEY);
    CREATE TABLE uncompacted (day INTEGER PRIMARY KEY);
    CREATE TABLE forgotten (log INTEGER NOT NULL, device TEXT NOT NULL, partition INTEGER NOT NULL, upto INTEGER NOT NULL,
      PRIMARY KEY (log, device, partition)) WITHOUT ROWID;
    CREATE TABLE forgotten_series (series INTEGER PRIMARY KEY);
    PRAGMA user_version = 1;
    INSERT INTO log VALUES (1, 'log-1');
    INSERT INTO series VALUES (1, 'a', 'n', ${DAY});`);
  catalog.close();
  const day = new DatabaseSync(join(daysFolder(store.dir), '2026-09-04.db'));
  day.exec(`
    PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
    CREATE TABLE chunk (
      id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
      count INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE INDEX chunk_by_series ON chunk (series, start_ms, end_ms, count);
    CREATE TABLE progress (id INTEGER PRIMARY KEY AUTOINCREMENT, log INTEGER NOT NULL, upto TEXT NOT NULL);
    CREATE TABLE mark (series INTEGER PRIMARY KEY, progress INTEGER NOT NULL);
    PRAGMA user_version = 1;
    INSERT INTO progress (log, upto) VALUES (1, '{"0":0}');
    INSERT INTO mark VALUES (1, 1);`);
  const insert = day.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (1, ?, ?, ?, ?)');
  const sorted = [...points].sort(([a], [b]) => a - b);
  for (let from = 0; from < sorted.length; from += 20) {
    const part = sorted.slice(from, from + 20);
    const times = Float64Array.from(part, ([time]) => time);
    insert.run(
      times[0]!,
      times.at(-1)!,
      part.length,
      encodeChunk(
        times,
        part.map(([, value]) => value),
        part.length,
      ),
    );
  }
  day.close();
  expect(dayFilePath(store.dir, DAY)).toContain('2026-09-04.db');
}
