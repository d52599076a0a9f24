import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { ArchiveFixture } from './archive.fixture.ts';
import { archiveOfEachTest } from './each-test.fixture.ts';
import { objectKey, parseObjectKey } from './object-key.ts';

let archive: ArchiveFixture;
const parquet = archiveOfEachTest((opened) => (archive = opened));

const files = (): string[] => ['', '-wal', '-shm'].map((suffix) => archive.folders.manifest + suffix);

/** The manifest is gone, and the archive is opened as at a start. */
async function lose(): Promise<void> {
  archive.closeArchive();
  for (const file of files()) rmSync(file, { force: true });
  await archive.openArchive();
}

async function rebuild(): Promise<void> {
  archive.manifest.beginRebuild();
  await archive.pass();
}

/** Of every object that is stored, with the digest of its bytes. */
async function digests(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const key of await archive.stored()) {
    found[key] = createHash('sha256')
      .update(readFileSync(join(archive.folders.objects, key)))
      .digest('hex');
  }
  return found;
}

/** Stops the archiver after a step, the nth time. */
async function stopAt(step: string, times = 1): Promise<void> {
  let left = times;
  archive.onStep = (now) => {
    if (now === step && --left === 0) throw new Error('stopped');
  };
  await expect(archive.pass(true)).rejects.toThrow('stopped');
  archive.onStep = undefined;
}

/** The hours of today are joined with the next pass. */
async function joinNow(): Promise<void> {
  archive.closeArchive();
  archive.times = { ...archive.times, joinAfterMs: 0 };
  await archive.openArchive();
}

const POINTS = [
  ['a', 'v', 1, 1],
  ['b', 'v', 1, 'text'],
  ['a', 'v', 61, 2],
  ['a', 'v', -1, 3],
] as const;
const ROWS = ['a v -1 3', 'a v 1 1', 'a v 61 2', 'b v 1 text'];

test('without its manifest nothing is archived and nothing written over, until the objects are taken over', async () => {
  archive.types.types.set('a', 'odd =%/type');
  archive.points(...POINTS);
  await archive.pass();
  const before = await digests();
  expect(Object.keys(before)).toHaveLength(4);
  await lose();
  archive.points(['a', 'v', 2, 4], ['c', 'v', 121, 5]);
  const unknown = { code: 'archive.unknown-objects', details: { objects: 4 } };
  await expect(archive.pass(true)).rejects.toMatchObject(unknown);
  await expect(archive.pass(true)).rejects.toMatchObject(unknown);
  expect(await digests()).toEqual(before);
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeUndefined();

  await rebuild();
  expect(archive.archiver.rebuilder.report).toEqual({ found: 4, adopted: 4, outdated: 0, left: 0 });
  // What the day file has is archived again, joined with what was there; ids go on after those of before.
  expect(await archive.rows()).toEqual([...ROWS, 'a v 2 4', 'c v 121 5'].sort());
  expect(await archive.stored()).toEqual(archive.keys());
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
  const kept = Object.keys(before).filter((key) => key.includes('/01-') || key.includes('/23-'));
  expect(await digests()).toMatchObject(Object.fromEntries(kept.map((key) => [key, before[key]])));
});

test('to rebuild it again, or where nothing is missing, changes nothing', async () => {
  archive.points(...POINTS);
  await archive.pass();
  const before = await digests();
  await rebuild();
  expect(archive.archiver.rebuilder.report).toMatchObject({ found: 0 });
  await lose();
  await rebuild();
  await rebuild();
  expect(await digests()).toEqual(before);
  expect(await archive.rows()).toEqual(ROWS);
});

test('a rebuild that is interrupted goes on by itself after a restart', async () => {
  archive.points(...POINTS);
  await archive.pass();
  await lose();
  const { verify } = parquet;
  for (let calls = 1; calls <= 3; calls++) {
    let left = calls;
    parquet.verify = async (path) => {
      if (--left === 0) throw new SelsynError('columnar.gone', 'it died', { retryable: true });
      return await verify.call(parquet, path);
    };
    if (calls === 1) archive.manifest.beginRebuild();
    await archive.pass().catch(() => undefined);
    archive.closeArchive();
    await archive.openArchive();
  }
  parquet.verify = verify;
  await archive.pass();
  expect(archive.manifest.isRebuilding).toBe(false);
  expect(await archive.rows()).toEqual(ROWS);
});

