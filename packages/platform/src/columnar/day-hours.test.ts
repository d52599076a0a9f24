import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { Catalog } from '../telemetry/catalog.ts';
import { damageChunks } from '../telemetry/damaged-chunks.fixture.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { StoreFixture, type Pair } from '../telemetry/query-fixture.ts';
import { ARCHIVE_LIMITS } from './columnar-limits.ts';
import { openParquetFiles } from './open-parquet-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'selsyn-hours-'));
const store = new StoreFixture();
const files = openParquetFiles({
  limits: ARCHIVE_LIMITS,
  scratchDir: join(dir, 'scratch'),
  clock: systemClock,
  logLines: silentLogLines,
});
afterAll(async () => {
  await files[Symbol.asyncDispose]();
  store[Symbol.dispose]();
  rmSync(dir, { recursive: true });
});

const DAY = 20_000;
const at = (hour: number, second: number): number => DAY * DAY_MS + hour * HOUR_MS + second * 1000;

test('Hours of a day file are written, each type of devices to a file of its own, sorted and without what was overwritten', async () => {
  const catalog = new Catalog(store.telemetryDir);
  catalog.open();
  // Ids are given in the order in which series come: not that of names.
  const series = [
    { id: 1, device: 'b', metric: 'x' },
    { id: 2, device: 'a', metric: 'y' },
    { id: 3, device: 'a', metric: 'x' },
    { id: 4, device: 'c', metric: 'x' },
    { id: 5, device: 'd', metric: 'x' },
  ];
  catalog.save({ newSeries: series });
  catalog.close();
  const across: Pair[] = [
    [at(6, 3599), 1],
    [at(7, 0), 2],
    [at(7, 3599), 'text'],
    [at(8, 0), true],
  ];
  store.chunk(1, across);
  store.chunk(3, [[at(7, 5), 0.5]]);
  store.chunk(2, [
    [at(7, 5), 1.5],
    [at(7, 6), 1.25],
  ]);
  // A later chunk overwrites the second point and adds one before it.
  store.chunk(2, [
    [at(7, 4), 9],
    [at(7, 6), -1],
  ]);
  store.chunk(4, [[at(7, 1), 4]]);
  // Of another day.
  store.chunk(5, [[at(31, 0), 4]]);

  const { files: written, leftOut } = await files.writeHours({
    telemetryDir: store.telemetryDir,
    day: DAY,
    hours: [7, 8, 9],
    folder: dir,
    types: [
      { type: 'meter', devices: ['a', 'zzz'] },
      { type: 'meter', devices: ['b'] },
    ],
  });
  const found: [number, string | undefined, number, unknown[]][] = [];
  for (const { hour, deviceType, path, rows, minTimeMs, maxTimeMs } of written) {
    const points: unknown[] = [];
    for await (const batch of files.read(path)) {
      for (const { device, metric, times, values } of batch)
        times.forEach((time, i) => points.push([device, metric, time - at(hour, 0), values[i]]));
    }
    expect(points).toHaveLength(rows);
    expect([minTimeMs! >= at(hour, 0), maxTimeMs! < at(hour + 1, 0)]).toEqual([true, true]);
    found.push([hour, deviceType, rows, points]);
  }
  expect(leftOut).toEqual({ count: 0, series: [] });
  expect(found).toEqual([
    [
      7,
      'meter',
      6,
      [
        ['a', 'x', 5000, 0.5],
        ['a', 'y', 4000, 9],
        ['a', 'y', 5000, 1.5],
        ['a', 'y', 6000, -1],
        ['b', 'x', 0, 2],
        ['b', 'x', 3_599_000, 'text'],
      ],
    ],
    [7, undefined, 1, [['c', 'x', 1000, 4]]],
    [8, 'meter', 1, [['b', 'x', 0, true]]],
  ]);
});

test('Chunks that cannot be decoded are left out, and counted in each hour that they reach into', async () => {
  const day = DAY + 5;
  const time = (hour: number, second: number): number => at(hour, second) + 5 * DAY_MS;
  for (let second = 0; second < 40; second++) store.chunk(1, [[time(7, second), second]]);
  store.chunk(3, [
    [time(7, 1), 1],
    [time(8, 1), 2],
  ]);
  store.chunk(3, [[time(8, 2), 3]]);
  store.closeDays();
  damageChunks(store.telemetryDir, day, `(series = 1 AND start_ms = ${time(7, 33)}) OR (series = 3 AND count = 2)`);
  const { telemetryDir } = store;
  const { files: written, leftOut } = await files.writeHours({ telemetryDir, day, hours: [7, 8], folder: dir, types: [] });
  expect(written.map(({ hour, rows }) => [hour, rows])).toEqual([
    [7, 39],
    [8, 1],
  ]);
  expect(leftOut).toEqual({
    count: 3,
    series: [
      { device: 'a', metric: 'x' },
      { device: 'b', metric: 'x' },
    ],
  });
});

test('A day without a file has no hours', async () => {
  expect(await files.writeHours({ telemetryDir: store.telemetryDir, day: 1, hours: [0], folder: dir, types: [] })).toMatchObject({
    files: [],
  });
});
