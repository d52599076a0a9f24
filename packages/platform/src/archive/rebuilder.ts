import type { BlobStore } from '../blobs/blob-store.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import { objectOf } from './object-rows.ts';
import type { ObjectFaults } from './object-faults.ts';
import { requirePlace } from './place-check.ts';
import type { Publisher } from './publisher.ts';
import { StrayAdopter, type StrayAdopterParts } from './stray-adopter.ts';
import { listStored, straysAmong, type StoredKeys, type StrayObject } from './stray-objects.ts';

export interface RebuilderParts extends StrayAdopterParts {
  readonly manifest: Manifest;
  readonly blobs: BlobStore;
  readonly faults: ObjectFaults;
  readonly publisher: Publisher;
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

/**
 * Takes over objects that are in the store and that the manifest does not know: it was lost, or is an old copy. Each day and device
 * type is one transaction, and what is taken over is known from then on, so that it may be interrupted anywhere, and be done again.
 *
 *   list -> raise the ids (no key is ever used twice) -> of each day and type: read whole, compare, take over
 *
 * What the manifest takes for unfinished may be finished, where it is an old copy: it is read like the others.
 */
export class Rebuilder {
  readonly #parts: RebuilderParts;
  readonly #adopter: StrayAdopter;
  report: RebuildReport | undefined;

  constructor(parts: RebuilderParts) {
    this.#parts = parts;
    this.#adopter = new StrayAdopter(parts);
  }

  /** Resolves once it is done. @throws SelsynError `archive.misplaced`; `blobs.*`: it goes on with the next call */
  async run(signal: AbortSignal): Promise<void> {
    const { manifest, blobs, publisher, logLines } = this.#parts;
    const stored = await listStored(blobs, signal);
    requirePlace(manifest, blobs.place, stored);
    manifest.forgetPlanned();
    const strays = straysAmong(manifest, stored);
    await publisher.settle(signal);
    manifest.raiseIds(strays.reduce((most, { id }) => Math.max(most, id), 0));
    const lastId = manifest.lastId();
    this.report = { found: strays.length, adopted: 0, outdated: 0, left: 0 };
    logLines.info({ objects: strays.length }, 'Archived objects that the manifest does not know are being taken over');
    const byDay = Map.groupBy(strays, ({ deviceType, day }) => JSON.stringify([day, deviceType]));
    for (const group of byDay.values()) {
      signal.throwIfAborted();
      this.#count(await this.#adopter.adopt({ known: knownBeside(manifest, group), strays: group, stored }, signal));
    }
    this.#noteGone(stored, lastId);
    manifest.endRebuild(blobs.place);
    await publisher.settle(signal);
    logLines.info({ ...this.report }, 'Archived objects that the manifest did not know were taken over');
  }

  /** Objects that are not there, and that nothing has replaced: somebody is to know. */
  #noteGone(stored: StoredKeys, upto: number): void {
    const { manifest, faults } = this.#parts;
    const known = faults.ids;
    const objects = manifest.all("SELECT * FROM object WHERE state = 'current' AND id <= ? ORDER BY id", upto).map(objectOf);
    for (const object of objects) {
      const { id, key } = object;
      if (known.has(id) || stored.has(key)) continue;
      faults.note(object, new SelsynError('archive.object-gone', `the object ${key} is not there`, { details: { key } }));
    }
  }

  #count(more: Omit<RebuildReport, 'found'>): void {
    const { found = 0, adopted = 0, outdated = 0, left = 0 } = this.report ?? {};
    this.report = {
      found,
      adopted: adopted + more.adopted,
      outdated: outdated + more.outdated,
      left: left + more.left,
    };
  }
}

function knownBeside(manifest: Manifest, [first]: readonly StrayObject[]): readonly CurrentObject[] {
  if (first === undefined) return [];
  return manifest.objectsOf(first.day).filter(({ deviceType }) => deviceType === first.deviceType);
}
