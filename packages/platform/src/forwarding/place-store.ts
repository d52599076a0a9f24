import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SelsynError } from '../kernel/errors.ts';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import type { RefusedRecord } from './forwarder.ts';

/** Where a forwarder is in a partition: everything before is done with. */
export interface Place {
  readonly position: number;
  /** When the record before it arrived; 0: none was read yet. */
  readonly arrivalMs: number;
}

/** Sums since the forwarder was made; `refusedInRow` is since its target took a record. */
export interface Counters {
  sent: number;
  sentBytes: number;
  batches: number;
  failures: number;
  filtered: number;
  skipped: number;
  undecodable: number;
  refusedInRow: number;
}

export interface PlaceUpdate {
  readonly forwarder: string;
  readonly places: ReadonlyMap<number, Place>;
  readonly counters: Counters;
}

/** Per forwarder: from here on it holds rather than lets more go. */
export const MAX_REFUSED = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS place (
    forwarder TEXT NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL, arrival_ms REAL NOT NULL,
    PRIMARY KEY (forwarder, partition)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counters (forwarder TEXT PRIMARY KEY, counted TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY AUTOINCREMENT, forwarder TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    device TEXT NOT NULL, topic TEXT NOT NULL, arrival_ms REAL NOT NULL, refused_at_ms REAL NOT NULL, reason TEXT NOT NULL,
    payload BLOB NOT NULL, UNIQUE (forwarder, partition, offset)
  );`;

/**
 * Where each forwarder is in the log, what it has counted, and what its target has refused: a SQLite file of its own.
 *
 * A commit is on disk (synchronous=FULL): only then may the log let go of what lies before a place. After a crash a place may lie before
 * what was delivered last, never behind it.
 */
export class PlaceStore implements Disposable {
  readonly #database: DatabaseSync;
  readonly #putPlace: StatementSync;
  readonly #putCounters: StatementSync;
  readonly #putRefused: StatementSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#putPlace = database.prepare('INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?)');
    this.#putCounters = database.prepare('INSERT OR REPLACE INTO counters VALUES (?, ?)');
    this.#putRefused = database.prepare(
      `INSERT INTO refused (forwarder, partition, offset, device, topic, arrival_ms, refused_at_ms, reason, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (forwarder, partition, offset) DO UPDATE SET
       refused_at_ms = excluded.refused_at_ms, reason = excluded.reason`,
    );
  }

  /** @throws SelsynError `data.corrupt` */
  static open(path: string): PlaceStore {
    const database = new DatabaseSync(path);
    try {
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${SCHEMA}`);
      return new PlaceStore(database);
    } catch (cause) {
      database.close();
      throw new SelsynError('data.corrupt', `${path} cannot be read; remove it, and all forwarders begin anew`, { cause });
    }
  }

  /** The log that places speak of; undefined: there are none yet. */
  get log(): string | undefined {
    const row = this.#database.prepare("SELECT value FROM meta WHERE name = 'log'").get();
    return row === undefined ? undefined : String(row['value']);
  }

  /** Places are of this log from now on: those of another one are forgotten. */
  useLog(identity: string): void {
    inTransaction(this.#database, () => {
      this.#database.exec('DELETE FROM place');
      this.#database.prepare("INSERT OR REPLACE INTO meta VALUES ('log', ?)").run(identity);
    });
  }

  /** Those that something is kept of. */
  forwarders(): readonly string[] {
    const rows = this.#database
      .prepare('SELECT forwarder FROM place UNION SELECT forwarder FROM counters UNION SELECT forwarder FROM refused')
      .all();
    return rows.map((row) => String(row['forwarder']));
  }

  places(forwarder: string): Map<number, Place> {
    const rows = this.#database.prepare('SELECT * FROM place WHERE forwarder = ?').all(forwarder);
    return new Map(
      rows.map((row) => [Number(row['partition']), { position: Number(row['position']), arrivalMs: Number(row['arrival_ms']) }]),
    );
  }

  counters(forwarder: string): Counters {
    const row = this.#database.prepare('SELECT counted FROM counters WHERE forwarder = ?').get(forwarder);
    const none: Counters = {
      sent: 0,
      sentBytes: 0,
      batches: 0,
      failures: 0,
      filtered: 0,
      skipped: 0,
      undecodable: 0,
      refusedInRow: 0,
    };
    // Written by `save`.
    return row === undefined ? none : { ...none, ...(JSON.parse(String(row['counted'])) as Partial<Counters>) };
  }

  /** All of it in one commit. */
  save(updates: readonly PlaceUpdate[]): void {
    inTransaction(this.#database, () => {
      for (const { forwarder, places, counters } of updates) {
        for (const [partition, { position, arrivalMs }] of places) this.#putPlace.run(forwarder, partition, position, arrivalMs);
        this.#putCounters.run(forwarder, JSON.stringify(counters));
      }
    });
  }

  /** Everything of a forwarder. */
  forget(forwarder: string): void {
    inTransaction(this.#database, () => {
      for (const table of ['place', 'counters', 'refused'])
        this.#database.prepare(`DELETE FROM ${table} WHERE forwarder = ?`).run(forwarder);
    });
  }

  refusedCount(forwarder: string): number {
    const row = this.#database.prepare('SELECT count(*) AS count FROM refused WHERE forwarder = ?').get(forwarder);
    return Number(row?.['count'] ?? 0);
  }

  /** What the target said when it refused a record last; undefined: none is kept. */
  lastRefusal(forwarder: string): { readonly message: string; readonly atMs: number } | undefined {
    const row = this.#database
      .prepare('SELECT reason, refused_at_ms FROM refused WHERE forwarder = ? ORDER BY refused_at_ms DESC, number DESC LIMIT 1')
      .get(forwarder);
    return row && { message: String(row['reason']), atMs: Number(row['refused_at_ms']) };
  }

  /** One that is there already has its reason renewed. */
  putRefused(forwarder: string, record: Omit<RefusedRecord, 'number'>): void {
    const { partition, offset, device, topic, arrivalMs, refusedAtMs, reason, payload } = record;
    this.#putRefused.run(forwarder, partition, offset, device, topic, arrivalMs, refusedAtMs, reason, payload);
  }

  /** In the order in which they were refused. @param after the number of the last one of the page before, or 0 */
  refused(forwarder: string, after: number, limit: number): readonly RefusedRecord[] {
    const rows = this.#database
      .prepare('SELECT * FROM refused WHERE forwarder = ? AND number > ? ORDER BY number LIMIT ?')
      .all(forwarder, after, limit);
    return rows.map((row) => ({
      number: Number(row['number']),
      partition: Number(row['partition']),
      offset: Number(row['offset']),
      device: String(row['device']),
      topic: String(row['topic']),
      arrivalMs: Number(row['arrival_ms']),
      refusedAtMs: Number(row['refused_at_ms']),
      reason: String(row['reason']),
      // Written by `putRefused`.
      payload: row['payload'] as Uint8Array,
    }));
  }

  removeRefused(numbers: readonly number[]): void {
    const statement = this.#database.prepare('DELETE FROM refused WHERE number = ?');
    inTransaction(this.#database, () => {
      for (const number of numbers) statement.run(number);
    });
  }

  /** Whoever refused them. @returns how many there were */
  removeRefusedOf(device: string): number {
    return Number(this.#database.prepare('DELETE FROM refused WHERE device = ?').run(device).changes);
  }

  /** @returns how many there were */
  discardRefused(forwarder: string): number {
    return Number(this.#database.prepare('DELETE FROM refused WHERE forwarder = ?').run(forwarder).changes);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
