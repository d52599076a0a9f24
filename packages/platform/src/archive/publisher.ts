import { rm } from 'node:fs/promises';
import type { ParquetFacts } from '../columnar/parquet-files.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import { sha256Of, sha256OfFile } from '../blobs/file-digest.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LocalObjects } from './local-objects.ts';
import type { HourVersion, Manifest, PlannedObject } from './manifest.ts';

/** The steps of publishing, in their order; tests stop the process at each. */
export type PublishStep = 'written' | 'planned' | 'uploaded' | 'verified' | 'committed' | 'deleted';

export interface PublisherParts {
  readonly manifest: Manifest;
  readonly blobs: BlobStore;
  readonly local: LocalObjects;
  readonly clock: Clock;
  /** Told after each step. */
  readonly onStep?: ((step: PublishStep) => void | Promise<void>) | undefined;
}

/** A Parquet file that was written aside, and what it is to be. */
export interface NewObject {
  readonly facts: ParquetFacts;
  readonly deviceType: string | undefined;
  readonly hour: number | undefined;
}

export interface Publication {
  readonly day: number;
  readonly objects: readonly NewObject[];
  /** Ids of objects that do not count any more then. */
  readonly replaces: readonly number[];
  readonly hours: readonly HourVersion[];
  /** In the transaction that makes it count. */
  readonly also?: () => void;
}

/**
 * Brings files into the archive: planned -> uploaded -> read back -> in the manifest -> what they replace is deleted.
 *
 * Interrupted anywhere it leaves either nothing but rows that say what may lie about (`settle` deletes it) or all of it.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  /** Of all uploads so far. */
  uploadedBytes = 0;
  uploadedObjects = 0;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** @throws SelsynError `blobs.*`, `archive.unverified`: nothing of it counts, and what was counted before still does */
  async publish(publication: Publication, signal: AbortSignal): Promise<readonly PlannedObject[]> {
    const { manifest, local, clock } = this.#parts;
    const { day, objects, replaces, hours, also } = publication;
    const drafts = [];
    for (const { facts, deviceType, hour } of objects) {
      const { rows, bytes, minTimeMs, maxTimeMs, firstDevice, lastDevice } = facts;
      if (minTimeMs === undefined || maxTimeMs === undefined || firstDevice === undefined || lastDevice === undefined) {
        throw new Error('a file without points is no object');
      }
      const sha256 = await sha256OfFile(facts.path, signal);
      drafts.push({
        deviceType,
        day,
        hour,
        sizeBytes: bytes,
        sha256,
        rows,
        firstMs: minTimeMs,
        lastMs: maxTimeMs,
        firstDevice,
        lastDevice,
      });
    }
    await this.#step('written');
    const planned = manifest.plan(drafts);
    await this.#step('planned');
    for (const [index, object] of planned.entries()) await this.#store(object, objects[index]!.facts.path, signal);
    await this.#step('verified');
    manifest.commit({ planned, replaced: replaces, day, hours, nowMs: clock.now(), ...(also === undefined ? {} : { also }) });
    await this.#step('committed');
    for (const [index, object] of planned.entries()) await local.adopt(object, objects[index]!.facts.path);
    if (replaces.length > 0) await this.settle(signal);
    await this.#step('deleted');
    return planned;
  }

  /** Deletes what counts for nothing and may be there. @throws SelsynError `blobs.*` */
  async settle(signal: AbortSignal): Promise<number> {
    const { manifest, blobs, local } = this.#parts;
    const leftovers = manifest.leftovers();
    if (leftovers.length === 0) return 0;
    await blobs.delete(
      leftovers.map(({ key }) => key),
      { signal },
    );
    for (const { id } of leftovers) await local.drop(id);
    manifest.gone(leftovers.map(({ id }) => id));
    return leftovers.length;
  }

  async #store(object: PlannedObject, file: string, signal: AbortSignal): Promise<void> {
    const { blobs } = this.#parts;
    await blobs.put(object.key, file, { signal });
    await this.#step('uploaded');
    await this.#verify(object, file, signal);
    this.uploadedBytes += object.sizeBytes;
    this.uploadedObjects++;
  }

  /** By the digest that the store took, where it keeps one; else by reading all of it back. */
  async #verify(object: PlannedObject, file: string, signal: AbortSignal): Promise<void> {
    const { blobs } = this.#parts;
    const { key, sizeBytes, sha256 } = object;
    const head = await blobs.head(key, { signal });
    if (head === undefined || head.sizeBytes !== sizeBytes) throw unverified(key, { sizeBytes, stored: head?.sizeBytes });
    if (head.digest !== undefined) {
      const digest = await blobs.digest(file, { signal });
      if (head.digest !== digest) throw unverified(key, { digest, stored: head.digest });
      return;
    }
    const stored = await sha256Of(await blobs.read(key, { signal }));
    if (stored !== sha256) throw unverified(key, { sha256, stored });
  }

  async #step(step: PublishStep): Promise<void> {
    await this.#parts.onStep?.(step);
  }
}

/** Removes files that were written aside and are not wanted. */
export async function discard(files: Iterable<ParquetFacts>): Promise<void> {
  for (const { path } of files) await rm(path, { force: true });
}

function unverified(key: string, details: Readonly<Record<string, unknown>>): SelsynError {
  return new SelsynError('archive.unverified', `the object ${key} is not what was stored`, {
    retryable: true,
    details: { key, ...details },
  });
}
