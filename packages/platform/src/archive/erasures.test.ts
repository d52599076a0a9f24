import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { ArchiveFixture } from './archive.fixture.ts';
import { archiveOfEachTest } from './each-test.fixture.ts';

let archive: ArchiveFixture;
archiveOfEachTest((opened) => (archive = opened));

async function erase(device: string): Promise<string> {
  return (await archive.erasures.begin({ device, reason: 'requested', requestedBy: 'officer' })).id;
}

/** The processor deletes chunks in idle time. */
function eraseChunks(): void {
  while (archive.store.writer.eraser.busy) archive.store.writer.eraser.step();
}

/** Files of the data folder in whose bytes a text stands. */
function filesWith(text: string): string[] {
  return readdirSync(archive.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}

test('a device is hidden at once, and erased from every object that has it', async () => {
  archive.types.types.set('secret-device', 'meter').set('a', 'meter').set('z', 'meter');
  archive.points(
    ['a', 'v', 1, 1],
    ['secret-device', 'v', 1, 2],
    ['z', 'v', 1, 3],
    ['secret-device', 'only', 61, 4],
    ['z', 'v', 121, 5],
  );
  await archive.pass();
  const untouched = archive.keys().find((key) => key.includes('/02-'));
  expect(filesWith('secret-device').some((path) => path.endsWith('.parquet'))).toBe(true);

  const id = await erase('secret-device');
  expect(archive.erasures.get(id)).toMatchObject({ state: 'hidden', objectsRewritten: 0, requestedBy: 'officer' });
  expect(await archive.rows()).toEqual(['a v 1 1', 'z v 1 3', 'z v 121 5']);
  expect(archive.store.stored()).not.toHaveProperty('secret-device');

  await archive.pass();
  expect(archive.erasures.get(id)).toMatchObject({
    state: 'hidden',
    objectsChecked: 2,
    objectsRewritten: 2,
    archivedPointsErased: 2,
  });
  expect(filesWith('secret-device').filter((path) => path.endsWith('.parquet'))).toEqual([]);
  eraseChunks();
  await archive.pass();
  const done = archive.erasures.get(id);
  expect(done).toMatchObject({ state: 'done', lastError: undefined });
  expect(done.storeErasedAtMs).toBeLessThanOrEqual(done.doneAtMs!);
  expect(await archive.rows()).toEqual(['a v 1 1', 'z v 1 3', 'z v 121 5']);
  // The hour of which nothing was left has no object; what had nothing of it stays the object it was.
  expect(archive.keys().map((key) => key.replace(/.*\//, '').slice(0, 3))).toEqual(['00-', '02-']);
  expect(archive.keys()).toContain(untouched);
  expect(await archive.stored()).toEqual(archive.keys());
  expect(archive.archiver.isArchived(archive.today / DAY_MS)).toBeDefined();
});

test('what a device sends after its erasure is archived, and stays', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 1]);
  await archive.pass();
  const id = await erase('d');
  archive.points(['d', 'v', 2, 2], ['d', 'v', 61, 3]);
  // Its new points are in the store; the old ones are in the archive still, and hidden.
  expect(await archive.rows()).toEqual(['e v 1 1']);
  await archive.pass(true);
  eraseChunks();
  await archive.pass(true);
  expect(archive.erasures.get(id).state).toBe('done');
  expect(await archive.rows()).toEqual(['d v 2 2', 'd v 61 3', 'e v 1 1']);
});

test('an erasure that comes while its device is being archived finds what was stored meanwhile', async () => {
  archive.points(['d', 'v', 1, 1], ['e', 'v', 1, 1]);
  let id: string | undefined;
  archive.onStep = async (step) => {
    if (step === 'written' && id === undefined) id = await erase('d');
  };
  await archive.pass();
  archive.onStep = undefined;
  expect(await archive.rows()).toEqual(['e v 1 1']);
  expect(archive.erasures.get(id!)).toMatchObject({ objectsRewritten: 1, archivedPointsErased: 1 });
});

test('several devices are erased with one writing of each object, and an erasure goes on after a restart', async () => {
  archive.points(...['a', 'b', 'c', 'd'].map((device) => [device, 'v', 1, 1] as const));
  await archive.pass();
  const ids = [await erase('a'), await erase('c'), await erase('nobody')];
  let stored = 0;
  archive.onStep = (step) => {
    if (step === 'committed') throw new Error('stopped');
    if (step === 'uploaded') stored++;
  };
  await expect(archive.pass()).rejects.toThrow('stopped');
  archive.onStep = undefined;
  archive.closeArchive();
  await archive.openArchive();
  eraseChunks();
  await archive.pass();
  expect(stored).toBe(1);
  expect(ids.map((id) => archive.erasures.get(id)).map(({ state, objectsRewritten }) => [state, objectsRewritten])).toEqual([
    ['done', 1],
    ['done', 1],
    ['done', 0],
  ]);
  expect(await archive.rows()).toEqual(['b v 1 1', 'd v 1 1']);
  expect(await archive.stored()).toEqual(archive.keys());
});

test('an erasure that was asked for, and no more, is done after a restart', async () => {
  archive.points(['d', 'v', 1, 1]);
  await archive.pass();
  const failing = archive.store.writer.forget.bind(archive.store.writer);
  archive.store.writer.forget = () => {
    throw new Error('killed');
  };
  await expect(erase('d')).rejects.toThrow('killed');
  expect(await archive.rows()).toEqual([]);
  archive.store.writer.forget = failing;
  archive.closeArchive();
  await archive.openArchive();
  await archive.pass();
  eraseChunks();
  await archive.pass();
  expect(archive.erasures.list({ limit: 10 })).toMatchObject([{ device: 'd', state: 'done', archivedPointsErased: 1 }]);
  expect(archive.store.stored()).toEqual({});
});

test('an erasure that fails in the middle of a pass stops it: what is joined anew would be known as free of the device', async () => {
  const yesterday = -24 * 60;
  for (const minute of [yesterday, 1]) archive.points(['d', 'v', minute, 1], ['e', 'v', minute, 1]);
  await archive.pass();
  // Both days are archived again; the device is erased during the first of them, and that fails for once.
  for (const minute of [yesterday + 1, 2]) archive.points(['e', 'v', minute, 2]);
  let id: string | undefined;
  archive.onStep = async (step) => {
    if (step === 'written' && id === undefined) id = await erase('d');
  };
  const { objects } = archive.archiver;
  const eraseObjects = objects.erase.bind(objects);
  objects.erase = async () => await Promise.reject(new Error('an object could not be read'));
  await expect(archive.pass(true)).rejects.toThrow('could not be read');
  objects.erase = eraseObjects;
  archive.onStep = undefined;
  const ofOthers = [`e v ${yesterday} 1`, `e v ${yesterday + 1} 2`, 'e v 1 1', 'e v 2 2'].sort();
  expect((await archive.rows()).filter((row) => row.startsWith('d'))).toEqual([]);
  await archive.pass(true);
  eraseChunks();
  await archive.pass(true);
  expect(archive.erasures.get(id!)).toMatchObject({ state: 'done', archivedPointsErased: 2 });
  expect(await archive.rows()).toEqual(ofOthers);
});

test('erasures are listed newest first, also those of one device', async () => {
  const ids = [await erase('a'), await erase('b'), await erase('a')];
  expect(archive.erasures.list({ limit: 2 }).map(({ id }) => id)).toEqual([ids[2], ids[1]]);
  expect(archive.erasures.list({ limit: 2, before: ids[1]! }).map(({ id }) => id)).toEqual([ids[0]]);
  expect(archive.erasures.list({ limit: 5, device: 'a' }).map(({ id }) => id)).toEqual([ids[2], ids[0]]);
  expect(() => archive.erasures.get('x')).toThrow(expect.objectContaining({ code: 'erasure.not-found' }));
});
