import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import type { ErasureRows, OpenErasure } from './erasure-rows.ts';
import type { LocalObjects } from './local-objects.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import type { Publisher } from './publisher.ts';

/** Objects looked up at once. */
const PAGE = 100;

/** Writes objects of the archive anew, without the devices that are erased. */
export class ObjectEraser {
  readonly #parts: {
    /** Files are written in it; emptied before. */
    readonly aside: string;
    readonly manifest: Manifest;
    readonly rows: ErasureRows;
    readonly parquet: ParquetFiles;
    readonly local: LocalObjects;
    readonly publisher: Publisher;
  };

  constructor(parts: {
    readonly aside: string;
    readonly manifest: Manifest;
    readonly rows: ErasureRows;
    readonly parquet: ParquetFiles;
    readonly local: LocalObjects;
    readonly publisher: Publisher;
  }) {
    this.#parts = parts;
  }

  /**
   * Erases what erasures still find in the archive, object by object, each once for all of them; it goes on where it was
   * interrupted, for an object that was rewritten has another id.
   */
  async erase(erasures: readonly OpenErasure[], signal: AbortSignal): Promise<void> {
    const { manifest } = this.#parts;
    for (const { device, upto } of erasures) {
      if (upto === undefined) throw new Error('an erasure must know its objects');
      for (let after = 0; ;) {
        const objects = manifest.objectsWith(device, upto, after, PAGE);
        for (const object of objects) await this.#eraseFrom(object, erasures, signal);
        if (objects.length < PAGE) break;
        after = objects.at(-1)!.id;
      }
    }
  }

  async #eraseFrom(object: CurrentObject, erasures: readonly OpenErasure[], signal: AbortSignal): Promise<void> {
    const { aside, manifest, rows, parquet, local, publisher } = this.#parts;
    const { id, day, deviceType, hour, firstDevice, lastDevice } = object;
    const concerned = erasures.filter(({ device, upto }) => id <= (upto ?? 0) && firstDevice <= device && device <= lastDevice);
    using copy = await local.hold(object, signal);
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
      const facts = await parquet.merge({ files: [copy.path], path, where: { notDevices: [...found.keys()] } }, signal);
      if (facts.rows !== object.rows - erased) throw new Error(`the object ${object.key} would lose points of other devices`);
      objects.push({ facts, deviceType, hour });
    }
    await publisher.publish({ day, objects, replaces: [id], hours: [], also: note }, signal);
    manifest.forgetHours(day);
  }
}
