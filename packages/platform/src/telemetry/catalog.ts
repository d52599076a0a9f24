import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import { daysFolder, listDays } from './day-file-schema.ts';
import { syncFolder } from './sync-folder.ts';

/*
 * telemetry/catalog.db: synchronous=FULL, each commit is durable when it returns.
 *
 * counter           `series`: the next series id. Ids are never used again.
 *                   `assigned`: the newest time, ms, that a sample without one was given before the low-water mark.
 *                   `generation`: the newest one that was given to a day file. `epoch`: how often the catalog was opened.
 * log               the logs that offsets ever spoke of; the largest number is the current one.
 * low_water         records before `upto` are of no more interest: their points are in day files, durably.
 * series            last_day: the newest UTC day of which a chunk may exist. Written before that chunk is.
 * touched           days whose file may have marks beyond the low-water mark. Written before those marks are.
 * uncompacted       days whose file was written to since it was compacted. Written before the file is.
 * unrolled          days whose file may have marks with stale hours (day-file-schema.ts). Written before those marks are.
 * forgotten         records of `device` before `upto` are skipped: it was removed. Pruned by the low-water mark.
 * forgotten_series  whose chunks are still to be deleted.
 */
const DDL = `
CREATE TABLE counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES ('series', 1), ('assigned', 0);
CREATE TABLE log (number INTEGER PRIMARY KEY, identity TEXT NOT NULL);
CREATE TABLE low_water (log INTEGER NOT NULL, partition INTEGER NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY (log, partition)) WITHOUT ROWID;
CREATE TABLE series (id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, last_day INTEGER NOT NULL, UNIQUE (device, metric));
CREATE TABLE touched (day INTEGER PRIMARY KEY);
CREATE TABLE uncompacted (day INTEGER PRIMARY KEY);
CREATE TABLE forgotten (log INTEGER NOT NULL, device TEXT NOT NULL, partition INTEGER NOT NULL, upto INTEGER NOT NULL,
  PRIMARY KEY (log, device, partition)) WITHOUT ROWID;
CREATE TABLE forgotten_series (series INTEGER PRIMARY KEY);`;
/** Version 2. */
const ROLLUPS = `
INSERT INTO counter VALUES ('generation', 0), ('epoch', 0);
CREATE TABLE unrolled (day INTEGER PRIMARY KEY);
PRAGMA user_version = 2;`;

/** Commits to a file in one life of the process: more than there can be. */
const EPOCH_COMMITS = 2 ** 32;

export interface SeriesRow {
  readonly id: number;
  readonly device: string;
  readonly metric: string;
}

/** What must be durable before chunks are written. */
export interface CatalogChanges {
  readonly newSeries?: readonly SeriesRow[];
  readonly lastDays?: readonly { readonly series: number; readonly day: number }[];
  readonly touchedDay?: number;
  readonly unrolledDay?: number;
}

/** Offsets by partition. */
export type PartitionOffsets = ReadonlyMap<number, number>;

export class Catalog {
  readonly #dir: string;
  #db: DatabaseSync | undefined;
  readonly #statements = new Map<string, StatementSync>();
  /** Names the log that offsets speak of, in the day files too. 0 before `useLog`. */
  log = 0;
  /** Versions of files (`meta.version`) that this process gives lie above it; no other one ever gives the same. */
  versionEpoch = 0;

  constructor(telemetryDir: string) {
    this.#dir = telemetryDir;
  }

