import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskBlobs } from '../blobs/drivers/disk/disk-blobs.ts';
import { LocalObjects } from './local-objects.ts';

let root: string;
let blobs: DiskBlobs;
let reads: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'selsyn-local-'));
  reads = [];
  blobs = new DiskBlobs({ root: join(root, 'store') });
  const read = blobs.read.bind(blobs);
  blobs.read = async (key, options) => {
    reads.push(key);
    return await read(key, options);
  };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function open(maxBytes: number, direct?: (key: string) => string): Promise<LocalObjects> {
  const local = another(maxBytes, direct);
  await local.open();
  return local;
}

function another(maxBytes: number, direct?: (key: string) => string): LocalObjects {
  return new LocalObjects({ cache: join(root, 'cache'), held: join(root, 'held'), blobs, direct, maxBytes });
}

async function stored(id: number, bytes: number) {
  const content = Buffer.alloc(bytes, id);
  const file = join(root, 'source');
  writeFileSync(file, content);
  await blobs.put(`o/${id}`, file);
  return { id, key: `o/${id}`, sizeBytes: bytes, sha256: createHash('sha256').update(content).digest('hex') };
}

/** Uses of the same ms have no order. */
function usedAt(id: number, second: number): void {
  utimesSync(join(root, 'cache', `00000${id}.parquet`), second, second);
}

test('an object is fetched once, for all threads that share the folder, and the least recently used goes first', async () => {
  const local = await open(250);
  const objects = [await stored(1, 100), await stored(2, 100), await stored(3, 100)];
  await Promise.all([local.hold(objects[0]!), local.hold(objects[0]!)].map(async (holding) => (await holding)[Symbol.dispose]()));
  (await another(250).hold(objects[0]!))[Symbol.dispose]();
  (await local.hold(objects[1]!))[Symbol.dispose]();
  expect(reads).toEqual(['o/1', 'o/2']);
  await turn();
  usedAt(1, 2_000);
  usedAt(2, 1_000);
  (await local.hold(objects[2]!))[Symbol.dispose]();
  expect(readdirSync(join(root, 'cache'))).toEqual(['000001.parquet', '000003.parquet']);
});

test('what is held stays readable, and counts, whatever becomes of the copy and the object', async () => {
  const local = await open(250);
  const [one, two, three] = [await stored(1, 100), await stored(2, 150), await stored(3, 160)];
  const held = await local.hold(one);
  await blobs.delete(['o/1']);
  await local.drop(1);
  expect(readFileSync(held.path)).toEqual(Buffer.alloc(100, 1));
  await expect(local.hold(one)).rejects.toMatchObject({ code: 'archive.object-gone', retryable: true });
  (await local.hold(two))[Symbol.dispose]();
  await expect(local.hold(three)).rejects.toMatchObject({ code: 'archive.cache-full' });
  held[Symbol.dispose]();
  await expect.poll(() => existsSync(held.path)).toBe(false);
  expect(readFileSync((await local.hold(three)).path).length).toBe(160);
});

test('a copy that is not what was archived is not given to anybody', async () => {
  const local = await open(1_000);
  const object = await stored(1, 100);
  await expect(local.hold({ ...object, sha256: '00' })).rejects.toMatchObject({ code: 'data.corrupt' });
  await expect(local.hold({ ...object, sizeBytes: 99 })).rejects.toMatchObject({ code: 'data.corrupt' });
  expect(readdirSync(join(root, 'cache'))).toEqual([]);
});

test('what was stored is kept as a copy without being fetched', async () => {
  const local = await open(1_000);
  const object = await stored(1, 100);
  const file = join(root, 'aside');
  writeFileSync(file, Buffer.alloc(100, 1));
  await local.adopt(object, file);
  expect(readFileSync((await local.hold(object)).path).length).toBe(100);
  expect([reads, existsSync(file)]).toEqual([[], false]);
  writeFileSync(file, Buffer.alloc(2_000));
  await local.adopt({ ...object, id: 2, sizeBytes: 2_000 }, file);
  expect([readdirSync(join(root, 'cache')), existsSync(file)]).toEqual([['000001.parquet'], false]);
});

test('objects of this machine are linked, not copied, and outlive their removal while they are held', async () => {
  const local = await open(10, (key) => join(root, 'store', key));
  const object = await stored(1, 100);
  const held = await local.hold(object);
  await blobs.delete([object.key]);
  expect(readFileSync(held.path).length).toBe(100);
  await expect(local.hold(object)).rejects.toMatchObject({ code: 'archive.object-gone' });
});

test('what an earlier process held or did not finish is gone at the start', async () => {
  const local = await open(1_000);
  await local.hold(await stored(1, 100));
  writeFileSync(join(root, 'cache', '2.x.part'), 'half');
  await open(1_000);
  expect([readdirSync(join(root, 'cache')), readdirSync(join(root, 'held'))]).toEqual([['000001.parquet'], []]);
});
