import { describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { ARCHIVE_TIMES, dueHours, dueJoins, waitMs } from './archive-plan.ts';
import type { CurrentObject, HourRow } from './manifest.ts';
import { objectKey } from './object-key.ts';
import { batchesOf } from './archiver.ts';
import { cutsByDevice } from './object-devices.ts';

const MINUTE_MS = 60_000;
const DAY = 20_000;
const START_MS = DAY * DAY_MS;

function due(
  hours: Record<number, number>,
  nowMs: number,
  options: { archived?: readonly HourRow[]; unchangedMs?: number; atOnce?: boolean; generation?: number } = {},
) {
  const { archived = [], unchangedMs = Infinity, atOnce = false, generation = 1 } = options;
  const versions = new Map(Object.entries(hours).map(([hour, version]) => [Number(hour), version]));
  const state = { day: DAY, generation, fileGeneration: generation, version: 9, hours: versions };
  return dueHours(state, new Map(archived.map((row) => [row.hour, row])), {
    nowMs,
    times: ARCHIVE_TIMES,
    unchangedMs: () => unchangedMs,
    atOnce,
  });
}

const row = (hour: number, version: number, archivedMs: number, times = 1): HourRow => ({
  hour,
  generation: 1,
  version,
  archivedMs,
  times,
});

describe('an hour is archived', () => {
  const endMs = START_MS + HOUR_MS;

  test('20 minutes after its end, when nothing of it came for 10', () => {
    expect(due({ 0: 1 }, endMs + 20 * MINUTE_MS - 1)).toEqual({ first: [], again: [], missing: [], waiting: [] });
    expect(due({ 0: 1 }, endMs + 20 * MINUTE_MS).first).toEqual([0]);
    expect(due({ 0: 1 }, endMs + 20 * MINUTE_MS, { unchangedMs: 9 * MINUTE_MS })).toMatchObject({
      first: [],
      missing: [0],
      waiting: [0],
    });
    expect(due({ 0: 1 }, endMs + 20 * MINUTE_MS, { unchangedMs: 10 * MINUTE_MS }).first).toEqual([0]);
  });

  test('an hour after its end in any case', () => {
    expect(due({ 0: 1 }, endMs + HOUR_MS, { unchangedMs: 0 }).first).toEqual([0]);
  });

  test('at its end where somebody waits for it, and never before', () => {
    expect(due({ 0: 1, 1: 1 }, endMs, { atOnce: true, unchangedMs: 0 }).first).toEqual([0]);
  });

  test('not again while it is as it was, and again after pauses that grow', () => {
    expect(due({ 0: 5 }, endMs + DAY_MS, { archived: [row(0, 5, endMs)] }).missing).toEqual([]);
    expect(due({ 0: 6 }, endMs + HOUR_MS, { archived: [row(0, 5, endMs + HOUR_MS - 10 * MINUTE_MS)] }).again).toEqual([0]);
    expect(due({ 0: 6 }, endMs + HOUR_MS, { archived: [row(0, 5, endMs + HOUR_MS - 10 * MINUTE_MS, 2)] })).toMatchObject({
      again: [],
      missing: [0],
    });
    expect(due({ 0: 6 }, endMs + HOUR_MS, { archived: [row(0, 5, endMs + HOUR_MS, 9)], atOnce: true }).again).toEqual([0]);
    expect([1, 2, 3, 4, 5, 100].map((times) => waitMs(times) / MINUTE_MS)).toEqual([10, 40, 160, 640, 1440, 1440]);
  });

  test('again where its day file is another one, though the version be the same', () => {
    expect(due({ 0: 5 }, endMs + DAY_MS, { archived: [row(0, 5, endMs)], generation: 2 }).again).toEqual([0]);
  });
});

describe('a day is joined', () => {
  const object = (hour: number | undefined, storedMs = 0, deviceType = 'meter'): CurrentObject => ({
    id: hour ?? 100,
    key: '',
    deviceType,
    day: DAY,
    hour,
    sizeBytes: 1,
    sha256: '',
    rows: 1,
    firstMs: 0,
    lastMs: 0,
    firstDevice: '',
    lastDevice: '',
    storedMs,
  });
  const joins = (objects: readonly CurrentObject[], afterEndMs: number) =>
    dueJoins(DAY, objects, { nowMs: START_MS + DAY_MS + afterEndMs, times: ARCHIVE_TIMES }).map((plan) => [
      plan.deviceType,
      plan.objects.length,
    ]);

  test('2 hours after its end, each type by itself, where there is more than one object', () => {
    const objects = [object(1), object(2), object(1, 0, 'tap'), object(7, 0, 'tap'), object(7, 0, 'lone')];
    expect(joins(objects, 2 * HOUR_MS - 1)).toEqual([]);
    expect(joins(objects, 2 * HOUR_MS)).toEqual([
      ['meter', 2],
      ['tap', 2],
    ]);
  });

  test('again with later hours, a day after the last time', () => {
    const nowMs = START_MS + 3 * DAY_MS;
    expect(joins([object(undefined, nowMs - DAY_MS + 1), object(3)], 2 * DAY_MS)).toEqual([]);
    expect(joins([object(undefined, nowMs - DAY_MS), object(3)], 2 * DAY_MS)).toEqual([['meter', 2]]);
    expect(joins([object(undefined), object(undefined)], 2 * DAY_MS)).toEqual([]);
  });
});

test('a day is cut where about the same number of points lies between', async () => {
  const cuts = async (points: Record<string, number>, parts: number): Promise<string[]> => {
    const devices = Object.entries(points).map(([device, count]) => ({ device, points: count }));
    const total = devices.reduce((sum, { points: count }) => sum + count, 0);
    async function* batches() {
      yield devices.slice(0, 2);
      yield devices.slice(2);
    }
    return await cutsByDevice(batches(), total, parts);
  };
  const even = { a: 10, b: 10, c: 10, d: 10 };
  expect(await cuts(even, 1)).toEqual([]);
  expect(await cuts(even, 2)).toEqual(['c']);
  expect(await cuts(even, 4)).toEqual(['b', 'c', 'd']);
  expect(await cuts({ a: 1_000, b: 1 }, 4)).toEqual(['b']);
  expect(await cuts({ a: 1 }, 4)).toEqual([]);
});

test('hours of a large day are read a few at a time', () => {
  const hours = [0, 1, 2, 3, 4];
  expect(batchesOf(hours, 0)).toEqual([hours]);
  expect(batchesOf(hours, 200 * 1024 * 1024)).toEqual([[0, 1], [2, 3], [4]]);
  expect(batchesOf(hours, 1e12)).toEqual([[0], [1], [2], [3], [4]]);
  expect(batchesOf([], 0)).toEqual([]);
});

test('keys are partitions as Hive has them', () => {
  expect(objectKey({ id: 12, deviceType: 'meter', day: DAY, hour: 7 })).toBe(
    'device_type=meter/year=2024/month=10/day=04/07-000012.parquet',
  );
  expect(objectKey({ id: 1_234_567, deviceType: 'a:b', day: DAY, hour: undefined })).toBe(
    'device_type=a%3Ab/year=2024/month=10/day=04/day-1234567.parquet',
  );
  expect(objectKey({ id: 1, deviceType: undefined, day: -1, hour: 23 })).toBe(
    'device_type=__HIVE_DEFAULT_PARTITION__/year=1969/month=12/day=31/23-000001.parquet',
  );
});