describe('of an object and its successor, where a stop left both, each point counts once', () => {
  test('of an hour that got late points', async () => {
    archive.points(...POINTS);
    await archive.pass();
    archive.points(['a', 'v', 2, 4]);
    await stopAt('committed');
    await lose();
    await rebuild();
    expect(archive.archiver.rebuilder.report).toMatchObject({ outdated: 1 });
    expect(await archive.rows()).toEqual([...ROWS, 'a v 2 4'].sort());
    expect(await archive.stored()).toEqual(archive.keys());
  });

  test.for(['uploaded', 'committed'])('of hours that were being joined (%s)', async (step) => {
    archive.objectBytes = 700;
    for (let device = 0; device < 20; device++) archive.points([`d${device}`, 'v', 1, device], [`d${device}`, 'v', 61, device]);
    await archive.pass();
    const rows = await archive.rows();
    await joinNow();
    await stopAt(step);
    expect((await archive.stored()).length).toBeGreaterThan(2);
    await lose();
    await rebuild();
    expect(await archive.rows()).toEqual(rows);
    expect(await archive.stored()).toEqual(archive.keys());
  });

  test('of a device that was erased from it, which stays erased', async () => {
    archive.points(...POINTS);
    await archive.pass();
    await archive.erasures.begin({ device: 'a', reason: 'requested', requestedBy: 'officer' });
    while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
    await stopAt('committed', 2);
    await lose();
    await rebuild();
    expect((await archive.rows()).filter((row) => row.startsWith('a v 1'))).toEqual([]);
  });
});

test('an object that cannot be read is left where it is, and keeps no other from being taken over', async () => {
  archive.points(...POINTS);
  await archive.pass();
  const key = archive.keys().find((one) => one.includes('/01-'))!;
  const other = archive.keys().find((one) => one.includes('/23-'))!;
  writeFileSync(join(archive.folders.objects, key), 'no parquet');
  // Of another hour than its key says.
  const wrong = objectKey({ ...parseObjectKey(other)!, hour: 5, id: 77 });
  copyFileSync(join(archive.folders.objects, other), join(archive.folders.objects, wrong));
  await lose();
  await rebuild();
  expect(archive.archiver.rebuilder.report).toEqual({ found: 4, adopted: 2, outdated: 0, left: 2 });
  expect(readFileSync(join(archive.folders.objects, key), 'utf8')).toBe('no parquet');
  expect(existsSync(join(archive.folders.objects, wrong))).toBe(true);
  archive.closeArchive();
  await archive.openArchive();
  await archive.pass();
  expect((await archive.rows()).filter((row) => row.startsWith('a v 61'))).toHaveLength(1);
  expect(archive.manifest.lastId()).toBeGreaterThan(77);
});

test('an old copy of the manifest is brought up to date by the objects that came since', async () => {
  archive.points(...POINTS);
  await archive.pass();
  archive.closeArchive();
  const copy = join(archive.root, 'copy.db');
  copyFileSync(archive.folders.manifest, copy);
  await archive.openArchive();
  archive.points(['a', 'v', 121, 6], ['a', 'v', 2, 4]);
  await archive.pass(true);
  await joinNow();
  await archive.pass(true);
  const rows = await archive.rows();
  const before = await digests();
  archive.closeArchive();
  for (const file of files()) rmSync(file, { force: true });
  copyFileSync(copy, archive.folders.manifest);
  await archive.openArchive();
  await expect(archive.pass(true)).rejects.toMatchObject({ code: 'archive.unknown-objects' });
  expect(await digests()).toEqual(before);
  await rebuild();
  expect(await archive.rows()).toEqual(rows);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a device that is removed while objects are unknown is erased from those that are taken over', async () => {
  archive.points(...POINTS);
  await archive.pass();
  await lose();
  await archive.erasures.begin({ device: 'a', reason: 'removed', requestedBy: 'x' });
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
  await expect(archive.pass()).rejects.toMatchObject({ code: 'archive.unknown-objects' });
  expect(archive.erasures.list({ limit: 1 })).toMatchObject([{ state: 'hidden' }]);
  await rebuild();
  expect(await archive.rows()).toEqual(['b v 1 text']);
  expect(archive.erasures.list({ limit: 1 })).toMatchObject([{ state: 'done', archivedPointsErased: 3 }]);
});

test('keys say what they say, and others are of no object', () => {
  for (const deviceType of [undefined, 'meter', 'a=b/c%d e', '%25']) {
    for (const hour of [undefined, 0, 23]) {
      const facts = { id: 12, deviceType, day: 20_000, hour };
      expect(parseObjectKey(objectKey(facts))).toEqual(facts);
    }
  }
  const day = 'device_type=m/year=2024/month=10/day=04/';
  for (const name of [
    '24-000001.parquet',
    '1-000001.parquet',
    '01-1.parquet',
    '01-000000.parquet',
    '01-000001.csv',
    'x/01-000001.parquet',
  ])
    expect(parseObjectKey(day + name)).toBeUndefined();
  expect(parseObjectKey('device_type=m/year=2024/month=02/day=31/01-000001.parquet')).toBeUndefined();
});
