import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LeftOutChunks, ParquetFacts, ParquetFiles, WrittenHours } from '../columnar/parquet-files.ts';
import { sha256OfFile } from '../blobs/file-digest.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { DAY_MS, dayFilePath, HOUR_MS } from '../telemetry/day-file-schema.ts';
import { readDayState, type DayState } from './day-state.ts';
import { ArchivedTypes, type DeviceTypes } from './device-types.ts';
import type { CurrentObject, Manifest } from './manifest.ts';
import type { ObjectFaults } from './object-faults.ts';
import type { NewObject, Publisher } from './publisher.ts';

export interface HourArchiverParts {
  readonly telemetryDir: string;
  /** Files are written in it; emptied before and after. */
  readonly aside: string;
  readonly manifest: Manifest;
  readonly parquet: ParquetFiles;
  readonly faults: ObjectFaults;
  readonly publisher: Publisher;
  readonly types: DeviceTypes;
  readonly logLines: LogLines;
}

/**
 * Brings hours of day files into the archive. A chunk that cannot be decoded is left out, and told of: else one chunk would keep its day
 * from being archived, and so from being let go, for ever. Whatever else keeps points from being read is a fault: the hour is tried again.
 */
export class HourArchiver {
  readonly #parts: HourArchiverParts;
  /** Chunks that were left out of hours: each counts in each hour that it reaches into, and again when the hour is archived again. */
  leftOutChunks = 0;

  constructor(parts: HourArchiverParts) {
    this.#parts = parts;
  }

  /**
   * Hours of which the archive has nothing. What is stored meanwhile makes another version of the hour: it is archived again.
   *
   * @returns false where the day file has gone, or is another now
   */
  async archiveFirst(state: DayState, hours: readonly number[], signal: AbortSignal): Promise<boolean> {
    const written = await this.#write(state, hours, this.#parts.types, signal);
    if (!this.#isStill(state)) return false;
    const objects = written.files.map((facts): NewObject => ({ facts, deviceType: facts.deviceType, hour: facts.hour }));
    const versions = hours.map((hour) => versionOf(state, hour));
    await this.#parts.publisher.publish({ day: state.day, objects, replaces: [], hours: versions }, signal);
    this.#tell(state.day, hours, written.leftOut);
    return true;
  }

  /**
   * An hour that has changed since it was archived: what the day file has is joined with what the archive has, and wins. The
   * archive may have more: retention may have taken points from the day file.
   *
   * @returns false where the day file has gone, or is another now
   * @throws SelsynError `archive.object-bad` where an object that may have points of the hour cannot be used
   */
  async archiveAgain(state: DayState, hour: number, signal: AbortSignal): Promise<boolean> {
    const { manifest, faults, parquet, publisher } = this.#parts;
    const range = { fromMs: state.day * DAY_MS + hour * HOUR_MS, toMs: state.day * DAY_MS + (hour + 1) * HOUR_MS };
    using held = new DisposableStack();
    const archived = new Map<CurrentObject, string>();
    const bad = faults.ids;
    for (const object of manifest.objectsOf(state.day)) {
      if (object.hour !== undefined && object.hour !== hour) continue;
      if (bad.has(object.id)) throw unusable(object);
      archived.set(object, held.use(await faults.hold(object, signal)).path);
    }
    const types = new ArchivedTypes(this.#parts.types);
    for (const [object, path] of archived) await types.add(parquet, object, path, range);
    const written = await this.#write(state, [hour], types, signal);
    if (!this.#isStill(state)) return false;
    const objects: NewObject[] = [];
    const replaces: number[] = [];
    for (const facts of written.files) {
      const of = [...archived.keys()].filter(({ deviceType }) => deviceType === facts.deviceType);
      const same = of.filter((object) => object.hour === hour);
      // What was joined may have this hour too, unless an object of the hour itself has all of it.
      const targets = same.length > 0 ? same : of;
      if (targets.length === 0) objects.push({ facts, deviceType: facts.deviceType, hour });
      for (const [index, target] of targets.entries()) {
        const files = [archived.get(target)!, facts.path];
        const merged = await this.#merge(files, `joined-${target.id}.parquet`, rangeOf(targets, index), signal);
        if (merged.rows < target.rows) throw new Error(`the object ${target.key} would lose points`);
        // Late points of one type of devices leave the others as they are.
        if (merged.bytes === target.sizeBytes && (await sha256OfFile(merged.path, signal)) === target.sha256) continue;
        objects.push({ facts: merged, deviceType: target.deviceType, hour: target.hour });
        replaces.push(target.id);
      }
    }
    await publisher.publish({ day: state.day, objects, replaces, hours: [versionOf(state, hour)] }, signal);
    this.#tell(state.day, [hour], written.leftOut);
    return true;
  }

  async #write(
    state: DayState,
    hours: readonly number[],
    types: Pick<DeviceTypes, 'all'>,
    signal: AbortSignal,
  ): Promise<WrittenHours> {
    const { telemetryDir, aside, parquet } = this.#parts;
    await rm(aside, { recursive: true, force: true });
    await mkdir(aside, { recursive: true });
    return await parquet.writeHours({ telemetryDir, day: state.day, hours, folder: aside, types: types.all() }, signal);
  }

  async #merge(
    files: readonly string[],
    name: string,
    where: { readonly fromDevice?: string; readonly toDevice?: string },
    signal: AbortSignal,
  ): Promise<ParquetFacts> {
    return await this.#parts.parquet.merge({ files, path: join(this.#parts.aside, name), where, isPaced: true }, signal);
  }

  #tell(day: number, hours: readonly number[], { count, series }: LeftOutChunks): void {
    if (count === 0) return;
    this.leftOutChunks += count;
    this.#parts.logLines.error(
      { day: new Date(day * DAY_MS).toISOString().slice(0, 10), hours, chunks: count, series },
      'Chunks that cannot be decoded are not in the archive, and do not keep the points of their day from being let go',
    );
  }

  #isStill({ day, generation }: DayState): boolean {
    return readDayState(dayFilePath(this.#parts.telemetryDir, day), day)?.generation === generation;
  }
}

function unusable({ id, key }: CurrentObject): SelsynError {
  return new SelsynError('archive.object-bad', `the archived object ${key} cannot be used`, { details: { id, key } });
}

function versionOf(state: DayState, hour: number): { hour: number; generation: number; version: number } {
  return { hour, generation: state.generation, version: state.hours.get(hour)! };
}

/** The devices that belong to one of the objects into which a day is cut: from its first one to the next one's first. */
function rangeOf(objects: readonly CurrentObject[], index: number): { readonly fromDevice?: string; readonly toDevice?: string } {
  const next = objects[index + 1]?.firstDevice;
  const own = objects[index]?.firstDevice;
  return {
    ...(index === 0 || own === undefined ? {} : { fromDevice: own }),
    ...(next === undefined ? {} : { toDevice: next }),
  };
}
