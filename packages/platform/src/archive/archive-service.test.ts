import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture, parquetForTests } from './archive.fixture.ts';
import { ArchiveService } from './archive-service.ts';

const parquet = parquetForTests();
let archive: ArchiveFixture;
let service: ArchiveService;
let forgotten: string[];

beforeEach(async () => {
  archive = await ArchiveFixture.open(parquet);
  forgotten = [];
  service = open();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await archive[Symbol.asyncDispose]();
});
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
});

function open(off = false): ArchiveService {
  const { manifest, erasures, archiver, store } = archive;
  return new ArchiveService({
    manifest,
    erasures,
    store: { forget: async (device) => void forgotten.push(device), flush: async () => ({ done: true }) },
    archiver: off ? undefined : archiver,
    target: off ? 'off' : 'disk',
    place: off ? undefined : archive.blobs.place,
    clock: store.clock,
    logLines: silentLogLines,
  });
}

/** Lets time pass, and what is due then come to its end. */
async function pass(ms: number): Promise<void> {
  archive.store.clock.advance(ms);
  await service.idle();
}

const file = () => ({ day: archive.today / DAY_MS, ...state() });
function state(): { generation: number; version: number } {
  const { fileGeneration: generation = 0, version = 0 } = archive.archiver.isArchived(archive.today / DAY_MS) ?? {};
  return { generation, version };
}

test('archives from the start on, once a minute, and says what it has', async () => {
  archive.points(['a', 'v', 1, 1]);
  service.start();
  await pass(0);
  expect(service.status()).toMatchObject({
    state: 'idle',
    target: 'disk',
    place: archive.blobs.place,
    objects: 1,
    points: 1,
    backlogHours: 0,
    lagMs: 0,
    lastStoredAtMs: archive.store.clock.now(),
  });
  archive.points(['a', 'v', 61, 1]);
  await pass(59_999);
  expect(service.status().objects).toBe(1);
  await pass(1);
  expect(service.status().objects).toBe(2);
});

test('tries again what failed, after pauses that grow, and says why', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', 61, 1]);
  const { put } = archive.blobs;
  let tries = 0;
  archive.blobs.put = async () => {
    tries++;
    throw new SelsynError('blobs.unavailable', 'no route to the host', { retryable: true });
  };
  service.start();
  await pass(0);
  expect(service.status()).toMatchObject({
    state: 'failing',
    failures: 1,
    backlogHours: 2,
    lastError: { code: 'blobs.unavailable', message: 'no route to the host' },
  });
  expect(service.status().lagMs).toBe(archive.store.clock.now() - archive.today - 3_600_000);
  for (const pauseMs of [10_000, 20_000, 40_000]) {
    const before = tries;
    await pass(pauseMs - 1);
    expect(tries).toBe(before);
    await pass(1);
    expect(tries).toBe(before + 1);
  }
  // Nobody who asks for it makes it try sooner, but an operator.
  expect(await service.isArchived({ day: archive.today / DAY_MS, generation: 1, version: 1 })).toBe(false);
  await pass(1);
  expect(tries).toBe(4);
  archive.blobs.put = put;
  await service.archiveNow();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'idle', failures: 4, lastError: undefined, points: 2, backlogHours: 0 });
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a day that cannot be archived keeps no other from it', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', -1, 2]);
  const { writeHours } = parquet;
  parquet.writeHours = async (request, signal) => {
    if (request.day === archive.today / DAY_MS - 1) throw new SelsynError('data.corrupt', 'a broken day');
    return await writeHours.call(parquet, request, signal);
  };
  try {
    service.start();
    await pass(0);
    expect(service.status()).toMatchObject({ state: 'failing', points: 1, lastError: { code: 'data.corrupt' }, backlogHours: 1 });
  } finally {
    parquet.writeHours = writeHours;
  }
  await pass(10_000);
  expect(service.status()).toMatchObject({ state: 'idle', points: 2 });
});

