import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import type { JoinPlan } from './archive-plan.ts';
import type { LocalObjects } from './local-objects.ts';
import { cutsByDevice } from './object-devices.ts';
import type { NewObject, Publisher } from './publisher.ts';

export interface DayJoinerParts {
  /** Files are written in it; emptied before. */
  readonly aside: string;
  readonly parquet: ParquetFiles;
  readonly local: LocalObjects;
  readonly publisher: Publisher;
  /** About so many bytes an object. */
  readonly objectBytes: number;
}

/**
 * Joins the objects of a day and device type to as few as their size allows, sorted by device over the whole day: one device is
 * then in one place a day, for queries as for its erasure.
 */
export class DayJoiner {
  readonly #parts: DayJoinerParts;

  constructor(parts: DayJoinerParts) {
    this.#parts = parts;
  }

  /** @throws SelsynError `blobs.*`, `columnar.*`, `archive.*`: the day stays as it was */
  async join(day: number, plan: JoinPlan, signal: AbortSignal): Promise<void> {
    const { aside, parquet, local, publisher, objectBytes } = this.#parts;
    const { deviceType, objects } = plan;
    using held = new DisposableStack();
    const files: string[] = [];
    for (const object of objects) files.push(held.use(await local.hold(object, signal)).path);
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const parts = Math.ceil(bytes / objectBytes);
    const before = objects.reduce((sum, { rows }) => sum + rows, 0);
    const cuts = parts > 1 ? await cutsByDevice(parquet.devices(files), before, parts) : [];
    const joined: NewObject[] = [];
    for (let index = 0; index <= cuts.length; index++) {
      const [from, to] = [cuts[index - 1], cuts[index]];
      const where = { ...(from === undefined ? {} : { fromDevice: from }), ...(to === undefined ? {} : { toDevice: to }) };
      const facts = await parquet.merge({ files, path: join(aside, `day-${index}.parquet`), where, disjoint: true }, signal);
      joined.push({ facts, deviceType, hour: undefined });
    }
    const after = joined.reduce((sum, { facts }) => sum + facts.rows, 0);
    if (before !== after) throw new Error(`the objects of a day had ${before} points, and ${after} when they were joined`);
    await publisher.publish({ day, objects: joined, replaces: objects.map(({ id }) => id), hours: [] }, signal);
  }
}
