import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture, parquetForTests } from './archive.fixture.ts';
import { ArchiveService, GIVE_UP_MS } from './archive-service.ts';

const parquet = parquetForTests();
let archive: ArchiveFixture;
let service: ArchiveService;

/** Of the archive as it is open. */
function newService(): ArchiveService {
  return new ArchiveService({
    manifest: archive.manifest,
    erasures: archive.erasures,
    store: { forget: async () => {}, flush: async () => ({ done: true }) },
    archiver: archive.archiver,
    target: 'disk',
    place: archive.blobs.place,
    clock: archive.store.clock,
    logLines: silentLogLines,
  });
}

beforeEach(async () => {
  archive = await ArchiveFixture.open(parquet);
  service = newService();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await archive[Symbol.asyncDispose]();
});
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
});

const free = async (): Promise<void> => {};

/** The path of the object of an hour, or of the day, and its id. */
function objectOf(name: string): { readonly path: string; readonly id: number } {
  const found = archive.index.page({ after: 0, limit: 100 }).find(({ key }) => key.includes(`/${name}-`));
  return { path: join(archive.folders.objects, found!.key), id: found!.id };
}

/** Changes one byte in the middle of a file. @returns what puts it right again */
function damage(path: string): () => void {
  const bytes = readFileSync(path);
  const changed = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 3);
  changed[at] = changed[at]! ^ 0x40;
  writeFileSync(path, changed);
  return () => writeFileSync(path, bytes);
}

/** Lets time pass, and what is due then come to its end. */
async function pass(ms: number): Promise<void> {
  archive.store.clock.advance(ms);
  await service.idle();
}

async function erase(device: string): Promise<string> {
  const { id } = await archive.erasures.begin({ device, reason: 'requested', requestedBy: 'officer' });
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
  return id;
}

/** One hour is archived, its object damaged, and an erasure that needs it begun. @returns the object */
async function damagedHour(): Promise<{ readonly path: string; readonly id: number }> {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2]);
  service.start();
  await pass(0);
  const object = objectOf('00');
  damage(object.path);
  await erase('d');
  await pass(60_000);
  return object;
}

test('an object that is damaged keeps an erasure from its end, and nothing else: it is left, told of, and used again once it is right', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2], ['d', 'v', 61, 3], ['e', 'v', 61, 4]);
  service.start();
  await pass(0);
  const { path, id: object } = objectOf('00');
  const repair = damage(path);
  const damaged = readFileSync(path);
  const id = await erase('d');
  archive.points(['e', 'v', 121, 5]);
  await pass(60_000);

  expect(archive.erasures.get(id)).toMatchObject({ state: 'hidden', objectsChecked: 1, objectsRewritten: 1 });
  expect(archive.erasures.get(id).lastError).toMatch(/cannot be used: .*00-/);
  expect(readFileSync(path)).toEqual(damaged);
  // The other object is without the device, and what came is archived.
  expect(archive.keys().map((key) => key.replace(/.*\//, '').slice(0, 3))).toEqual(['00-', '01-', '02-']);
  expect(service.status()).toMatchObject({ state: 'idle', badObjects: 1, openErasures: 1, backlogHours: 0 });
  expect(service.badObjects({ after: 0, limit: 9 })).toMatchObject([
    { object: { id: object }, code: 'data.corrupt', tries: 1, nextTryMs: archive.store.clock.now() + 60_000 },
  ]);

  await pass(60_000);
  expect(service.badObjects({ after: 0, limit: 9 })).toMatchObject([
    { tries: 2, nextTryMs: archive.store.clock.now() + 240_000 },
  ]);
  await pass(60_000);
  expect(service.badObjects({ after: 0, limit: 9 })).toMatchObject([{ tries: 2 }]);

  repair();
  await service.archiveNow();
  await pass(0);
  expect(archive.erasures.get(id)).toMatchObject({ state: 'done', objectsChecked: 2, objectsRewritten: 2, lastError: undefined });
  expect(service.status()).toMatchObject({ badObjects: 0, openErasures: 0 });
  expect(await archive.rows()).toEqual(['e v 1 2', 'e v 121 5', 'e v 61 4']);
});

test('an object that is given up is deleted, and what waited for it comes to its end', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2], ['d', 'v', 61, 3], ['e', 'v', 61, 4]);
  service.start();
  await pass(0);
  const { path, id: object } = objectOf('00');
  damage(path);
  const id = await erase('d');
  await pass(60_000);
  await expect(service.giveUp(object + 100, free)).rejects.toMatchObject({ code: 'archive.object-not-found' });
  const held = new SelsynError('hold.active', 'a legal hold may cover it');
  await expect(service.giveUp(object, () => Promise.reject(held))).rejects.toBe(held);
  expect(await service.giveUp(object, free)).toMatchObject({ object: { id: object }, code: 'data.corrupt' });
  expect(existsSync(path)).toBe(false);
  await pass(0);
  expect(archive.erasures.get(id)).toMatchObject({ state: 'done', lastError: undefined });
  expect(service.status().badObjects).toBe(0);
  // What the store still has of the hour is archived again.
  await service.archiveNow();
  await pass(0);
  expect(await archive.rows()).toEqual(['e v 1 2', 'e v 61 4']);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('an object that is what was archived cannot be given up, and one that is gone can', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2]);
  service.start();
  await pass(0);
  const { path, id: object } = objectOf('00');
  const repair = damage(path);
  await erase('d');
  await pass(60_000);
  repair();
  await expect(service.giveUp(object, free)).rejects.toMatchObject({ code: 'archive.object-sound' });
  rmSync(path);
  await service.archiveNow();
  await pass(0);
  expect(service.badObjects({ after: 0, limit: 9 })).toMatchObject([{ object: { id: object }, code: 'archive.object-gone' }]);
  await service.giveUp(object, free);
  await pass(0);
  // What the store still has of the hour.
  expect(await archive.rows()).toEqual(['e v 1 2']);
  expect(archive.keys()).not.toContain(path.slice(archive.folders.objects.length + 1));
  expect(archive.erasures.list({ limit: 1 })).toMatchObject([{ state: 'done' }]);
});

