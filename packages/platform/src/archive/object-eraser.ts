import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { ErasureRows, OpenErasure } from './erasure-rows.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import type { ObjectFaults } from './object-faults.ts';
import type { Publisher } from './publisher.ts';

/** Objects looked up at once. */
const PAGE = 100;

export interface ObjectEraserParts {
  /** Files are written in it; emptied before. */
  readonly aside: string;
  readonly manifest: Manifest;
  readonly rows: ErasureRows;
  readonly parquet: ParquetFiles;
  readonly faults: ObjectFaults;
  readonly publisher: Publisher;
}

/** Writes objects of the archive anew, without the devices that are erased. */
export class ObjectEraser {
  readonly #parts: ObjectEraserParts;

  constructor(parts: ObjectEraserParts) {
    this.#parts = parts;
  }

  /**
   * Erases what erasures still find in the archive, object by object, each once for all of them; it goes on where it was
   * interrupted, for an object that was rewritten has another id. One that cannot be used keeps none of the others from it: it is
   * left, and tried again when it is time. Nobody else may use it meanwhile, for what is made of it would count as free of the device.
   */
  async erase(erasures: readonly OpenErasure[], signal: AbortSignal): Promise<void> {
    const { manifest, rows, faults } = this.#parts;
    const done = new Set<number>();
    for (const object of faults.due()) {
      if (!erasures.some((erasure) => concerns(erasure, object))) continue;
      done.add(object.id);
      await this.#tryObject(
        object,
        erasures.filter((erasure) => concerns(erasure, object)),
        signal,
      );
    }
    for (const { id, device, upto, checked } of erasures) {
      if (upto === undefined) throw new Error('an erasure must know its objects');
      for (let after = checked; after < upto;) {
        const objects = manifest.objectsWith(device, upto, after, PAGE);
        const bad = faults.ids;
        for (const object of objects) {
          if (done.has(object.id) || bad.has(object.id)) continue;
          done.add(object.id);
          // Others that wait for the store have been through it.
          const concerned = erasures.filter((erasure) => object.id > erasure.checked && concerns(erasure, object));
          await this.#tryObject(object, concerned, signal);
        }
        after = objects.length < PAGE ? upto : objects.at(-1)!.id;
        rows.setChecked(id, after);
      }
    }
  }

  /** Objects that keep an erasure from its end: they cannot be used. */
  inTheWay(erasure: OpenErasure): readonly CurrentObject[] {
    return this.#parts.faults.all().filter((object) => concerns(erasure, object));
  }

  async #tryObject(object: CurrentObject, concerned: readonly OpenErasure[], signal: AbortSignal): Promise<void> {
    const { faults } = this.#parts;
    try {
      await this.#eraseFrom(object, concerned, signal);
      faults.clear(object);
    } catch (error) {
      if (signal.aborted) throw error;
      // It took too much, for example.
      if (isSelsynError(error, 'columnar.failed', 'columnar.gone', 'columnar.over-limit')) faults.note(object, error);
      else if (!isSelsynError(error, 'archive.object-bad')) throw error;
    }
  }

  async #eraseFrom(object: CurrentObject, concerned: readonly OpenErasure[], signal: AbortSignal): Promise<void> {
    const { aside, manifest, rows, parquet, faults, publisher } = this.#parts;
    const { id, day, deviceType, hour } = object;
    using copy = await faults.hold(object, signal);
    const found = new Map<string, number>();
    for await (const batch of parquet.devices([copy.path], { devices: concerned.map(({ device }) => device) })) {
      for (const { device, points } of batch) found.set(device, points);
    }
    const note = (): void => {
      for (const { id: erasure, device } of concerned) rows.checked(erasure, found.has(device), found.get(device) ?? 0);
    };
    if (found.size === 0) {
      note();
      return;
    }
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    const erased = found.values().reduce((sum, count) => sum + count, 0);
    const objects = [];
    if (erased < object.rows) {
      const path = join(aside, `erased-${id}.parquet`);
      const facts = await parquet.merge(
        { files: [copy.path], path, where: { notDevices: [...found.keys()] }, isPaced: true },
        signal,
      );
      if (facts.rows !== object.rows - erased) throw new Error(`the object ${object.key} would lose points of other devices`);
      objects.push({ facts, deviceType, hour });
    }
    await publisher.publish({ day, objects, replaces: [id], hours: [], also: note }, signal);
    manifest.forgetHours(day);
  }
}

/** Whether an object may hold points from before the erasure. */
export function concerns(
  { device, upto }: OpenErasure,
  { id, firstDevice, lastDevice }: Pick<CurrentObject, 'id' | 'firstDevice' | 'lastDevice'>,
): boolean {
  return (upto === undefined || id <= upto) && firstDevice <= device && device <= lastDevice;
}