  open(): void {
    mkdirSync(daysFolder(this.#dir), { recursive: true });
    const db = new DatabaseSync(join(this.#dir, 'catalog.db'));
    this.#db = db;
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 100; PRAGMA journal_size_limit = 16777216;',
    );
    const version = this.#get('PRAGMA user_version')?.['user_version'];
    if (version === 0) db.exec(`BEGIN; ${DDL} ${ROLLUPS} COMMIT;`);
    else if (version === 1) this.#addRollups(db);
    this.versionEpoch = this.#count('epoch') * EPOCH_COMMITS;
    for (const folder of [daysFolder(this.#dir), this.#dir, dirname(this.#dir)]) syncFolder(folder);
  }

  close(): void {
    this.#statements.clear();
    this.#db?.close();
    this.#db = undefined;
  }

  /** The log by its identity; `fresh` says that it was not the one used before: nothing is known of its offsets. */
  useLog(identity: string): { readonly fresh: boolean; readonly firstEver: boolean } {
    const last = this.#get('SELECT number, identity FROM log ORDER BY number DESC LIMIT 1');
    if (last?.['identity'] === identity) {
      this.log = Number(last['number']);
      return { fresh: false, firstEver: false };
    }
    this.renewLog(identity, new Map());
    return { fresh: true, firstEver: last === undefined };
  }

  /**
   * Gives the log a new number, so that no mark in a day file counts any more; reading starts at `lowWater`.
   *
   * @param sameUpTo where it is the same log still, but lost what came after these offsets: removed devices stay removed
   */
  renewLog(identity: string, lowWater: PartitionOffsets, sameUpTo: PartitionOffsets = new Map()): void {
    this.#transaction(() => {
      this.log = Number(this.#run('INSERT INTO log (identity) VALUES (?)', identity).lastInsertRowid);
      for (const [partition, end] of sameUpTo) {
        this.#run(
          'UPDATE forgotten SET log = ?, upto = min(upto, ?) WHERE log = ? AND partition = ?',
          this.log,
          end,
          this.log - 1,
          partition,
        );
      }
      for (const table of ['low_water', 'forgotten']) this.#run(`DELETE FROM ${table} WHERE log <> ?`, this.log);
      this.#writeLowWater(lowWater);
    });
  }

  lowWater(): PartitionOffsets {
    return offsets(this.#all('SELECT partition, upto FROM low_water WHERE log = ?', this.log));
  }

  nextSeries(): number {
    return Number(this.#get("SELECT next FROM counter WHERE name = 'series'")!['next']);
  }

  assignedMs(): number {
    return Number(this.#get("SELECT next FROM counter WHERE name = 'assigned'")!['next']);
  }

  /** All series, device by device. */
  eachSeries(visit: (id: number, device: string, metric: string, lastDay: number) => void): void {
    const statement = this.#open().prepare('SELECT id, device, metric, last_day FROM series ORDER BY device, id');
    statement.setReturnArrays(true);
    for (const row of statement.iterate() as Iterable<unknown>) {
      const [id, device, metric, lastDay] = row as [number, string, string, number];
      visit(id, device, metric, lastDay);
    }
  }

  /** Undefined where there is none, or its device was removed. */
  series(id: number): SeriesRow | undefined {
    const row = this.#get('SELECT device, metric FROM series WHERE id = ?', id);
    return row === undefined ? undefined : { id, device: String(row['device']), metric: String(row['metric']) };
  }

  touchedDays(): number[] {
    return this.#all('SELECT day FROM touched').map((row) => Number(row['day']));
  }

  uncompactedDays(): number[] {
    return this.#all('SELECT day FROM uncompacted').map((row) => Number(row['day']));
  }

  dayCompacted(day: number): void {
    this.#run('DELETE FROM uncompacted WHERE day = ?', day);
  }

  unrolledDays(): number[] {
    return this.#all('SELECT day FROM unrolled').map((row) => Number(row['day']));
  }

  /** No mark of the day's file has stale hours, durably; or there is no such file. */
  dayRolledUp(day: number): void {
    this.#run('DELETE FROM unrolled WHERE day = ?', day);
  }

  /** A number for a day file that none has had: `meta.generation`. */
  nextGeneration(): number {
    return this.#count('generation');
  }

  save(changes: CatalogChanges): void {
    this.#transaction(() => {
      for (const { id, device, metric } of changes.newSeries ?? []) {
        this.#run('INSERT INTO series VALUES (?, ?, ?, -1)', id, device, metric);
      }
      const newest = changes.newSeries?.at(-1);
      if (newest !== undefined) this.#run("UPDATE counter SET next = ? WHERE name = 'series'", newest.id + 1);
      for (const { series, day } of changes.lastDays ?? []) this.#run('UPDATE series SET last_day = ? WHERE id = ?', day, series);
      if (changes.unrolledDay !== undefined) this.#run('INSERT OR IGNORE INTO unrolled VALUES (?)', changes.unrolledDay);
      if (changes.touchedDay === undefined) return;
      this.#run('INSERT OR IGNORE INTO touched VALUES (?)', changes.touchedDay);
      this.#run('INSERT OR IGNORE INTO uncompacted VALUES (?)', changes.touchedDay);
    });
  }

  /** Advances the low-water mark; `untouched` are days that have no mark beyond it. */
  saveLowWater(lowWater: PartitionOffsets, untouched: readonly number[], assignedMs: number): void {
    this.#transaction(() => {
      this.#writeLowWater(lowWater);
      this.#run("UPDATE counter SET next = ? WHERE name = 'assigned'", assignedMs);
      for (const day of untouched) this.#run('DELETE FROM touched WHERE day = ?', day);
      for (const [partition, upto] of lowWater) {
        this.#run('DELETE FROM forgotten WHERE log = ? AND partition = ? AND upto <= ?', this.log, partition, upto);
      }
    });
  }

  /** Removes a device and its series, and notes what is left to do. */
  forget(device: string, ends: PartitionOffsets, series: readonly number[]): void {
    this.#transaction(() => {
      for (const [partition, upto] of ends) {
        this.#run('INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?, ?)', this.log, device, partition, upto);
      }
      for (const id of series) this.#run('INSERT OR IGNORE INTO forgotten_series VALUES (?)', id);
      this.#run('DELETE FROM series WHERE device = ?', device);
    });
  }

  /** Device -> the offsets below which its records are skipped. */
  forgotten(): Map<string, PartitionOffsets> {
    const found = new Map<string, Map<number, number>>();
    for (const row of this.#all('SELECT device, partition, upto FROM forgotten WHERE log = ?', this.log)) {
      const device = String(row['device']);
      const ends = found.get(device) ?? new Map<number, number>();
      found.set(device, ends.set(Number(row['partition']), Number(row['upto'])));
    }
    return found;
  }

  forgottenSeries(): number[] {
    return this.#all('SELECT series FROM forgotten_series ORDER BY series').map((row) => Number(row['series']));
  }

  /** Their chunks are deleted, durably. */
  seriesErased(series: readonly number[]): void {
    this.#transaction(() => {
      for (const id of series) this.#run('DELETE FROM forgotten_series WHERE series = ?', id);
    });
  }

  /** Upgrades version 1: nothing that it speaks of is rolled up yet. */
  #addRollups(db: DatabaseSync): void {
    inTransaction(db, () => {
      db.exec(ROLLUPS);
      for (const day of listDays(this.#dir)) this.#run('INSERT INTO unrolled VALUES (?)', day);
    });
  }

  /** Counts one up, durably. @returns the new count */
  #count(name: string): number {
    return Number(this.#get('UPDATE counter SET next = next + 1 WHERE name = ? RETURNING next', name)!['next']);
  }

  #writeLowWater(lowWater: PartitionOffsets): void {
    for (const [partition, upto] of lowWater) {
      this.#run('INSERT OR REPLACE INTO low_water VALUES (?, ?, ?)', this.log, partition, upto);
    }
  }

  #open(): DatabaseSync {
    if (this.#db === undefined) throw new Error('the catalog is not open');
    return this.#db;
  }

  #transaction(work: () => void): void {
    inTransaction(this.#open(), work);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#open().prepare(sql)));
    return statement;
  }

  #run(sql: string, ...values: (number | string)[]): { lastInsertRowid: number | bigint } {
    return this.#prepare(sql).run(...values);
  }

  #get(sql: string, ...values: (number | string)[]): Record<string, unknown> | undefined {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string, ...values: (number | string)[]): Record<string, unknown>[] {
    return this.#prepare(sql).all(...values);
  }
}

function offsets(rows: readonly Record<string, unknown>[]): Map<number, number> {
  return new Map(rows.map((row) => [Number(row['partition']), Number(row['upto'])]));
}
