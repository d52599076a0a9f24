import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import { objectOf } from './object-rows.ts';
import { openManifestForWrite } from './manifest-schema.ts';
import { objectKey } from './object-key.ts';
import type { ArchivedObject } from './archive-index.ts';

export type CurrentObject = Omit<ArchivedObject, 'hidden'>;

/** An object that has its name, and is to be stored. */
export type PlannedObject = Omit<CurrentObject, 'storedMs'>;

/** An object that is to be. */
export type ObjectDraft = Omit<PlannedObject, 'id' | 'key'>;

/** What was archived of an hour, and of which state of its day file. */
export interface HourRow {
  readonly hour: number;
  readonly generation: number;
  readonly version: number;
  readonly archivedMs: number;
  readonly times: number;
}

export interface HourVersion {
  readonly hour: number;
  readonly generation: number;
  readonly version: number;
}

const INSERT_OBJECT = `INSERT INTO object
  (key, state, device_type, day, hour, bytes, rows, sha256, first_ms, last_ms, first_device, last_device, stored_ms)
  VALUES ('', 'planned', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`;
const UPSERT_HOUR = `INSERT INTO hour VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (day, hour) DO UPDATE SET
  generation = excluded.generation, version = excluded.version, archived_ms = excluded.archived_ms, times = times + 1`;

/** The manifest, as its one writer sees it: what the archive holds, and what is on the way in or out. */
export class Manifest implements Disposable {
  readonly db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Throws what SQLite throws. */
  constructor(root: string) {
    this.db = openManifestForWrite(root);
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.db.close();
  }

  get place(): string | undefined {
    const row = this.#prepare("SELECT value FROM meta WHERE name = 'place'").get();
    return row === undefined ? undefined : String(row['value']);
  }

  setPlace(place: string): void {
    this.run("INSERT INTO meta VALUES ('place', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", place);
  }

  /** Objects that the manifest does not know are to be taken over, or are being. */
  get isRebuilding(): boolean {
    return this.#prepare("SELECT 1 FROM meta WHERE name = 'rebuilding'").get() !== undefined;
  }

  beginRebuild(): void {
    this.run("INSERT OR IGNORE INTO meta VALUES ('rebuilding', '1')");
  }

  endRebuild(place: string): void {
    inTransaction(this.db, () => {
      this.setPlace(place);
      this.run("DELETE FROM meta WHERE name = 'rebuilding'");
    });
  }

  /** Ids up to this one were given by a manifest of before: they are not given again. */
  raiseIds(last: number): void {
    inTransaction(this.db, () => {
      this.run(
        "INSERT INTO sqlite_sequence SELECT 'object', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'object')",
      );
      this.run("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'object'", last);
    });
  }

  /** What was to be stored may have been finished, as far as this manifest knows: it is as if it knew nothing of it. */
  forgetPlanned(): void {
    this.run("DELETE FROM object WHERE state = 'planned'");
  }

