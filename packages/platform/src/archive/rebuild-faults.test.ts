import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture } from './archive.fixture.ts';
import { archiveOfEachTest } from './each-test.fixture.ts';
import { objectKey, parseObjectKey } from './object-key.ts';

let archive: ArchiveFixture;
const parquet = archiveOfEachTest((opened) => (archive = opened));

const POINTS = [
  ['a', 'v', 1, 1],
  ['b', 'v', 1, 2],
  ['a', 'v', 61, 3],
] as const;
const ROWS = ['a v 1 1', 'a v 61 3', 'b v 1 2'];

const pathOf = (key: string): string => join(archive.folders.objects, key);
const keyOf = (name: string): string => archive.keys().find((key) => key.includes(`/${name}-`))!;
const DATABASE = ['', '-wal', '-shm'] as const;

async function rebuild(): Promise<void> {
  archive.manifest.beginRebuild();
  await archive.pass();
}

/** The manifest as it is, WAL and all, as a backup has it. */
function backUp(): void {
  for (const suffix of DATABASE)
    if (existsSync(archive.folders.manifest + suffix))
      copyFileSync(archive.folders.manifest + suffix, join(archive.root, `copy${suffix}`));
}

/** Opens the archive as at a start, with the manifest of the backup, or none. */
async function restore(isThere = true): Promise<void> {
  archive.closeArchive();
  for (const suffix of DATABASE) {
    rmSync(archive.folders.manifest + suffix, { force: true });
    const copy = join(archive.root, `copy${suffix}`);
    if (isThere && existsSync(copy)) copyFileSync(copy, archive.folders.manifest + suffix);
  }
  await archive.openArchive();
}

/** An object under a key of another id, and hour. @returns its key */
function copyObject(from: string, key: string, to: { readonly id: number; readonly hour?: number }): string {
  const copy = objectKey({ ...parseObjectKey(key)!, ...to });
  mkdirSync(dirname(pathOf(copy)), { recursive: true });
  copyFileSync(from, pathOf(copy));
  return copy;
}

