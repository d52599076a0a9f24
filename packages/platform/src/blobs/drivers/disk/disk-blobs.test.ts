import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blobStoreContract } from '../../blob-store.contract.ts';
import { DiskBlobs } from './disk-blobs.ts';

blobStoreContract('a directory', async () => {
  const root = mkdtempSync(join(tmpdir(), 'selsyn-disk-blobs-'));
  return {
    store: new DiskBlobs({ root: join(root, 'not', 'there', 'yet') }),
    [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }),
  };
});

test('an object is a file that others can read, folders that become empty go, and what was left aside is swept', async () => {
  const root = mkdtempSync(join(tmpdir(), 'selsyn-disk-blobs-'));
  try {
    const store = new DiskBlobs({ root });
    const source = join(root, 'source');
    writeFileSync(source, 'points');
    await store.put('a=1/b=2/x.parquet', source);
    expect(readFileSync(join(root, 'a=1/b=2/x.parquet'), 'utf8')).toBe('points');
    writeFileSync(join(root, 'a=1/b=2/y.parquet.5.blob-aside'), 'half');
    symlinkSync('/etc', join(root, 'a=1/elsewhere'));
    const found = [];
    for await (const { key } of store.list('a=1/')) found.push(key);
    expect(found).toEqual(['a=1/b=2/x.parquet']);
    expect(await store.sweep('a=1/')).toBe(1);
    await store.delete(['a=1/b=2/x.parquet']);
    expect(readdirSync(join(root, 'a=1'))).toEqual(['elsewhere']);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
