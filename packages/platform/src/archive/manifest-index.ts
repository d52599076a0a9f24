import { existsSync } from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { ArchivedObject, ArchivedRange, ArchiveIndex, LocalObject } from './archive-index.ts';
import type { LocalObjects } from './local-objects.ts';
import { archiveFolders, openManifestForRead } from './manifest-schema.ts';
import { hourOf, objectOf } from './object-rows.ts';

const HOUR_MS = 3_600_000;
const HIDDEN = "SELECT device, upto FROM erasure WHERE state <> 'done'";

/** The manifest, as readers in any thread see it. */
export class ManifestIndex implements ArchiveIndex, Disposable {
  readonly #root: string;
  readonly #objects: LocalObjects | undefined;
  readonly #statements = new Map<string, StatementSync>();
  #db: DatabaseSync | undefined;

  /** @param options.objects undefined: nothing is archived, or nothing of it can be read */
  constructor(options: { readonly root: string; readonly objects: LocalObjects | undefined }) {
    this.#root = options.root;
    this.#objects = options.objects;
  }

  get inUse(): boolean {
    return this.#objects !== undefined && this.#get("SELECT 1 FROM object WHERE state = 'current' LIMIT 1").length > 0;
  }

  range(query: Parameters<ArchiveIndex['range']>[0]): ArchivedRange {
    const { fromMs, toMs, deviceTypes, devices } = query;
    if (this.#objects === undefined || !(fromMs < toMs)) return { hours: [], objects: [] };
    const [firstHour, endHour] = [Math.floor(fromMs / HOUR_MS), Math.ceil(toMs / HOUR_MS)];
    const [firstDay, lastDay] = [Math.floor(fromMs / DAY_MS), Math.ceil(toMs / DAY_MS) - 1];
    return this.#consistently(() => {
      const hours = this.#get(
        'SELECT * FROM hour WHERE day BETWEEN ? AND ? AND day * 24 + hour >= ? AND day * 24 + hour < ? ORDER BY day, hour',
        firstDay,
        lastDay,
        firstHour,
        endHour,
      ).map(hourOf);
      const found = this.#get(
        `SELECT * FROM object WHERE state = 'current' AND day BETWEEN ? AND ? AND first_ms < ? AND last_ms >= ?
         ORDER BY day, hour, first_device, id`,
        firstDay,
        lastDay,
        toMs,
        fromMs,
      ).map(objectOf);
      const types = deviceTypes === undefined ? undefined : new Set(deviceTypes);
      const objects = this.#withHidden(found.filter((object) => types?.has(object.deviceType) ?? true));
      return { hours, objects: devices === undefined ? objects : objectsOf(objects, devices) };
    });
  }

  async local(object: ArchivedObject, signal?: AbortSignal): Promise<LocalObject> {
    if (this.#objects === undefined) throw new Error('there is no archive to read from');
    return await this.#objects.hold(object, signal);
  }

  /** A page of all current objects, by id. */
  page(query: { readonly after: number; readonly limit: number }): ArchivedObject[] {
    return this.#consistently(() =>
      this.#withHidden(
        this.#get("SELECT * FROM object WHERE state = 'current' AND id > ? ORDER BY id LIMIT ?", query.after, query.limit).map(
          objectOf,
        ),
      ),
    );
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#db?.close();
    this.#db = undefined;
  }

  #withHidden(objects: readonly Omit<ArchivedObject, 'hidden'>[]): ArchivedObject[] {
    const erased = this.#get(HIDDEN).map((row) => ({
      device: String(row['device']),
      upto: row['upto'] === null ? Infinity : Number(row['upto']),
    }));
    return objects.map((object) => ({
      ...object,
      hidden: erased
        .filter(({ device, upto }) => object.id <= upto && object.firstDevice <= device && object.lastDevice >= device)
        .map(({ device }) => device),
    }));
  }

  /** All reads of `work` see one state. */
  #consistently<T>(work: () => T): T {
    const db = this.#open();
    if (db === undefined) return work();
    db.exec('BEGIN');
    try {
      return work();
    } finally {
      db.exec('COMMIT');
    }
  }

  #get(sql: string, ...values: readonly SQLInputValue[]): Readonly<Record<string, unknown>>[] {
    const db = this.#open();
    if (db === undefined) return [];
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = db.prepare(sql)));
    return statement.all(...values);
  }

  #open(): DatabaseSync | undefined {
    if (this.#db === undefined && existsSync(archiveFolders(this.#root).manifest)) this.#db = openManifestForRead(this.#root);
    return this.#db;
  }
}

/** Those that may hold a point of one of the devices, of which there may be thousands. */
function objectsOf(objects: readonly ArchivedObject[], devices: readonly string[]): ArchivedObject[] {
  const sorted = devices.toSorted();
  return objects.filter(({ firstDevice, lastDevice }) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < firstDevice) low = middle + 1;
      else high = middle;
    }
    return low < sorted.length && sorted[low]! <= lastDevice;
  });
}