test('raw points may go when what the file has is archived, as it is; who asks makes it archive at once', async () => {
  archive.points(['a', 'v', 1, 1]);
  service.start();
  await pass(0);
  const archived = file();
  expect(await service.isArchived(archived)).toBe(true);
  expect(await service.isArchived({ ...archived, version: archived.version + 1 })).toBe(false);
  expect(await service.isArchived({ ...archived, generation: archived.generation + 1 })).toBe(false);
  archive.points(['a', 'v', 2, 1]);
  expect(await service.isArchived(archived)).toBe(false);
  await pass(0);
  expect(await service.isArchived(archived)).toBe(false);
  expect(await service.isArchived(file())).toBe(true);
  expect(await archive.rows()).toHaveLength(2);
});

test('objects whose time is over go from the manifest, and from the store', async () => {
  archive.points(['a', 'v', 1, 1], ['a', 'v', 61, 1]);
  service.start();
  await pass(0);
  const [first] = service.objects();
  await service.remove([first!.id]);
  expect(service.objects()).toHaveLength(1);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('a removed device is erased from the archive where that may have points of it', async () => {
  archive.points(['b', 'v', 1, 1]);
  service.start();
  await pass(0);
  await service.forgetRemoved('a', 'x');
  expect([forgotten, archive.erasures.list({ limit: 9 })]).toEqual([['a'], []]);
  await service.forgetRemoved('b', 'x');
  expect(archive.erasures.list({ limit: 9 })).toMatchObject([{ device: 'b', reason: 'removed', requestedBy: 'x' }]);
  await pass(0);
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
  await pass(1_000);
  expect(archive.erasures.list({ limit: 9 })).toMatchObject([{ state: 'done', objectsRewritten: 1 }]);
  expect(await archive.stored()).toEqual([]);
});

test('without an archive raw points may go, erasures go on, and nothing can be archived', async () => {
  archive.points(['a', 'v', 1, 1]);
  service = open(true);
  service.start();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'off', objects: 0, backlogHours: 0 });
  expect(await service.isArchived({ day: 1, generation: 1, version: 1 })).toBe(true);
  await expect(service.archiveNow()).rejects.toMatchObject({ code: 'archive.off' });
  const { id } = await service.beginErasure({ device: 'a', reason: 'requested', requestedBy: 'x' });
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
  await pass(1_000);
  expect(archive.erasures.get(id)).toMatchObject({ state: 'done' });
});

test('erases what is archived of a device while it is being removed', async () => {
  // Nothing is there that the manifest does not know.
  await archive.pass();
  archive.points(['a', 'v', 1, 1], ['b', 'v', 1, 2]);
  const written = Promise.withResolvers<void>();
  archive.onStep = (step) => {
    if (step === 'written') written.resolve();
  };
  const { manifest, erasures, archiver, store } = archive;
  const removing = new ArchiveService({
    manifest,
    erasures,
    archiver,
    store: {
      flush: async () => ({ done: true }),
      // The processor is busy: a pass begins meanwhile, and has read the points.
      forget: async (device) => {
        removing.start();
        store.clock.advance(0);
        await written.promise;
        store.writer.forget(device, [...store.writer.positions]);
      },
    },
    target: 'disk',
    place: archive.blobs.place,
    clock: store.clock,
    logLines: silentLogLines,
  });
  await removing.forgetRemoved('a', 'removal of the device');
  await removing.idle();
  expect(await archive.rows()).toEqual(['b v 1 2']);
  await removing[Symbol.asyncDispose]();
});

test('objects that the manifest does not know are told of until somebody has them taken over, and no longer', async () => {
  archive.points(['a', 'v', 1, 1]);
  await archive.pass();
  await service[Symbol.asyncDispose]();
  archive.closeArchive();
  for (const suffix of ['', '-wal', '-shm']) rmSync(archive.folders.manifest + suffix, { force: true });
  await archive.openArchive();
  service = open();
  service.start();
  await pass(0);
  expect(service.status()).toMatchObject({ state: 'unknown-objects', lastError: { code: 'archive.unknown-objects' } });
  const states = new Set<string>();
  // What the day file has is archived again afterwards.
  archive.onStep = () => void states.add(service.status().state);
  service.rebuild();
  expect(service.status()).toMatchObject({ state: 'rebuilding', lastError: undefined });
  await pass(0);
  expect([...states]).toEqual(['working']);
  expect(service.status()).toMatchObject({ state: 'idle', lastError: undefined, points: 1 });
});