  /**
   * Puts in an object that a manifest of before gave its id. It may have points of devices that were erased before it was known: those
   * erasures are not done, and readers leave them out, until it was looked into.
   */
  adopt(object: CurrentObject, state: 'current' | 'replaced'): void {
    this.run(
      `INSERT INTO object (id, key, state, device_type, day, hour, bytes, rows, sha256, first_ms, last_ms, first_device, last_device, stored_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      object.id,
      object.key,
      state,
      object.deviceType ?? null,
      object.day,
      object.hour ?? null,
      object.sizeBytes,
      object.rows,
      object.sha256,
      object.firstMs,
      object.lastMs,
      object.firstDevice,
      object.lastDevice,
      object.storedMs,
    );
    if (state !== 'current') return;
    this.run(
      `UPDATE erasure SET checked = min(checked, ?1 - 1), done_ms = NULL, state = CASE state WHEN 'done' THEN 'hidden' ELSE state END
       WHERE upto >= ?1 AND device BETWEEN ?2 AND ?3`,
      object.id,
      object.firstDevice,
      object.lastDevice,
    );
  }

  /** Devices that were erased, or are being, from all objects up to one of which this is one. */
  erasedFrom({ id, firstDevice, lastDevice }: Pick<CurrentObject, 'id' | 'firstDevice' | 'lastDevice'>): readonly string[] {
    const rows = this.all(
      'SELECT DISTINCT device FROM erasure WHERE upto >= ? AND device BETWEEN ? AND ?',
      id,
      firstDevice,
      lastDevice,
    );
    return rows.map((row) => String(row['device']));
  }

  /** Hours were archived, of no known version: what day files have of them is archived again. @param hour undefined: all of the day */
  archivedUnknown(day: number, hour: number | undefined): void {
    const hours = hour === undefined ? Array.from({ length: 24 }, (_, each) => each) : [hour];
    for (const each of hours) {
      this.run('INSERT OR IGNORE INTO hour VALUES (?, ?, -1, -1, 0, 1)', day, each);
      this.forgetVersions(day, each);
    }
  }

  /** Of all objects, whether they count or not. */
  keys(): ReadonlySet<string> {
    return new Set(this.all('SELECT key FROM object').map((row) => String(row['key'])));
  }

  /** Gives objects their ids and keys. Durable: what is stored under them is found again whatever happens. */
  plan(drafts: readonly ObjectDraft[]): PlannedObject[] {
    return inTransaction(this.db, () =>
      drafts.map((draft) => {
        const { deviceType, day, hour } = draft;
        const inserted = this.run(
          INSERT_OBJECT,
          deviceType ?? null,
          day,
          hour ?? null,
          draft.sizeBytes,
          draft.rows,
          draft.sha256,
          draft.firstMs,
          draft.lastMs,
          draft.firstDevice,
          draft.lastDevice,
        );
        const id = Number(inserted.lastInsertRowid);
        const key = objectKey({ id, deviceType, day, hour });
        this.run('UPDATE object SET key = ? WHERE id = ?', key, id);
        return { ...draft, id, key };
      }),
    );
  }

  /**
   * The one moment at which the archive changes: what is planned counts, what it replaces does not any more, and hours are
   * archived of these versions.
   */
  commit(change: {
    readonly planned: readonly PlannedObject[];
    readonly replaced: readonly number[];
    readonly day: number;
    readonly hours: readonly HourVersion[];
    readonly nowMs: number;
    /** In the same transaction. */
    readonly also?: () => void;
  }): void {
    inTransaction(this.db, () => {
      for (const { id } of change.planned) {
        this.run("UPDATE object SET state = 'current', stored_ms = ? WHERE id = ?", change.nowMs, id);
      }
      for (const id of change.replaced) {
        this.run("UPDATE object SET state = 'replaced' WHERE id = ?", id);
        this.run('DELETE FROM bad_object WHERE id = ?', id);
      }
      for (const { hour, generation, version } of change.hours) {
        this.run(UPSERT_HOUR, change.day, hour, generation, version, change.nowMs);
      }
      change.also?.();
    });
  }

  /** Objects that count for nothing, and may be there: to be deleted. */
  leftovers(): { readonly id: number; readonly key: string }[] {
    return this.all("SELECT id, key FROM object WHERE state <> 'current' ORDER BY id").map((row) => ({
      id: Number(row['id']),
      key: String(row['key']),
    }));
  }

  /** They are deleted. */
  gone(ids: readonly number[]): void {
    inTransaction(this.db, () => {
      for (const id of ids) this.run("DELETE FROM object WHERE id = ? AND state <> 'current'", id);
    });
  }

  hoursOf(day: number): ReadonlyMap<number, HourRow> {
    const rows = this.all('SELECT * FROM hour WHERE day = ?', day);
    return new Map(
      rows.map((row) => [
        Number(row['hour']),
        {
          hour: Number(row['hour']),
          generation: Number(row['generation']),
          version: Number(row['version']),
          archivedMs: Number(row['archived_ms']),
          times: Number(row['times']),
        },
      ]),
    );
  }

  /** Of a day, by type, hour and first device. */
  objectsOf(day: number): CurrentObject[] {
    const order = 'ORDER BY device_type, hour, first_device, id';
    return this.all(`SELECT * FROM object WHERE state = 'current' AND day = ? ${order}`, day).map(objectOf);
  }

  /** Those that may hold points of a device, up to an id, by id. */
  objectsWith(device: string, upto: number, after: number, limit: number): CurrentObject[] {
    return this.all(
      `SELECT * FROM object WHERE state = 'current' AND id > ? AND id <= ? AND first_device <= ? AND last_device >= ?
       ORDER BY id LIMIT ?`,
      after,
      upto,
      device,
      device,
      limit,
    ).map(objectOf);
  }

  /** Days with an object of an hour, ascending. */
  daysWithHours(): number[] {
    const rows = this.all("SELECT DISTINCT day FROM object WHERE state = 'current' AND hour IS NOT NULL ORDER BY day");
    return rows.map((row) => Number(row['day']));
  }

  /** The greatest id that was ever given. */
  lastId(): number {
    return Number(this.all("SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'object'")[0]?.['last'] ?? 0);
  }

  totals(): { readonly objects: number; readonly bytes: number; readonly rows: number } {
    const row = this.all(
      "SELECT count(*) AS objects, coalesce(sum(bytes), 0) AS bytes, coalesce(sum(rows), 0) AS rows FROM object WHERE state = 'current'",
    )[0];
    return { objects: Number(row?.['objects']), bytes: Number(row?.['bytes']), rows: Number(row?.['rows']) };
  }

  /** Hours of a day that nothing is archived of any more are forgotten. */
  forgetHours(day: number): void {
    this.run(
      "DELETE FROM hour WHERE day = ? AND NOT EXISTS (SELECT 1 FROM object WHERE day = ? AND state = 'current')",
      day,
      day,
    );
  }

  /** What is archived of hours is of no known version: what day files have of them is archived again. @param hour undefined: all of the day */
  forgetVersions(day: number, hour: number | undefined): void {
    this.run('UPDATE hour SET generation = -1, version = -1 WHERE day = ?1 AND (?2 IS NULL OR hour = ?2)', day, hour ?? null);
  }

  run(
    sql: string,
    ...values: readonly SQLInputValue[]
  ): { readonly lastInsertRowid: number | bigint; readonly changes: number | bigint } {
    return this.#prepare(sql).run(...values);
  }

  all(sql: string, ...values: readonly SQLInputValue[]): readonly Readonly<Record<string, unknown>>[] {
    return this.#prepare(sql).all(...values);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.db.prepare(sql)));
    return statement;
  }
}
