import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { ExpirableObject } from './archive-gate.ts';
import { dateOf } from './planner.ts';
import { RetentionHarness, OPERATOR } from './retention.fixture.ts';
import { RetentionService, type RetentionServiceOptions } from './retention-service.ts';

function serviceOver({ store, registry, caller }: RetentionHarness, options: Partial<RetentionServiceOptions>): RetentionService {
  const { dir, clock } = store;
  return new RetentionService({
    folders: { root: dir, telemetry: dir, archive: join(dir, 'no-archive'), log: join(dir, 'no-log') },
    registry: registry.database,
    store: caller,
    floorBytes: 100,
    whenShort: 'refuse',
    refuse: () => undefined,
    announce: () => undefined,
    volume: () => ({ sizeBytes: 1e12, freeBytes: 1e11 }),
    clock,
    logLines: silentLogLines,
    ...options,
  });
}

test('the report says what takes how much, and what comes of it by the policies as they are', async () => {
  await using retention = await RetentionHarness.open();
  const { today, store } = retention;
  await retention.device('a', { type: 'meter' });
  for (const ago of [3, 2, 1]) retention.append('a', today - ago, { t: 20 }, 2000);
  retention.settle();
  store.compact();
  const { dir, clock } = store;
  writeFileSync(join(dir, 'days', '2020-01-01.db.broken-1'), 'x'.repeat(500));
  await using service = serviceOver(retention, {});
  clock.step(-2 * 86_400_000);
  const report = await service.storage();
  expect(report.levels.raw).toMatchObject({ files: 3, from: expect.stringMatching(/^20\d\d-\d\d-\d\d$/) as string });
  expect(report.levels.hourly.files).toBeGreaterThan(0);
  expect(report.levels.daily.files).toBe(1);
  expect(report.broken).toEqual({ bytes: 500, files: 1 });
  expect([report.archive, report.log]).toEqual([
    { bytes: 0, files: 0 },
    { bytes: 0, files: 0 },
  ]);
  expect(report.volume).toMatchObject({ state: 'ok', floorBytes: 100, freeBytes: 1e11 });
  const perDay = report.forecast.bytesPerDay.raw;
  // A day of it is about a third of what there is.
  expect(perDay / (report.levels.raw.bytes / 3)).toBeGreaterThan(0.2);
  expect(perDay / (report.levels.raw.bytes / 3)).toBeLessThan(1.1);
  expect(report.rateOf).toBe(dateOf(today - 1));
  expect(report.forecast.archive).toBeUndefined();
  const inAYear = (bytes: readonly { inDays: number; bytes: number }[]): number =>
    bytes.find(({ inDays }) => inDays === 365)!.bytes;
  const before = inAYear(report.forecast.points);
  await retention.policies.put({ name: 'meters', deviceType: 'meter', keepDays: { raw: 100 } }, OPERATOR);
  const after = inAYear((await service.storage()).forecast.points);
  expect(after - before).toBeGreaterThan(80 * perDay);
});

test('of files for a week and for a year the days are told that they have, none that is still to come', async () => {
  await using retention = await RetentionHarness.open();
  const { today, store } = retention;
  await retention.device('a');
  for (const ago of [3, 2, 1]) retention.append('a', today - ago, { t: 20 }, 10);
  retention.settle();
  await using service = serviceOver(retention, {});
  const { levels, forecast } = await service.storage();
  expect(levels.hourly).toMatchObject({ from: dateOf(today - 3), to: dateOf(today - 1) });
  const monthBegan = `${dateOf(today).slice(0, 8)}01`;
  expect(levels.daily).toMatchObject({ from: monthBegan, to: dateOf(today) });
  // Of this month: what there is of it (a page at least) did not come over all days of the year.
  expect(forecast.bytesPerDay.daily).toBeGreaterThan(4096 / 31);
  // Nor a day before that of the first points, where the clock is behind them.
  store.clock.step(-40 * 86_400_000);
  expect((await service.storage()).levels.hourly).toMatchObject({ from: dateOf(today - 3), to: dateOf(today - 3) });
});

