import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import type { JoinPlan } from './archive-plan.ts';
import { cutsByDevice } from './object-devices.ts';
import type { ObjectFaults } from './object-faults.ts';
import type { NewObject, Publisher } from './publisher.ts';

export interface DayJoinerParts {
  /** Files are written in it; emptied before. */
  readonly aside: string;
  readonly parquet: ParquetFiles;
  readonly faults: ObjectFaults;
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
    const { aside, faults } = this.#parts;
    const { deviceType, objects } = plan;
    using held = new DisposableStack();
    const files: string[] = [];
    for (const object of objects) files.push(held.use(await faults.hold(object, signal)).path);
    const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const rows = objects.reduce((sum, { rows: own }) => sum + own, 0);
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    await this.joinFiles({ day, deviceType, files, rows, bytes, disjoint: true, replaces: objects.map(({ id }) => id) }, signal);
  }

  /** Files of one day and device type; of a point that is in several of them the last file has it. */
  async joinFiles(
    wanted: {
      readonly day: number;
      readonly deviceType: string | undefined;
      readonly files: readonly string[];
      /** What they have together, each point once. */
      readonly rows: number;
      readonly bytes: number;
      readonly disjoint?: boolean;
      readonly replaces: readonly number[];
      readonly also?: () => void;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { aside, parquet, publisher, objectBytes } = this.#parts;
    const { day, deviceType, files, rows, bytes, disjoint = false, replaces, also } = wanted;
    const parts = Math.ceil(bytes / objectBytes);
    const cuts = parts > 1 ? await cutsByDevice(parquet.devices(files), rows, parts) : [];
    const joined: NewObject[] = [];
    for (let index = 0; index <= cuts.length; index++) {
      const [from, to] = [cuts[index - 1], cuts[index]];
      const where = { ...(from === undefined ? {} : { fromDevice: from }), ...(to === undefined ? {} : { toDevice: to }) };
      const facts = await parquet.merge(
        { files, path: join(aside, `day-${index}.parquet`), where, disjoint, isPaced: true },
        signal,
      );
      joined.push({ facts, deviceType, hour: undefined });
    }
    const after = joined.reduce((sum, { facts }) => sum + facts.rows, 0);
    if (rows !== after) throw new Error(`the objects of a day had ${rows} points, and ${after} when they were joined`);
    await publisher.publish({ day, objects: joined, replaces, hours: [], ...(also === undefined ? {} : { also }) }, signal);
  }
}