test('a damaged hour is left out when the hours of its day are joined, and joined once it is right', async () => {
  await service[Symbol.asyncDispose]();
  archive.closeArchive();
  archive.times = { ...archive.times, joinAfterMs: 0 };
  await archive.openArchive();
  archive.points(['a', 'v', 1, 1], ['a', 'v', 61, 2], ['a', 'v', 121, 3]);
  archive.onStep = (step) => {
    // Before they are joined.
    if (step === 'deleted') throw new Error('stopped');
  };
  await expect(archive.pass()).rejects.toThrow('stopped');
  archive.onStep = undefined;
  const repair = damage(objectOf('01').path);
  await expect(archive.pass(true)).rejects.toMatchObject({ code: 'archive.object-bad' });
  await archive.pass(true);
  expect(archive.keys().map((key) => key.replace(/.*\//, '').slice(0, 3))).toEqual(['01-', 'day']);
  repair();
  await archive.pass(true);
  expect(archive.keys()).toHaveLength(1);
  expect(await archive.rows()).toEqual(['a v 1 1', 'a v 121 3', 'a v 61 2']);
  expect(archive.archiver.faults.count).toBe(0);
});

test('late points of a damaged hour wait for it, and those of other hours and days do not', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', 61, 2], ['a', 'v', -1, 3]);
  service.start();
  await pass(0);
  const repair = damage(objectOf('00').path);
  archive.points(['a', 'v', 2, 1], ['a', 'v', -2, 4]);
  await pass(600_000);
  expect(service.status()).toMatchObject({ state: 'failing', lastError: { code: 'archive.object-bad' }, badObjects: 1 });
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeUndefined();
  expect(archive.archiver.isArchived(archive.today / DAY_MS - 1)).toBeDefined();
  // New hours of other days come in as ever, not after the pause of what failed.
  archive.points(['a', 'v', -61, 5]);
  await pass(10_000);
  expect(service.status()).toMatchObject({ state: 'failing', points: 5 });
  repair();
  await service.archiveNow();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'idle', points: 6, badObjects: 0, lastError: undefined });
  expect(await archive.rows()).toHaveLength(6);
});

test('a manifest of before this was known is upgraded, and an erasure that it has open comes to its end', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2]);
  await archive.pass();
  const id = await erase('d');
  archive.manifest.db.exec('DROP TABLE bad_object; ALTER TABLE erasure DROP COLUMN checked; PRAGMA user_version = 1');
  archive.closeArchive();
  await archive.openArchive();
  await archive.pass();
  expect(archive.erasures.get(id)).toMatchObject({ state: 'done', archivedPointsErased: 1 });
  expect(archive.archiver.faults.count).toBe(0);
});

