import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '../blobs/blob-store.ts';
import { sha256OfFile } from '../blobs/file-digest.ts';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DayJoiner } from './day-joiner.ts';
import type { LocalObjects } from './local-objects.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import type { ObjectFaults } from './object-faults.ts';
import { checkedFacts, isSuccessor, mayShare, mustBeOne } from './stray-rules.ts';
import type { StoredKeys, StrayObject } from './stray-objects.ts';

export interface StrayAdopterParts {
  /** Files are written in it; emptied before. */
  readonly aside: string;
  readonly manifest: Manifest;
  readonly blobs: BlobStore;
  readonly local: LocalObjects;
  readonly faults: ObjectFaults;
  readonly parquet: ParquetFiles;
  readonly joiner: DayJoiner;
  readonly logLines: LogLines;
}

/** Of one device type and day. */
export interface StrayGroup {
  readonly known: readonly CurrentObject[];
  readonly strays: readonly StrayObject[];
  readonly stored: StoredKeys;
}

/** What became of the objects of a group. */
export interface Adopted {
  readonly adopted: number;
  readonly outdated: number;
  readonly left: number;
}

type Paths = Map<CurrentObject, string>;

/**
 * Takes over what is in the store of one device type and day, in one transaction.
 *
 * A stop at the wrong moment leaves an object and its successor in the store, and nothing says which of them counted: of an hour the
 * newer one has all that the older one had, or nothing but what the older one had (a device was erased from it). Where each has points
 * of its own, neither has replaced the other. What shares points, or devices of the same time, is joined anew.
 */
export class StrayAdopter {
  readonly #parts: StrayAdopterParts;

  constructor(parts: StrayAdopterParts) {
    this.#parts = parts;
  }