test('what a manifest takes for unfinished, and was finished after it was copied, is not deleted', async () => {
  archive.points(...POINTS);
  archive.closeArchive();
  archive.times = { ...archive.times, joinAfterMs: 0 };
  await archive.openArchive();
  // The day is joined: its object is stored and does not count yet.
  archive.onStep = (step) => {
    if (step === 'verified' && archive.manifest.all("SELECT id FROM object WHERE state = 'current'").length > 0) backUp();
  };
  await archive.pass();
  expect(archive.keys()).toHaveLength(1);
  await restore();
  await expect(archive.pass()).rejects.toMatchObject({ code: 'archive.unknown-objects' });
  await rebuild();
  expect(await archive.rows()).toEqual(ROWS);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('nothing is taken over from a place that is not that of the manifest', async () => {
  archive.points(...POINTS);
  await archive.pass();
  const keys = archive.keys();
  const elsewhere = join(archive.root, 'elsewhere');
  const other = join(elsewhere, objectKey({ ...parseObjectKey(keyOf('01'))!, id: 99 }));
  mkdirSync(dirname(other), { recursive: true });
  copyFileSync(pathOf(keyOf('01')), other);
  archive.closeArchive();
  const { blobs, direct } = archive;
  archive.blobs = new DiskBlobs({ root: elsewhere });
  archive.direct = (key) => join(elsewhere, key);
  await archive.openArchive();
  archive.manifest.beginRebuild();
  await expect(archive.pass()).rejects.toMatchObject({ code: 'archive.misplaced' });
  expect(archive.keys()).toEqual(keys);
  expect(existsSync(other)).toBe(true);
  archive.closeArchive();
  Object.assign(archive, { blobs, direct });
  await archive.openArchive();
  await archive.pass();
  expect(archive.keys()).toEqual(keys);
  expect(await archive.rows()).toEqual(ROWS);
});

test('an object that is gone is not taken for replaced by one that has nothing to do with it', async () => {
  archive.points(...POINTS);
  await archive.pass();
  const gone = keyOf('00');
  rmSync(pathOf(gone));
  // Of the day, of another hour, and of that hour but unreadable.
  copyObject(pathOf(keyOf('01')), keyOf('01'), { id: 500 });
  writeFileSync(pathOf(objectKey({ ...parseObjectKey(gone)!, id: 501 })), 'no parquet');
  await rebuild();
  expect(archive.archiver.rebuilder.report).toMatchObject({ found: 2, left: 1 });
  expect(archive.keys()).toContain(gone);
  expect(archive.archiver.faults.list({ after: 0, limit: 10 })).toMatchObject([
    { object: { key: gone }, code: 'archive.object-gone' },
  ]);
  // The raw points are all that there is of it.
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeUndefined();
});

test('of objects of the same hour that have nothing in common neither is deleted', async () => {
  archive.points(['a', 'v', 1, 1], ['m', 'v', 2, 2], ['z', 'v', 3, 3]);
  await using others = await ArchiveFixture.open(parquet);
  others.points(['b', 'v', 1, 4], ['n', 'v', 2, 5]);
  await Promise.all([archive.pass(), others.pass()]);
  const [key] = archive.keys() as [string];
  copyObject(join(others.folders.objects, others.keys()[0]!), key, { id: 500 });
  await restore(false);
  await rebuild();
  expect(archive.archiver.rebuilder.report).toEqual({ found: 2, adopted: 2, outdated: 0, left: 0 });
  const rows = ['a v 1 1', 'b v 1 4', 'm v 2 2', 'n v 2 5', 'z v 3 3'];
  expect(await archive.rows()).toEqual(rows);
  // Late points find their part.
  archive.points(['c', 'v', 4, 6]);
  await archive.pass(true);
  expect(await archive.rows()).toEqual([...rows, 'c v 4 6'].sort());
});

test.for(['hour', 'joined'])('what comes back of a device that was erased goes again (%s)', async (kind) => {
  archive.points(...POINTS);
  await archive.pass();
  const backup = join(archive.root, 'backup.parquet');
  const key = keyOf('00');
  copyFileSync(pathOf(key), backup);
  const { id } = await archive.erasures.begin({ device: 'a', reason: 'requested', requestedBy: 'officer' });
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
  await archive.pass();
  expect(archive.erasures.get(id).state).toBe('done');
  // What the device sends afterwards stays.
  archive.points(['a', 'v', 121, 9]);
  await archive.pass(true);
  if (kind === 'joined') {
    archive.closeArchive();
    archive.times = { ...archive.times, joinAfterMs: 0 };
    await archive.openArchive();
    await archive.pass(true);
  }
  copyFileSync(backup, pathOf(key));
  await rebuild();
  expect(await archive.rows()).toEqual(['a v 121 9', 'b v 1 2']);
  expect(archive.erasures.get(id).state).toBe('done');
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a known object that is damaged keeps its day from being taken over, and nothing else', async () => {
  archive.points(...POINTS, ['a', 'v', -1, 7]);
  await archive.pass();
  const [here, before] = [keyOf('00'), keyOf('23')];
  copyObject(pathOf(here), here, { id: 500 });
  const other = copyObject(pathOf(before), before, { id: 501 });
  const bytes = readFileSync(pathOf(here));
  writeFileSync(pathOf(here), 'damaged');
  await rebuild();
  expect(archive.archiver.rebuilder.report).toEqual({ found: 2, adopted: 1, outdated: 1, left: 1 });
  expect(archive.keys()).toContain(other);
  writeFileSync(pathOf(here), bytes);
  await rebuild();
  expect(await archive.rows()).toEqual(['a v -1 7', ...ROWS]);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a rebuild that is stopped at any step, again and again, ends with every point once and nothing left over', async () => {
  for (let device = 0; device < 10; device++) archive.points([`d${device}`, 'v', 1, device], [`d${device}`, 'v', 61, device]);
  await archive.pass();
  const rows = await archive.rows();
  archive.closeArchive();
  Object.assign(archive, { objectBytes: 700, times: { ...archive.times, joinAfterMs: 0 } });
  await archive.openArchive();
  const stopAt = (step: string): void => {
    archive.onStep = (now) => {
      if (now === step) throw new Error('stopped');
    };
  };
  stopAt('verified');
  await expect(archive.pass()).rejects.toThrow('stopped');
  await restore(false);
  archive.manifest.beginRebuild();
  for (const step of ['written', 'planned', 'uploaded', 'verified', 'committed']) {
    stopAt(step);
    await expect(archive.pass()).rejects.toThrow('stopped');
    archive.closeArchive();
    await archive.openArchive();
  }
  archive.onStep = undefined;
  await archive.pass();
  expect(archive.manifest.isRebuilding).toBe(false);
  expect(await archive.rows()).toEqual(rows);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a listing that breaks off changes nothing', async () => {
  archive.points(...POINTS);
  await archive.pass();
  await restore(false);
  const { list } = archive.blobs;
  archive.blobs.list = async function* (...of: Parameters<typeof list>) {
    for await (const info of list.apply(archive.blobs, of)) {
      yield info;
      throw new Error('the connection was lost');
    }
  };
  archive.manifest.beginRebuild();
  await expect(archive.pass()).rejects.toThrow('lost');
  expect(archive.keys()).toEqual([]);
  archive.blobs.list = list;
  await archive.pass();
  expect(await archive.rows()).toEqual(ROWS);
});