test('an erasure that waits for the store looks into each object once', async () => {
  archive.points(['d', 'v', 1, 1], ['a', 'v', 61, 2], ['z', 'v', 61, 4]);
  await archive.pass();
  const { id } = await archive.erasures.begin({ device: 'd', reason: 'requested', requestedBy: 'officer' });
  for (let passes = 0; passes < 3; passes++) await archive.pass();
  expect(archive.erasures.get(id)).toMatchObject({ state: 'hidden', objectsChecked: 2, objectsRewritten: 1 });
});

test('where the first hour of a day is the damaged one, late points of the hours after it do not wait either', async () => {
  archive.points(['d', 'v', 1, 1], ['d', 'v', 61, 2], ['d', 'v', 121, 3]);
  service.start();
  await pass(0);
  const repair = damage(objectOf('00').path);
  archive.points(['d', 'v', 2, 4], ['d', 'v', 62, 5], ['d', 'v', 122, 6]);
  await service.archiveNow();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'failing', badObjects: 1, backlogHours: 1, points: 5 });
  repair();
  await service.archiveNow();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'idle', badObjects: 0, backlogHours: 0 });
  expect(await archive.rows()).toEqual(['d v 1 1', 'd v 121 3', 'd v 122 6', 'd v 2 4', 'd v 61 2', 'd v 62 5']);
});

test('raw points whose object is damaged are not let go: they are what it can be made of again', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 2]);
  service.start();
  await pass(0);
  const day = archive.today / DAY_MS;
  expect(archive.archiver.isArchived(day)).toBeDefined();
  const { path, id: object } = objectOf('00');
  damage(path);
  await erase('d');
  await pass(60_000);
  expect(service.status().badObjects).toBe(1);
  expect(archive.archiver.isArchived(day)).toBeUndefined();
  await service.giveUp(object, free);
  await pass(0);
  expect(await archive.rows()).toEqual(['e v 1 2']);
  expect(archive.archiver.isArchived(day)).toBeDefined();
});

test('nothing is given up, and nothing deleted, at a place that is not that of the archive', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 61, 2]);
  service.start();
  await pass(0);
  const { path, id: object } = objectOf('00');
  const { path: other, id: expired } = objectOf('01');
  damage(path);
  await erase('d');
  await pass(60_000);
  expect(service.status().badObjects).toBe(1);
  // As at a start, before it is known what is there.
  archive.closeArchive();
  await archive.openArchive();
  await service[Symbol.asyncDispose]();
  service = newService();
  await expect(service.giveUp(object, free)).rejects.toMatchObject({ code: 'archive.misplaced' });
  await service.remove([expired]);
  expect(existsSync(path)).toBe(true);
  expect(existsSync(other)).toBe(true);
  expect(service.objects().map(({ id }) => id)).toEqual([object]);
  service.start();
  await pass(0);
  expect(existsSync(other)).toBe(false);
  await service.giveUp(object, free);
  expect(existsSync(path)).toBe(false);
});

test('what comes too late to be answered is not given up', async () => {
  const { path, id: object } = await damagedHour();
  const busy = Promise.withResolvers<void>();
  const first = service.giveUp(object, async () => await busy.promise);
  const second = service.giveUp(object, free);
  const outcomes = Promise.allSettled([first, second]);
  archive.store.clock.advance(GIVE_UP_MS);
  busy.resolve();
  const late = { status: 'rejected', reason: { code: 'thread.timeout' } };
  expect(await outcomes).toMatchObject([late, late]);
  expect(existsSync(path)).toBe(true);
});

test('what was given up is told as such, also where its rest cannot be deleted yet', async () => {
  const { path, id: object } = await damagedHour();
  const { delete: remove } = archive.blobs;
  archive.blobs.delete = () => Promise.reject(new SelsynError('blobs.unavailable', 'no', { retryable: true }));
  expect(await service.giveUp(object, free)).toMatchObject({ object: { id: object } });
  archive.blobs.delete = remove;
  await pass(10_000);
  expect(existsSync(path)).toBe(false);
});
