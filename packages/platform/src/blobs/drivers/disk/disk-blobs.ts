import { randomUUID } from 'node:crypto';
import { createReadStream, type Dirent } from 'node:fs';
import { copyFile, constants, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { SelsynError, systemCode } from '../../../kernel/errors.ts';
import { checkBlobKey } from '../../blob-key.ts';
import type { BlobHead, BlobInfo, BlobStore } from '../../blob-store.ts';
import { sha256OfFile } from '../../file-digest.ts';

/** A file being written: no part of a key can end so, for `checkKey` refuses it. */
const ASIDE = '.blob-aside';

/**
 * Objects as files of a folder, their keys being the paths: other programs may read them as they are.
 *
 * A file is copied aside, synced, renamed into its place, and its folder synced. Symbolic links are not followed when listing.
 */
export class DiskBlobs implements BlobStore {
  readonly #root: string;

  constructor(options: { readonly root: string }) {
    this.#root = options.root;
  }

  get place(): string {
    return this.#root;
  }

  /** Where the object of a key is. */
  pathOf(key: string): string {
    checkBlobKey(key);
    if (key.endsWith(ASIDE)) throw new SelsynError('request.invalid', 'this key is of no object', { details: { key } });
    return join(this.#root, key);
  }

  async put(key: string, file: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const path = this.pathOf(key);
    const aside = `${path}.${randomUUID()}${ASIDE}`;
    try {
      options.signal?.throwIfAborted();
      await this.#makeFolder(dirname(path));
      // Where the file system can, the copy shares its blocks.
      await copyFile(file, aside, constants.COPYFILE_FICLONE);
      await syncPath(aside);
      options.signal?.throwIfAborted();
      await rename(aside, path);
      await syncPath(dirname(path));
    } catch (error) {
      await rm(aside, { force: true });
      throw failure(error, key);
    }
  }

  async head(key: string): Promise<BlobHead | undefined> {
    try {
      const path = this.pathOf(key);
      const found = await stat(path);
      if (!found.isFile()) return undefined;
      return { key, sizeBytes: found.size, modifiedMs: found.mtimeMs, digest: await sha256OfFile(path) };
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
      throw failure(error, key);
    }
  }

  async read(
    key: string,
    options: { readonly range?: { readonly start: number; readonly end: number }; readonly signal?: AbortSignal } = {},
  ): Promise<Readable> {
    const { range, signal } = options;
    try {
      const file = await open(this.pathOf(key), 'r');
      if (!(await file.stat()).isFile()) {
        await file.close();
        throw new SelsynError('blobs.not-found', `there is no object ${key}`, { details: { key } });
      }
      return createReadStream('', {
        fd: file,
        ...(range === undefined ? {} : { start: range.start, end: range.end - 1 }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw failure(error, key);
    }
  }

  async *list(prefix: string): AsyncGenerator<BlobInfo> {
    // The deepest folder that the prefix names whole; what is in it is compared with the rest of the prefix.
    const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
    yield* this.#walk(folder, prefix);
  }

  async delete(keys: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const folders = new Set<string>();
    for (const key of keys) {
      options.signal?.throwIfAborted();
      const path = this.pathOf(key);
      try {
        await rm(path);
        folders.add(dirname(path));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw failure(error, key);
      }
    }
    for (const folder of folders) await this.#removeEmpty(folder);
  }

  async digest(file: string, options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    return await sha256OfFile(file, options.signal);
  }

  async sweep(prefix: string): Promise<number> {
    const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
    let swept = 0;
    for await (const key of this.#files(folder)) {
      if (!key.startsWith(prefix) || !key.endsWith(ASIDE)) continue;
      await rm(join(this.#root, key), { force: true });
      swept++;
    }
    return swept;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#walk(folder: string, prefix: string): AsyncGenerator<BlobInfo> {
    for await (const key of this.#files(folder)) {
      if (!key.startsWith(prefix) || key.endsWith(ASIDE)) continue;
      try {
        const found = await stat(join(this.#root, key));
        yield { key, sizeBytes: found.size, modifiedMs: found.mtimeMs };
      } catch (error) {
        // Deleted since.
        if (systemCode(error) !== 'ENOENT') throw failure(error, key);
      }
    }
  }

  /** Keys below a folder, in code unit order: a folder sorts as its name with the `/` that follows it. */
  async *#files(folder: string): AsyncGenerator<string> {
    let entries: Dirent[];
    try {
      entries = await readdir(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return;
      throw failure(error, folder);
    }
    const names = entries
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort((a, b) => (a < b ? -1 : 1));
    const above = folder === '' ? '' : `${folder}/`;
    for (const name of names) {
      if (name.endsWith('/')) yield* this.#files(above + name.slice(0, -1));
      else yield above + name;
    }
  }

  /** A folder that was made survives a power loss once the one above is synced. */
  async #makeFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true });
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made)) await syncPath(dirname(made));
  }

  /** And those above it, up to the root. A folder that a put is about to use is made again by it, or the put is tried again. */
  async #removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at.length > this.#root.length; at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        // Not empty, or gone.
        return;
      }
    }
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function failure(error: unknown, key: string): unknown {
  if (error instanceof SelsynError) return error;
  const code = systemCode(error);
  if (code === undefined) return error;
  const details = { key };
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new SelsynError('blobs.not-found', `there is no object ${key}`, { cause: error, details });
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SelsynError('blobs.full', 'the volume of the objects is out of space', { cause: error, retryable: true, details });
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new SelsynError('blobs.refused', `the folder of the objects cannot be written (${code})`, { cause: error, details });
  }
  if (!/^E[A-Z0-9]+$/.test(code)) return error;
  return new SelsynError('blobs.unavailable', `the folder of the objects failed (${code})`, {
    cause: error,
    retryable: true,
    details,
  });
}