test('an archive in a folder of the volume is part of the forecast; one elsewhere is told of', async () => {
  await using retention = await RetentionHarness.open();
  const { today, store } = retention;
  const object = { id: 1, key: 'k', deviceType: undefined, firstDevice: 'a', lastDevice: 'a' };
  const objects: readonly ExpirableObject[] = [
    { ...object, day: today - 1, sizeBytes: 3000 },
    { ...object, day: today - 2, sizeBytes: 1000 },
  ];
  const expiry = { objects: () => objects, remove: () => Promise.resolve() };
  const gate = { isArchived: () => Promise.resolve(true) };
  const yearOf = async (folder: string | undefined): Promise<object> => {
    await using service = serviceOver(retention, { archive: { gate, expiry, folder } });
    const { archive, points } = (await service.storage()).forecast;
    return { archive, ...points.at(-1) };
  };
  const archived = { inDays: 365, bytes: 0, archiveBytes: 4000 + 365 * 2000 };
  // The folder comes with the first object.
  expect(await yearOf(join(store.dir, 'archive', 'objects'))).toMatchObject({
    archive: { bytes: 4000, bytesPerDay: 2000, onVolume: true },
    ...archived,
    freeBytes: 1e11 - 365 * 2000,
  });
  for (const elsewhere of [undefined, ...(existsSync('/proc/self') ? ['/proc'] : [])]) {
    expect(await yearOf(elsewhere)).toMatchObject({ archive: { onVolume: false }, ...archived, freeBytes: 1e11 });
  }
  await retention.policies.put({ name: 'default', keepDays: { raw: 7, archive: 3 } }, OPERATOR);
  // As long as there are raw points, what is archived of them stays.
  expect(await yearOf(undefined)).toMatchObject({ archiveBytes: 7 * 2000 });
});

test('archived objects, those elsewhere, and copies that are kept here are told apart', async () => {
  await using retention = await RetentionHarness.open();
  const { today, store } = retention;
  const archive = join(store.dir, 'archive');
  for (const [folder, bytes] of [
    ['objects', 300],
    ['cache', 50],
    ['elsewhere', 7],
  ] as const) {
    mkdirSync(join(archive, folder), { recursive: true });
    writeFileSync(join(archive, folder, '1.parquet'), 'x'.repeat(bytes));
  }
  writeFileSync(join(archive, 'archive.db'), 'x'.repeat(9));
  const object = { key: 'k', deviceType: undefined, firstDevice: 'a', lastDevice: 'a' };
  const objects = [
    { ...object, id: 1, day: today - 2, sizeBytes: 1000 },
    { ...object, id: 2, day: today - 1, sizeBytes: 2000 },
  ];
  const parts = {
    gate: { isArchived: () => Promise.resolve(true) },
    expiry: { objects: () => objects, remove: () => Promise.resolve() },
  };
  const folders = { root: store.dir, telemetry: store.dir, archive, log: join(store.dir, 'no-log') };
  const reportOf = async (archived: RetentionServiceOptions['archive']) => {
    await using service = serviceOver(retention, { folders, archive: archived });
    return await service.storage();
  };
  const days = { from: dateOf(today - 2), to: dateOf(today - 1) };
  const none = { bytes: 0, files: 0 };
  const onDisk = await reportOf({ ...parts, folder: join(archive, 'objects') });
  expect(onDisk).toMatchObject({
    archive: { bytes: 300, files: 1, ...days },
    archiveElsewhere: none,
    archiveCache: { bytes: 50, files: 1 },
  });
  const inS3 = await reportOf({ ...parts, folder: undefined });
  expect(inS3.archiveElsewhere).toEqual({ bytes: 3000, files: 2, ...days });
  // What was archived here before takes space still.
  expect(inS3.archive).toEqual({ bytes: 300, files: 1 });
  // The manifest, for example.
  expect(inS3.other).toEqual(onDisk.other);
  const off = await reportOf(undefined);
  expect(off).toMatchObject({
    archive: { bytes: 300 },
    archiveElsewhere: none,
    archiveCache: { bytes: 50 },
    other: onDisk.other,
  });
  const sum = (report: typeof off): number =>
    [...Object.values(report.levels), report.archive, report.archiveCache, report.log, report.broken, report.other].reduce(
      (bytes, part) => bytes + part.bytes,
      0,
    );
  expect(sum(off)).toBe(sum(onDisk));
});
