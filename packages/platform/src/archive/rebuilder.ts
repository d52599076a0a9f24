import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BlobInfo, BlobStore } from '../blobs/blob-store.ts';
import { sha256OfFile } from '../blobs/file-digest.ts';
import type { ParquetFacts, ParquetFiles } from '../columnar/parquet-files.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { DayJoiner } from './day-joiner.ts';
import type { LocalObjects } from './local-objects.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { ARCHIVE_PREFIX, parseObjectKey, type KeyFacts } from './object-key.ts';
import type { Publisher } from './publisher.ts';

export interface RebuilderParts {
  /** Files are written in it; emptied before and after. */
  readonly aside: string;
  readonly manifest: Manifest;
  readonly blobs: BlobStore;
  readonly local: LocalObjects;
  readonly parquet: ParquetFiles;
  readonly publisher: Publisher;
  readonly joiner: DayJoiner;
  readonly logLines: LogLines;
}

/** How far a rebuild is, or was when it ended. */
export interface RebuildReport {
  /** Objects that the manifest did not know. */
  readonly found: number;
  /** Taken over. */
  readonly adopted: number;
  /** Not taken over, for another one has their points: they are deleted. */
  readonly outdated: number;
  /** Cannot be read, or are not what their key says: they are left where they are. */
  readonly left: number;
}

/** An object in the store that the manifest does not know. */
export interface StrayObject extends KeyFacts {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Of one device type and day. */
interface Group {
  readonly known: readonly CurrentObject[];
  readonly strays: readonly StrayObject[];
}

/**
 * Takes over objects that are in the store and that the manifest does not know: it was lost, or is an old copy. Each day and device
 * type is one transaction, and what is taken over is known from then on, so that it may be interrupted anywhere, and be done again.
 *
 *   list -> raise the ids (no key is ever used twice) -> of each day and type: read whole, compare, take over
 *
 * A stop at the wrong moment leaves an object and its successor in the store, and nothing says which of them counted: of an hour the
 * newer one has all that the older one had; of days, where points are in two objects, all of it is joined anew, and the newer wins.
 */
export class Rebuilder {
  readonly #parts: RebuilderParts;
  report: RebuildReport | undefined;

  constructor(parts: RebuilderParts) {
    this.#parts = parts;
  }

  /** Resolves once it is done. @throws SelsynError `blobs.*`: it goes on with the next call */
  async run(signal: AbortSignal): Promise<void> {
    const { manifest, blobs, publisher, logLines } = this.#parts;
    await publisher.settle(signal);
    const { strays, keys } = await findStrays(manifest, blobs, signal);
    manifest.raiseIds(strays.reduce((most, { id }) => Math.max(most, id), 0));
    this.report = { found: strays.length, adopted: 0, outdated: 0, left: 0 };
    logLines.info({ objects: strays.length }, 'Archived objects that the manifest does not know are being taken over');
    const byDay = Map.groupBy(strays, ({ deviceType, day }) => JSON.stringify([day, deviceType]));
    for (const [, group] of byDay) {
      signal.throwIfAborted();
      const [{ day, deviceType }] = group as [StrayObject];
      const known = manifest.objectsOf(day).filter((object) => object.deviceType === deviceType);
      const gone = known.filter(({ key }) => !keys.has(key)).map(({ id }) => id);
      // What was there when an old manifest was written was replaced since, by one of the others.
      if (gone.length > 0) manifest.commit({ planned: [], replaced: gone, day, hours: [], nowMs: 0 });
      await this.#adopt({ known: known.filter(({ key }) => keys.has(key)), strays: group }, signal);
    }
    manifest.endRebuild(blobs.place);
    await publisher.settle(signal);
    logLines.info({ ...this.report }, 'Archived objects that the manifest did not know were taken over');
  }

  async #adopt({ known, strays }: Group, signal: AbortSignal): Promise<void> {
    const { aside, manifest, local } = this.#parts;
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    const files = new Map<CurrentObject, string>();
    for (const stray of strays) {
      const path = join(aside, `stray-${stray.id}.parquet`);
      const object = await this.#read(stray, path, signal);
      if (object === undefined) this.#count({ left: 1 });
      else files.set(object, path);
    }
    const all = [...known, ...files.keys()].sort((a, b) => a.id - b.id);
    const outdated = new Set(all.filter((object) => all.some((other) => replaces(other, object))).map(({ id }) => id));
    const counting = all.filter(({ id }) => !outdated.has(id));
    const adopted = [...files.keys()].filter(({ id }) => !outdated.has(id));
    const insert = (state: 'current' | 'replaced'): void => {
      for (const object of adopted) manifest.adopt(object, state);
      for (const object of files.keys()) if (outdated.has(object.id)) manifest.adopt(object, 'replaced');
      for (const { day, hour } of files.keys()) manifest.archivedUnknown(day, hour);
    };
    const replaced = known.map(({ id }) => id).filter((id) => outdated.has(id));
    const [first] = all;
    if (first === undefined) return;
    const joined = mayShare(counting) && (await this.#joinShared(counting, files, insert, replaced, signal));
    if (!joined) {
      manifest.commit({ planned: [], replaced, day: first.day, hours: [], nowMs: 0, also: () => insert('current') });
      for (const object of adopted) await local.adopt(object, files.get(object)!);
    }
    this.#count({ adopted: adopted.length, outdated: outdated.size });
  }

