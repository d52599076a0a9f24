import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isSelsynError, type ErrorCode } from '../kernel/errors.ts';
import type { BlobStore } from './blob-store.ts';

/** An object store that is empty at first. Everything is disposed of after the last test. */
export interface BlobHarness extends AsyncDisposable {
  readonly store: BlobStore;
}

/** Larger than a part of an upload in several parts. */
const LARGE_BYTES = 17 * 1024 * 1024 + 12_345;

/** What every driver keeps. */
export function blobStoreContract(name: string, makeHarness: () => Promise<BlobHarness>): void {
  describe(`objects in ${name}`, () => {
    let harness: BlobHarness;
    let store: BlobStore;
    let folder: string;
    let run = 0;
    /** Keys of a test begin so: the store is one for all of them. */
    let own: string;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'selsyn-blobs-'));
      harness = await makeHarness();
      store = harness.store;
    });

    afterAll(async () => {
      rmSync(folder, { recursive: true, force: true });
      await harness?.[Symbol.asyncDispose]();
    });

    beforeEach(() => {
      own = `t${run++}/`;
    });

    const file = (content: string | Uint8Array): string => {
      const path = join(folder, 'file');
      writeFileSync(path, content);
      return path;
    };
    const put = async (key: string, content: string | Uint8Array): Promise<void> => await store.put(own + key, file(content));
    const get = async (key: string, range?: { start: number; end: number }): Promise<Buffer> => {
      const pieces: Buffer[] = [];
      const stream = await store.read(own + key, range === undefined ? {} : { range });
      for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
      return Buffer.concat(pieces);
    };
    const keys = async (prefix = ''): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key } of store.list(own + prefix)) found.push(key.slice(own.length));
      return found;
    };

    test('gives back what was put, whole and in parts', async () => {
      await put('a/b=c/1-2.parquet', 'hello, world');
      expect((await get('a/b=c/1-2.parquet')).toString()).toBe('hello, world');
      expect((await get('a/b=c/1-2.parquet', { start: 7, end: 12 })).toString()).toBe('world');
      expect((await get('a/b=c/1-2.parquet', { start: 0, end: 1 })).toString()).toBe('h');
    });

    test('keeps empty objects', async () => {
      await put('empty', '');
      expect(await store.head(`${own}empty`)).toMatchObject({ sizeBytes: 0 });
      expect((await get('empty')).length).toBe(0);
    });

    test('keeps keys with every character that a key may have', async () => {
      const key = 'x=1 y+z%2F&\'()*,;:@!$~_-.#?[]{}^`|<>"/__HIVE_DEFAULT_PARTITION__/e';
      await put(key, 'odd');
      expect((await get(key)).toString()).toBe('odd');
      expect(await keys('x=1')).toEqual([key]);
      await store.delete([own + key]);
      expect(await store.head(own + key)).toBeUndefined();
    });

    test('says size, time and a digest that fits the file and no other', async () => {
      const before = Date.now();
      await put('facts', 'abc');
      const head = await store.head(`${own}facts`);
      expect(head).toMatchObject({ key: `${own}facts`, sizeBytes: 3 });
      // Stores say whole seconds.
      expect(head?.modifiedMs).toBeGreaterThan(before - 5_000);
      expect(head?.modifiedMs).toBeLessThan(Date.now() + 5_000);
      expect(head?.digest).toBe(await store.digest(file('abc')));
      if (head?.digest !== undefined) expect(head.digest).not.toBe(await store.digest(file('abd')));
      expect(await store.head(`${own}fact`)).toBeUndefined();
    });

    test('takes large files in parts, and its digest is that of the whole', async () => {
      const content = randomBytes(LARGE_BYTES);
      await put('large', content);
      const head = await store.head(`${own}large`);
      expect(head?.sizeBytes).toBe(LARGE_BYTES);
      expect(head?.digest).toBe(await store.digest(file(content)));
      expect(sha256(await get('large'))).toBe(sha256(content));
      expect(await get('large', { start: LARGE_BYTES - 5, end: LARGE_BYTES })).toEqual(content.subarray(-5));
    });

    test('replaces an object whole', async () => {
      await put('again', 'a longer first content');
      await put('again', 'second');
      expect((await get('again')).toString()).toBe('second');
      expect(await store.head(`${own}again`)).toMatchObject({ sizeBytes: 6, digest: await store.digest(file('second')) });
    });

    test('lists what begins with a prefix, in code unit order, folders or not', async () => {
      for (const key of ['b/2', 'a', 'b/10', 'b-', 'b', 'b0', 'bc/d/e', 'B']) {
        if (key !== 'b') await put(key, key);
      }
      expect(await keys()).toEqual(['B', 'a', 'b-', 'b/10', 'b/2', 'b0', 'bc/d/e']);
      expect(await keys('b/')).toEqual(['b/10', 'b/2']);
      expect(await keys('b')).toEqual(['b-', 'b/10', 'b/2', 'b0', 'bc/d/e']);
      expect(await keys('b/1')).toEqual(['b/10']);
      expect(await keys('nothing/')).toEqual([]);
    });

    test('lists more than one answer of the store can hold', async () => {
      const path = file('x');
      const wanted = Array.from({ length: 1_050 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
      for (let at = 0; at < wanted.length; at += 50) {
        await Promise.all(wanted.slice(at, at + 50).map(async (key) => await store.put(own + key, path)));
      }
      expect(await keys('many/')).toEqual(wanted);
    });

    test('deletes, and does not mind what is not there', async () => {
      await put('d/1', '1');
      await put('d/2', '2');
      await store.delete([`${own}d/1`, `${own}d/none`, `${own}other/none`]);
      expect(await keys()).toEqual(['d/2']);
      await store.delete([`${own}d/2`]);
      await put('d/3', '3');
      expect(await keys()).toEqual(['d/3']);
    });

    test('says that there is no such object', async () => {
      await put('f/1', '1');
      expect(await code(store.read(`${own}none`))).toBe('blobs.not-found');
      expect(await code(store.read(`${own}f`))).toBe('blobs.not-found');
      expect(await store.head(`${own}f`)).toBeUndefined();
    });

    test('refuses keys that are none', async () => {
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/.', 'a\\b', 'ä', 'a\n', 'x'.repeat(901), 'x'.repeat(256)]) {
        expect(await code(store.put(key, file('x'))), key).toBe('request.invalid');
        expect(await code(store.read(key)), key).toBe('request.invalid');
      }
    });

    test('a put that is broken off leaves no object, and what it left otherwise is swept away', async () => {
      const path = file(randomBytes(LARGE_BYTES));
      for (const afterMs of [0, 5, 20, 60]) {
        const stopping = new AbortController();
        const putting = store.put(`${own}broken`, path, { signal: stopping.signal });
        setTimeout(() => stopping.abort(new Error('stopped')), afterMs);
        const outcome = await putting.catch((error: Error) => error.message);
        // It may have been faster.
        if (outcome === undefined) await store.delete([`${own}broken`]);
        else expect(outcome).toBe('stopped');
        expect(await store.head(`${own}broken`)).toBeUndefined();
      }
      await expect(store.put(`${own}broken`, path, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow(
        'stopped',
      );
      await store.sweep(own);
      expect(await store.sweep(own)).toBe(0);
      expect(await keys()).toEqual([]);
    });
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function code(promise: Promise<unknown>): Promise<ErrorCode | undefined> {
  try {
    await promise;
  } catch (error) {
    if (isSelsynError(error)) return error.code;
    throw error;
  }
  return undefined;
}
