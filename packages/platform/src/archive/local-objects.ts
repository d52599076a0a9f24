import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { BlobStore } from '../blobs/blob-store.ts';
import { SelsynError, isSelsynError, systemCode } from '../kernel/errors.ts';
import type { ArchivedObject, LocalObject } from './archive-index.ts';

export interface LocalObjectsOptions {
  /** Copies are kept here; several threads may use the folder. */
  readonly cache: string;
  /** On the same file system. */
  readonly held: string;
  readonly blobs: BlobStore;
  /** Where objects are files of this machine: the path of a key. */
  readonly direct?: ((key: string) => string) | undefined;
  readonly maxBytes: number;
}

type Wanted = Pick<ArchivedObject, 'id' | 'key' | 'sizeBytes' | 'sha256'>;

/**
 * Objects as files of this machine: those of a directory as they are, others as copies in a cache of bounded size, of which
 * the least recently used goes first.
 *
 * ```
 *   cache/000012.parquet   a copy; its time of change is that of its last use
 *   held/{uuid}.parquet    a hard link, for as long as somebody reads: the bytes stay, whoever removes the copy or the object
 * ```
 * All is in the folder, nothing in memory, so that threads share it without knowing of each other.
 */
export class LocalObjects {
  readonly #options: LocalObjectsOptions;
  readonly #fetching = new Map<number, Promise<void>>();

  constructor(options: LocalObjectsOptions) {
    this.#options = options;
  }

  /** Before anybody reads: what an earlier process held or did not finish is removed. */
  async open(): Promise<void> {
    const { cache, held } = this.#options;
    await rm(held, { recursive: true, force: true });
    for (const folder of [cache, held]) await mkdir(folder, { recursive: true });
    for (const name of await readdir(cache)) if (!name.endsWith('.parquet')) await rm(join(cache, name), { force: true });
  }

  /** See ArchiveIndex.local. */
  async hold(object: Wanted, signal?: AbortSignal): Promise<LocalObject> {
    const { direct, held } = this.#options;
    const path = join(held, `${randomUUID()}.parquet`);
    const source = direct?.(object.key) ?? this.#copyOf(object.id);
    // Between being fetched and being held a copy may be pushed out by others.
    for (let tries = 0; ; tries++) {
      try {
        await link(source, path);
        break;
      } catch (error) {
        if (systemCode(error) === 'EXDEV' && direct !== undefined) return { path: source, [Symbol.dispose]: () => undefined };
        if (systemCode(error) !== 'ENOENT') throw error;
        if (direct !== undefined || tries === 3) throw gone(object);
        await this.#fetchOnce(object, signal);
      }
    }
    if (direct === undefined) await touch(source);
    return {
      path,
      [Symbol.dispose]: () => {
        rm(path, { force: true }).catch(() => undefined);
      },
    };
  }

  /** Takes a file that was just stored as the copy of an object, where copies are kept; else removes it. */
  async adopt(object: Wanted, file: string): Promise<void> {
    if (this.#options.direct !== undefined || !(await this.#makeRoom(object.sizeBytes))) await rm(file, { force: true });
    else await rename(file, this.#copyOf(object.id));
  }

  /** The copy is not what it should be: it is fetched again when it is asked for. @returns false where there are no copies */
  async dropCopy(id: number): Promise<boolean> {
    if (this.#options.direct !== undefined) return false;
    await this.drop(id);
    return true;
  }

  /** The object is gone: so is its copy. */
  async drop(id: number): Promise<void> {
    await rm(this.#copyOf(id), { force: true });
  }

  async #fetchOnce(object: Wanted, signal: AbortSignal | undefined): Promise<void> {
    const under = this.#fetching.get(object.id);
    if (under !== undefined) {
      // Another's being broken off is not ours.
      await under.catch(() => undefined);
      return;
    }
    const fetching = this.#fetch(object, signal);
    this.#fetching.set(object.id, fetching);
    try {
      await fetching;
    } finally {
      this.#fetching.delete(object.id);
    }
  }

  async #fetch(object: Wanted, signal: AbortSignal | undefined): Promise<void> {
    const { cache, blobs, maxBytes } = this.#options;
    if (!(await this.#makeRoom(object.sizeBytes))) {
      throw new SelsynError('archive.cache-full', 'the local cache of the archive has no room for what is asked for at once', {
        details: { sizeBytes: object.sizeBytes, maxBytes },
      });
    }
    const aside = join(cache, `${object.id}.${randomUUID()}.part`);
    try {
      const found = await write(await read(blobs, object, signal), aside, signal);
      if (found.bytes !== object.sizeBytes || found.sha256 !== object.sha256) {
        throw new SelsynError('data.corrupt', `the object ${object.key} is not what was archived`, {
          details: { key: object.key, ...found },
        });
      }
      await rename(aside, this.#copyOf(object.id));
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  /** Removes copies, the least recently used first, until so many bytes fit. Those that are held stay. @returns false where they do not */
  async #makeRoom(bytes: number): Promise<boolean> {
    const { cache, held, maxBytes } = this.#options;
    const copies = [];
    let used = 0;
    for (const { name, size, links, usedMs } of await filesOf(cache)) {
      used += size;
      // One that is held counts where it is held.
      if (links === 1) copies.push({ name, size, usedMs });
      else used -= size;
    }
    const counted = new Set<number>();
    for (const { size, inode } of await filesOf(held)) {
      if (!counted.has(inode)) used += size;
      counted.add(inode);
    }
    copies.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, size } of copies) {
      if (used + bytes <= maxBytes) break;
      await rm(join(cache, name), { force: true });
      used -= size;
    }
    return used + bytes <= maxBytes;
  }

  #copyOf(id: number): string {
    return join(this.#options.cache, `${String(id).padStart(6, '0')}.parquet`);
  }
}

async function read(blobs: BlobStore, object: Wanted, signal: AbortSignal | undefined): Promise<Readable> {
  try {
    return await blobs.read(object.key, signal === undefined ? {} : { signal });
  } catch (error) {
    throw isSelsynError(error, 'blobs.not-found') ? gone(object) : error;
  }
}

async function write(
  source: Readable,
  path: string,
  signal: AbortSignal | undefined,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const file = createWriteStream(path);
  let bytes = 0;
  try {
    for await (const piece of source as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      hash.update(piece);
      bytes += piece.length;
      if (!file.write(piece)) await new Promise<void>((resolve) => file.once('drain', resolve).once('error', () => resolve()));
      if (file.errored !== null) throw file.errored;
    }
  } finally {
    file.end();
    await finished(file).catch(() => undefined);
  }
  if (file.errored !== null) throw file.errored;
  return { bytes, sha256: hash.digest('hex') };
}

async function filesOf(folder: string): Promise<{ name: string; size: number; links: number; usedMs: number; inode: number }[]> {
  const files = [];
  for (const name of await readdir(folder)) {
    try {
      const { size, nlink, mtimeMs, ino } = await stat(join(folder, name));
      files.push({ name, size, links: nlink, usedMs: mtimeMs, inode: ino });
    } catch (error) {
      // Removed since.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return files;
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

function gone(object: Wanted): SelsynError {
  return new SelsynError('archive.object-gone', `the object ${object.key} is not there any more`, {
    retryable: true,
    details: { key: object.key },
  });
}