  /** Joins objects anew where a point is in two of them. @returns false where none is */
  async #joinShared(
    objects: readonly CurrentObject[],
    own: ReadonlyMap<CurrentObject, string>,
    insert: (state: 'replaced') => void,
    replaced: readonly number[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { aside, parquet, local, joiner } = this.#parts;
    using held = new DisposableStack();
    const files: string[] = [];
    for (const object of objects) files.push(own.get(object) ?? held.use(await local.hold(object, signal)).path);
    const trial = await parquet.merge({ files, path: join(aside, 'trial.parquet'), isPaced: true }, signal);
    await rm(trial.path, { force: true });
    if (trial.rows === objects.reduce((sum, { rows }) => sum + rows, 0)) return false;
    const [{ day, deviceType }] = objects as [CurrentObject];
    const known = objects.filter((object) => !own.has(object)).map(({ id }) => id);
    await joiner.joinFiles(
      {
        day,
        deviceType,
        files,
        rows: trial.rows,
        bytes: trial.bytes,
        replaces: [...known, ...replaced],
        also: () => insert('replaced'),
      },
      signal,
    );
    return true;
  }

  /** What it holds, all of it read. Undefined where it cannot be, or is not of the day that its key says. */
  async #read(stray: StrayObject, path: string, signal: AbortSignal): Promise<CurrentObject | undefined> {
    const { blobs, parquet, logLines } = this.#parts;
    const { key, id, day, hour, deviceType, sizeBytes, modifiedMs } = stray;
    try {
      await pipeline(await blobs.read(key, { signal }), createWriteStream(path), { signal });
      const facts = await parquet.verify(path);
      const { rows, minTimeMs, maxTimeMs, firstDevice, lastDevice } = checked(facts, stray);
      const sha256 = await sha256OfFile(path, signal);
      const span = { firstMs: minTimeMs, lastMs: maxTimeMs, firstDevice, lastDevice };
      return { id, key, day, hour, deviceType, sizeBytes, rows, sha256, ...span, storedMs: Math.floor(modifiedMs) };
    } catch (error) {
      if (signal.aborted || !isOfObject(error)) throw error;
      logLines.error({ key, err: error }, 'An object of the archive cannot be taken over, and is left where it is');
      await rm(path, { force: true });
      return undefined;
    }
  }

  #count(more: Partial<RebuildReport>): void {
    const { found = 0, adopted = 0, outdated = 0, left = 0 } = this.report ?? {};
    this.report = {
      found,
      adopted: adopted + (more.adopted ?? 0),
      outdated: outdated + (more.outdated ?? 0),
      left: left + (more.left ?? 0),
    };
  }
}

/** Objects that the manifest does not know, by id, and all keys that there are. @throws SelsynError `blobs.*` */
export async function findStrays(
  manifest: Manifest,
  blobs: BlobStore,
  signal: AbortSignal,
): Promise<{ readonly strays: readonly StrayObject[]; readonly keys: ReadonlyMap<string, BlobInfo> }> {
  const known = manifest.keys();
  const keys = new Map<string, BlobInfo>();
  const strays: StrayObject[] = [];
  for await (const info of blobs.list(ARCHIVE_PREFIX, { signal })) {
    const { key, sizeBytes, modifiedMs } = info;
    keys.set(key, info);
    const facts = known.has(key) ? undefined : parseObjectKey(key);
    if (facts !== undefined) strays.push({ ...facts, key, sizeBytes, modifiedMs });
  }
  return { strays: strays.sort((a, b) => a.id - b.id), keys };
}

/** An object of an hour has all that the one before it had, but for devices that were erased. */
function replaces(newer: CurrentObject, older: CurrentObject): boolean {
  return older.hour !== undefined && newer.hour === older.hour && newer.id > older.id;
}

/** Whether two of them may have the same point. */
function mayShare(objects: readonly CurrentObject[]): boolean {
  return objects.some((one, index) =>
    objects
      .slice(index + 1)
      .some(
        (other) =>
          one.firstMs <= other.lastMs &&
          other.firstMs <= one.lastMs &&
          one.firstDevice <= other.lastDevice &&
          other.firstDevice <= one.lastDevice,
      ),
  );
}

/** @throws SelsynError `data.corrupt` where it is not of the day, or the hour, that its key says */
function checked(
  facts: ParquetFacts,
  { key, day, hour }: StrayObject,
): Required<{ [K in keyof ParquetFacts]: NonNullable<ParquetFacts[K]> }> {
  const { minTimeMs, maxTimeMs, firstDevice, lastDevice } = facts;
  const fromMs = day * DAY_MS + (hour ?? 0) * HOUR_MS;
  const toMs = fromMs + (hour === undefined ? DAY_MS : HOUR_MS);
  if (minTimeMs === undefined || maxTimeMs === undefined || firstDevice === undefined || lastDevice === undefined) {
    throw new SelsynError('data.corrupt', `the object ${key} has no points`, { details: { key } });
  }
  if (minTimeMs < fromMs || maxTimeMs >= toMs) {
    throw new SelsynError('data.corrupt', `the object ${key} has points of another time`, { details: { key } });
  }
  return { ...facts, minTimeMs, maxTimeMs, firstDevice, lastDevice };
}

/** The object itself is to blame. */
function isOfObject(error: unknown): boolean {
  return isSelsynError(error, 'data.corrupt', 'columnar.failed', 'blobs.not-found') && !error.retryable;
}
