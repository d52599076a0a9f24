import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import { isBrokenFile, setAside } from './broken-file.ts';
import type { Positions } from './consumed-steps.ts';
import { openQualityForWrite, qualityPath } from './quality-schema.ts';
import type { PointValue } from './telemetry-queries.ts';

/**
 * What can be wrong with a point that is stored all the same: beyond the range that the device type gives, of another kind than it says,
 * or in a unit from which there is no way to its own.
 */
export type QualityKind = 'out-of-range' | 'wrong-type' | 'unknown-unit';

export interface QualityNote {
  readonly device: string;
  readonly metric: string;
  readonly kind: QualityKind;
  readonly timeMs: number;
  readonly value: PointValue;
  /** The unit that it came in; '' where it is of no matter. */
  readonly detail: string;
}

interface Pending extends QualityNote {
  count: number;
  lastMs: number;
  lastValue: PointValue;
  lastDetail: string;
}

/** Metrics that are kept; those that were not noted for longest go. */
export const MAX_QUALITY_ROWS = 100_000;
/** Metrics that wait to be written; beyond, those of one device are lost until the next write, and counted in `unlisted`. */
const MAX_PENDING = 20_000;
const MAX_VALUE_CHARACTERS = 200;

/** Counts what is wrong with points. Written with the low-water mark, and nothing else may be between a record and its counting. */
export class QualityStore {
  readonly #dir: string;
  #pending = new Map<string, Pending>();
  #db: DatabaseSync | undefined;
  /** By partition index: what is before is counted already. */
  #countedTo: number[] = [];
  /** Devices that have something written. */
  #devices = new Set<string>();
  readonly #byKind = new Map<QualityKind, number>();
  /** Points that were noted while too many metrics were waiting. */
  unlisted = 0;

  constructor(telemetryDir: string) {
    this.#dir = telemetryDir;
  }

  /** How many there were since the start, by kind; a replay does not count again. */
  get byKind(): ReadonlyMap<QualityKind, number> {
    return this.#byKind;
  }

  /** Looks up to where of a log is counted; `partitions` in the order of indexes. Throws what SQLite throws. */
  open(log: number, partitions: readonly number[]): void {
    this.#countedTo = partitions.map(() => 0);
    if (!existsSync(qualityPath(this.#dir))) return;
    this.#use((db) => {
      const upto = db.prepare('SELECT upto FROM counted WHERE log = ? AND partition = ?');
      this.#countedTo = partitions.map((partition) => Number(upto.get(log, partition)?.['upto'] ?? 0));
      this.#devices = new Set(
        db
          .prepare('SELECT DISTINCT device FROM quality')
          .all()
          .map((row) => String(row['device'])),
      );
    });
  }

  /** Whether what a record has is counted already. @param partition its index */
  isCounted(partition: number, offset: number): boolean {
    return offset < this.#countedTo[partition]!;
  }

  note(note: QualityNote): void {
    this.#byKind.set(note.kind, (this.#byKind.get(note.kind) ?? 0) + 1);
    // No name has a control character.
    const key = `${note.kind}\n${note.device}\n${note.metric}`;
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      if (this.#pending.size >= MAX_PENDING) this.unlisted++;
      else this.#pending.set(key, { ...note, count: 1, lastMs: note.timeMs, lastValue: note.value, lastDetail: note.detail });
      return;
    }
    pending.count++;
    if (note.timeMs < pending.lastMs) return;
    pending.lastMs = note.timeMs;
    pending.lastValue = note.value;
    pending.lastDetail = note.detail;
  }

  /**
   * Writes what waits; all records before `positions` are counted then, and no others. Throws what SQLite throws: nothing was written.
   *
   * @param partitions their numbers, in the order of indexes
   */
  write(log: number, partitions: readonly number[], positions: Positions): void {
    if (this.#pending.size === 0) return;
    const rows = [...this.#pending.values()];
    this.#use((db) => inTransaction(db, () => writeAll(db, rows, log, partitions, positions)));
    for (const { device } of rows) this.#devices.add(device);
    this.#pending = new Map();
    this.#countedTo = [...positions];
  }

  /** Removes what is known of a device. */
  erase(device: string): void {
    for (const [key, pending] of this.#pending) if (pending.device === device) this.#pending.delete(key);
    if (!this.#devices.has(device)) return;
    this.#use((db) => db.prepare('DELETE FROM quality WHERE device = ?').run(device));
    this.#devices.delete(device);
  }

  close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  /** After a fault the next use opens the file anew; one that SQLite cannot read is set aside, so that it is made again. */
  #use<T>(work: (db: DatabaseSync) => T): T {
    try {
      this.#db ??= openQualityForWrite(this.#dir);
      return work(this.#db);
    } catch (error) {
      this.close();
      if (isBrokenFile(error)) setAside(qualityPath(this.#dir));
      throw error;
    }
  }
}

function writeAll(
  db: DatabaseSync,
  rows: readonly Pending[],
  log: number,
  partitions: readonly number[],
  positions: Positions,
): void {
  const updated = Number(db.prepare('SELECT coalesce(max(updated), 0) + 1 AS next FROM quality').get()?.['next']);
  const insert = db.prepare(
    `INSERT INTO quality (device, metric, kind, count, last_ms, last_value, detail, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (device, metric, kind) DO UPDATE SET count = count + excluded.count, updated = excluded.updated,
        last_value = iif(excluded.last_ms >= last_ms, excluded.last_value, last_value),
        detail = iif(excluded.last_ms >= last_ms, excluded.detail, detail), last_ms = max(last_ms, excluded.last_ms)`,
  );
  for (const { device, metric, kind, count, lastMs, lastValue, lastDetail } of rows) {
    const value = typeof lastValue === 'string' ? lastValue.slice(0, MAX_VALUE_CHARACTERS) : lastValue;
    insert.run(device, metric, kind, count, lastMs, JSON.stringify(value), lastDetail, updated);
  }
  const counted = db.prepare(
    'INSERT INTO counted (log, partition, upto) VALUES (?, ?, ?) ON CONFLICT (log, partition) DO UPDATE SET upto = excluded.upto',
  );
  positions.forEach((upto, index) => counted.run(log, partitions[index]!, upto));
  db.prepare('DELETE FROM quality WHERE id IN (SELECT id FROM quality ORDER BY updated DESC, id DESC LIMIT -1 OFFSET ?)').run(
    MAX_QUALITY_ROWS,
  );
}
