import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import { DAY_MS, dayFilePath, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { type ArchiveFixture, AT_ONCE } from './archive.fixture.ts';
import { archiveOfEachTest } from './each-test.fixture.ts';
import { ARCHIVE_TIMES } from './archive-plan.ts';

let archive: ArchiveFixture;
archiveOfEachTest((opened) => (archive = opened));

/** The file of the day goes, as retention does it, once it is archived. */
function dropRaw(): void {
  const day = archive.today / DAY_MS;
  expect(archive.archiver.isArchived(day)).toBeDefined();
  const { files } = archive.store.writer;
  const path = dayFilePath(archive.store.dir, day);
  files.closeDay(day);
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
}

describe('hours', () => {
  test('are archived by device type, each in an object of its own, with every kind of value', async () => {
    archive.types.types.set('a', 'meter').set('b', 'meter').set('c', 'tap-2');
    archive.points(['a', 'kwh', 1, 1.5], ['b', 'kwh', 59, 2], ['b', 'on', 59, true], ['c', 'name', 61, 'süß'], ['d', 'x', 3, -1]);
    await archive.pass();
    const date = new Date(archive.today).toISOString();
    const day = `year=${date.slice(0, 4)}/month=${date.slice(5, 7)}/day=${date.slice(8, 10)}`;
    expect((await archive.stored()).map((key) => key.replace(/-\d+\.parquet$/, ''))).toEqual([
      `device_type=__HIVE_DEFAULT_PARTITION__/${day}/00`,
      `device_type=meter/${day}/00`,
      `device_type=tap-2/${day}/01`,
    ]);
    expect(await archive.rows()).toEqual(['a kwh 1 1.5', 'b kwh 59 2', 'b on 59 true', 'c name 61 süß', 'd x 3 -1']);
    const { hours, objects } = archive.index.range({ fromMs: archive.today, toMs: archive.today + HOUR_MS });
    expect(hours.map(({ hour }) => hour)).toEqual([0]);
    expect(
      objects.map(({ deviceType, hour, rows, firstDevice, lastDevice, firstMs, lastMs }) => [
        deviceType,
        hour,
        rows,
        firstDevice,
        lastDevice,
        firstMs - archive.today,
        lastMs - archive.today,
      ]),
    ).toEqual([
      ['meter', 0, 3, 'a', 'b', 60_000, 59 * 60_000],
      [undefined, 0, 1, 'd', 'd', 180_000, 180_000],
    ]);
    expect(archive.asideFiles()).toEqual([]);
  });

  test('wait until they are over and quiet, but not for ever', async () => {
    archive.closeArchive();
    archive.times = ARCHIVE_TIMES;
    await archive.openArchive();
    const { clock } = archive.store;
    archive.points(['a', 'v', 23 * 60, 1], ['a', 'v', 22 * 60, 1], ['a', 'v', 10 * 60, 1]);
    // The hour from 10 is over for long: it waits for no quiet. That from 22 is over for an hour now.
    await archive.pass();
    expect((await archive.rows()).map((row) => row.split(' ')[2])).toEqual(['1320', '600']);
    expect(archive.archiver.backlog).toEqual({ hours: 0, oldestEndMs: undefined });
    clock.advance(19 * 60_000);
    archive.points(['a', 'v', 23 * 60 + 1, 1]);
    await archive.pass();
    clock.advance(2 * 60_000);
    await archive.pass();
    expect(await archive.rows()).toHaveLength(2);
    expect(archive.archiver.backlog).toEqual({ hours: 1, oldestEndMs: archive.today + DAY_MS });
    clock.advance(8 * 60_000);
    await archive.pass();
    expect(await archive.rows()).toHaveLength(4);
  });

  test('that get late points are archived again, later writes win, and nothing is there twice', async () => {
    archive.types.types.set('a', 'meter').set('b', 'tap');
    archive.points(['a', 'v', 1, 1], ['a', 'v', 2, 2], ['b', 'v', 1, 1]);
    await archive.pass();
    const before = archive.keys();
    archive.points(['a', 'v', 2, 20], ['a', 'v', 3, 3]);
    await archive.pass();
    expect(await archive.rows()).toHaveLength(3);
    archive.store.clock.advance(10 * 60_000);
    await archive.pass();
    expect(await archive.rows()).toEqual(['a v 1 1', 'a v 2 20', 'a v 3 3', 'b v 1 1']);
    // What has not changed stays the object it was; what was replaced is gone.
    expect(archive.keys().filter((key) => before.includes(key))).toEqual(before.filter((key) => key.includes('tap')));
    expect(await archive.stored()).toEqual(archive.keys().sort());
    await archive.pass(true);
    expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
  });

  test('keep what the day file does not have any more when late points come', async () => {
    archive.points(['a', 'v', 1, 1], ['a', 'v', 2, 2]);
    await archive.pass();
    dropRaw();
    archive.closeArchive();
    await archive.store.crash();
    await archive.openArchive();
    archive.points(['a', 'v', 2, 20], ['a', 'v', 70, 7]);
    await archive.pass(true);
    expect(await archive.rows()).toEqual(['a v 1 1', 'a v 2 20', 'a v 70 7']);
  });

  test('stay under the type that a device had', async () => {
    archive.types.types.set('a', 'meter');
    archive.points(['a', 'v', 1, 1]);
    await archive.pass();
    archive.types.types.set('a', 'tap');
    archive.points(['a', 'v', 2, 2], ['a', 'v', 61, 3]);
    await archive.pass(true);
    expect(await archive.rows()).toEqual(['a v 1 1', 'a v 2 2', 'a v 61 3']);
    const { objects } = archive.index.range({ fromMs: archive.today, toMs: archive.today + DAY_MS });
    expect(objects.map(({ deviceType, hour, rows }) => [deviceType, hour, rows])).toEqual([
      ['meter', 0, 2],
      ['tap', 1, 1],
    ]);
  });

  test('of a day file that is a new one are not archived because the one before it was', async () => {
    const { writer } = archive.store;
    const day = archive.today / DAY_MS;
    archive.points(['a', 'v', 1, 1]);
    await archive.pass();
    expect(archive.archiver.isArchived(day)).toBeDefined();
    const { fileGeneration } = archive.archiver.isArchived(day)!;
    // Its versions begin anew.
    writer.files.drop(day);
    archive.points(['a', 'v', 2, 2]);
    expect(archive.archiver.isArchived(day)).toBeUndefined();
    await archive.pass(true);
    expect(archive.archiver.isArchived(day)?.fileGeneration).not.toBe(fileGeneration);
    expect(await archive.rows()).toEqual(['a v 1 1', 'a v 2 2']);
  });

  test('are not archived as they are while points are not', async () => {
    const day = archive.today / DAY_MS;
    archive.points(['a', 'v', 1, 1]);
    expect(archive.archiver.isArchived(day)).toBeUndefined();
    await archive.pass();
    expect(archive.archiver.isArchived(day)).toBeDefined();
    archive.points(['a', 'v', 61, 1]);
    expect(archive.archiver.isArchived(day)).toBeUndefined();
  });
});

describe('days', () => {
  const JOIN = { ...AT_ONCE, joinAfterMs: 2 * HOUR_MS, joinAgainMs: DAY_MS };

  async function reopen(objectBytes?: number): Promise<void> {
    archive.closeArchive();
    archive.times = JOIN;
    archive.objectBytes = objectBytes;
    await archive.openArchive();
  }

  test('are joined when they are over for some time, with all that they have', async () => {
    await reopen();
    archive.types.types.set('a', 'meter').set('b', 'meter');
    for (let hour = 0; hour < 24; hour++)
      archive.points(['b', 'v', hour * 60, hour], ['a', 'v', hour * 60 + 1, hour], ['c', 'v', 5, hour]);
    await archive.pass(true);
    const rows = await archive.rows();
    const { clock } = archive.store;
    clock.advance(archive.today + DAY_MS + HOUR_MS - clock.now());
    await archive.pass();
    expect(archive.keys().length).toBe(25);
    clock.advance(HOUR_MS);
    await archive.pass();
    expect(archive.keys().map((key) => key.replace(/.*\//, '').slice(0, 3))).toEqual(['00-', 'day']);
    expect(await archive.rows()).toEqual(rows);
    expect(await archive.stored()).toEqual(archive.keys());
    await archive.pass();
    expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
  });

  test('are cut by device where they are large, and late points find their part', async () => {
    await reopen(2_000);
    const devices = Array.from({ length: 40 }, (_, i) => `d${String(i).padStart(2, '0')}`);
    for (const hour of [3, 4]) {
      archive.points(
        ...devices.flatMap((device, i) =>
          [0, 1, 2].map((minute) => [device, 'v', hour * 60 + minute, Math.sqrt(i + minute)] as const),
        ),
      );
    }
    archive.store.clock.advance(archive.today + 2 * DAY_MS - archive.store.clock.now());
    await archive.pass();
    const { objects } = archive.index.range({ fromMs: archive.today, toMs: archive.today + DAY_MS });
    expect(objects.length).toBeGreaterThan(1);
    expect(objects.map(({ hour }) => hour)).toEqual(objects.map(() => undefined));
    for (const [i, { firstDevice }] of objects.entries()) if (i > 0) expect(firstDevice > objects[i - 1]!.lastDevice).toBe(true);
    const before = await archive.rows();
    expect(before).toHaveLength(240);
    archive.points([devices[39]!, 'v', 200, 1], ['zz', 'v', 201, 2], ['0', 'v', 202, 3], ['0', 'v', 900, 4]);
    await archive.pass(true);
    expect(await archive.rows()).toEqual([...before, 'd39 v 200 1', 'zz v 201 2', '0 v 202 3', '0 v 900 4'].sort());
    // The hour that nobody had seen before stands beside them, and is joined a day later.
    expect(archive.keys().filter((key) => key.includes('/15-'))).toHaveLength(1);
    archive.store.clock.advance(DAY_MS);
    await archive.pass();
    expect(archive.keys().every((key) => key.includes('/day-'))).toBe(true);
    expect(await archive.rows()).toHaveLength(244);
  });
});

test('an archive that has moved is taken where it is whole, and not else', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', 61, 1]);
  await archive.pass();
  const place = mkdtempSync(join(archive.root, 'moved-'));
  cpSync(archive.folders.objects, place, { recursive: true });
  archive.closeArchive();
  archive.blobs = new DiskBlobs({ root: place });
  archive.direct = (key) => join(place, key);
  await archive.openArchive();
  const [key] = archive.keys();
  cpSync(join(place, key!), join(place, 'kept'));
  rmSync(join(place, key!));
  await expect(archive.pass()).rejects.toMatchObject({ code: 'archive.misplaced', details: { missing: 1, key } });
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeUndefined();
  cpSync(join(place, 'kept'), join(place, key!));
  await archive.pass();
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
  expect(await archive.rows()).toHaveLength(2);
});