  /** @throws SelsynError `blobs.*`, `columnar.gone` and such: nothing of the group has changed */
  async adopt({ known, strays, stored }: StrayGroup, signal: AbortSignal): Promise<Adopted> {
    const { aside, logLines } = this.#parts;
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    const files: Paths = new Map();
    for (const stray of strays) {
      const path = join(aside, `stray-${stray.id}.parquet`);
      const object = await this.#read(stray, path, signal);
      if (object !== undefined) files.set(object, path);
    }
    const left = strays.length - files.size;
    if (files.size === 0) return { adopted: 0, outdated: 0, left };
    // What was there when an old manifest was written, and is not, was replaced: where one of the others can have done it.
    const isReplaced = (object: CurrentObject): boolean =>
      !stored.has(object.key) && files.keys().some((stray) => isSuccessor(stray, object));
    const gone = known.filter(isReplaced);
    const there = known.filter(({ key }) => stored.has(key));
    try {
      return { ...(await this.#take(files, there, gone, signal)), left };
    } catch (error) {
      if (signal.aborted || !isSelsynError(error, 'archive.object-bad')) throw error;
      logLines.error(
        { objects: strays.map(({ key }) => key), err: error },
        'Objects are not taken over while another one of their day is bad',
      );
      return { adopted: 0, outdated: 0, left: strays.length };
    }
  }

  async #take(
    files: Paths,
    there: readonly CurrentObject[],
    gone: readonly CurrentObject[],
    signal: AbortSignal,
  ): Promise<Omit<Adopted, 'left'>> {
    const { manifest, local } = this.#parts;
    const all = [...there, ...files.keys()].sort((a, b) => a.id - b.id);
    const outdated = await this.#outdated(all, files, signal);
    const counting = all.filter(({ id }) => !outdated.has(id));
    const adopted = [...files.keys()].filter(({ id }) => !outdated.has(id));
    const insert = (state: 'current' | 'replaced'): void => {
      for (const object of files.keys()) manifest.adopt(object, outdated.has(object.id) ? 'replaced' : state);
      for (const { day, hour } of [...files.keys(), ...gone]) manifest.archivedUnknown(day, hour);
    };
    const replaced = [...gone, ...there.filter(({ id }) => outdated.has(id))].map(({ id }) => id);
    const done = { adopted: adopted.length, outdated: outdated.size };
    if ((mustBeOne(counting) || mayShare(counting)) && (await this.#joinShared(counting, files, insert, replaced, signal)))
      return done;
    const [{ day }] = all as [CurrentObject];
    manifest.commit({ planned: [], replaced, day, hours: [], nowMs: 0, also: () => insert('current') });
    for (const object of adopted) await local.adopt(object, files.get(object)!);
    return done;
  }

  /** Ids of objects of an hour of which another one has all the points, or all that are to be there. */
  async #outdated(all: readonly CurrentObject[], files: Paths, signal: AbortSignal): Promise<ReadonlySet<number>> {
    const outdated = new Set<number>();
    for (const ofHour of Map.groupBy(all, ({ hour }) => hour).values()) {
      let [last] = ofHour;
      for (const next of ofHour.slice(1)) {
        if (last?.hour === undefined) break;
        const together = await this.#rowsTogether([last, next], files, signal);
        if (together === next.rows || together === last.rows) outdated.add(last.id);
        last = next;
      }
    }
    return outdated;
  }

  async #rowsTogether(objects: readonly CurrentObject[], files: Paths, signal: AbortSignal): Promise<number> {
    const { aside, parquet } = this.#parts;
    using held = new DisposableStack();
    const paths: string[] = [];
    for (const object of objects) paths.push(await this.#pathOf(object, files, held, signal));
    const trial = await parquet.merge({ files: paths, path: join(aside, 'trial.parquet'), isPaced: true }, signal);
    await rm(trial.path, { force: true });
    return trial.rows;
  }

  /** Joins objects anew, without devices that were erased from them. @returns false where that is not needed */
  async #joinShared(
    objects: readonly CurrentObject[],
    own: Paths,
    insert: (state: 'replaced') => void,
    replaced: readonly number[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { aside, parquet, manifest, joiner } = this.#parts;
    using held = new DisposableStack();
    const files: string[] = [];
    let sum = 0;
    for (const object of objects) {
      const path = await this.#pathOf(object, own, held, signal);
      const notDevices = manifest.erasedFrom(object);
      const cleaned = { files: [path], path: join(aside, `cleaned-${object.id}.parquet`), where: { notDevices }, isPaced: true };
      const facts = notDevices.length === 0 ? { path, rows: object.rows } : await parquet.merge(cleaned, signal);
      sum += facts.rows;
      if (facts.rows > 0) files.push(facts.path);
    }
    const [{ day, deviceType }] = objects as [CurrentObject];
    const known = objects.filter((object) => !own.has(object)).map(({ id }) => id);
    const replaces = [...known, ...replaced];
    if (files.length === 0) {
      manifest.commit({ planned: [], replaced: replaces, day, hours: [], nowMs: 0, also: () => insert('replaced') });
      return true;
    }
    const trial = await parquet.merge({ files, path: join(aside, 'trial.parquet'), isPaced: true }, signal);
    await rm(trial.path, { force: true });
    const { rows, bytes } = trial;
    if (rows === sum && !mustBeOne(objects)) return false;
    await joiner.joinFiles({ day, deviceType, files, rows, bytes, replaces, also: () => insert('replaced') }, signal);
    return true;
  }

  /** @throws SelsynError `archive.object-bad` where it is one that is known, and not what was archived */
  async #pathOf(object: CurrentObject, own: Paths, held: DisposableStack, signal: AbortSignal): Promise<string> {
    return own.get(object) ?? held.use(await this.#parts.faults.hold(object, signal)).path;
  }

  /** What it holds, all of it read. Undefined where it cannot be, or is not of the day that its key says. */
  async #read(stray: StrayObject, path: string, signal: AbortSignal): Promise<CurrentObject | undefined> {
    const { blobs, parquet, logLines } = this.#parts;
    const { key, id, day, hour, deviceType, sizeBytes, modifiedMs } = stray;
    try {
      await pipeline(await blobs.read(key, { signal }), createWriteStream(path), { signal });
      const { rows, ...span } = checkedFacts(await parquet.verify(path), stray);
      const sha256 = await sha256OfFile(path, signal);
      return { id, key, day, hour, deviceType, sizeBytes, rows, sha256, ...span, storedMs: Math.floor(modifiedMs) };
    } catch (error) {
      if (signal.aborted || !isOfObject(error)) throw error;
      logLines.error({ key, err: error }, 'An object of the archive cannot be taken over, and is left where it is');
      await rm(path, { force: true });
      return undefined;
    }
  }
}

/** The object itself is to blame. */
function isOfObject(error: unknown): boolean {
  return isSelsynError(error, 'data.corrupt', 'columnar.failed', 'columnar.over-limit', 'blobs.not-found');
}
