import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { inTransaction } from '../../kernel/sqlite-transaction.ts';
import type { PartitionOffsets } from '../message-memory.ts';

/*
 * telemetry/sparkplug.db: births and deaths, by the record of the log that they came with. Of one that was born again only those are kept
 * that messages which may be read once more were sent under. synchronous=FULL: each commit is durable when it returns.
 *
 * certificate   id: `{group}:{node}` or `{group}:{node}:{device}`. payload: of a birth as it came, deflated (RFC 1951); NULL: a death.
 *               number: a later one of the same id has a larger one.
 */
const DDL = `
CREATE TABLE certificate (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, log INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  arrival_ms INTEGER NOT NULL, bd_seq INTEGER, payload BLOB, UNIQUE (log, partition, "offset"));
CREATE INDEX certificate_by_id ON certificate (id, number);
PRAGMA user_version = 1;`;

export interface StoredCertificate {
  readonly number: number;
  readonly id: string;
  readonly log: number;
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
  readonly bdSeq: number | undefined;
  readonly isBirth: boolean;
}

export interface CertificateRow {
  readonly id: string;
  readonly log: number;
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
  readonly bdSeq: number | undefined;
  readonly payload: Uint8Array | undefined;
}

export class CertificateStore {
  readonly #path: string;
  #db: DatabaseSync | undefined;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether there ever was one. */
  get exists(): boolean {
    return existsSync(this.#path);
  }

  /** All, in the order in which they came. Throws what SQLite throws, as all methods do. */
  *all(): Iterable<StoredCertificate> {
    const rows = this.#prepare(
      'SELECT number, id, log, partition, "offset", arrival_ms, bd_seq, payload IS NOT NULL AS born FROM certificate ORDER BY number',
    ).iterate();
    for (const row of rows) {
      yield {
        number: Number(row['number']),
        id: String(row['id']),
        log: Number(row['log']),
        partition: Number(row['partition']),
        offset: Number(row['offset']),
        arrivalMs: Number(row['arrival_ms']),
        bdSeq: row['bd_seq'] === null ? undefined : Number(row['bd_seq']),
        isBirth: row['born'] === 1,
      };
    }
  }

  payload(number: number): Uint8Array | undefined {
    const payload = this.#prepare('SELECT payload FROM certificate WHERE number = ?').get(number)?.['payload'];
    return payload instanceof Uint8Array ? inflateRawSync(payload, { maxOutputLength: MAX_PAYLOAD }) : undefined;
  }

  /** One transaction. @returns their numbers, in their order */
  write(rows: readonly CertificateRow[]): readonly number[] {
    return inTransaction(this.#open(), () =>
      rows.map(({ id, log, partition, offset, arrivalMs, bdSeq, payload }) => {
        const packed = payload === undefined ? null : deflateRawSync(payload, { level: 1 });
        const written = this.#prepare(
          'INSERT OR REPLACE INTO certificate (number, id, log, partition, "offset", arrival_ms, bd_seq, payload) VALUES ((SELECT coalesce(max(number), 0) + 1 FROM certificate), ?, ?, ?, ?, ?, ?, ?)',
        ).run(id, log, partition, offset, arrivalMs, bdSeq ?? null, packed);
        return Number(written.lastInsertRowid);
      }),
    );
  }

  /** Removes what no message that may be read again was sent under. */
  prune(ids: Iterable<string>, log: number, lowWater: PartitionOffsets): void {
    inTransaction(this.#open(), () => {
      for (const id of ids) {
        const rows = this.#prepare('SELECT number, log, partition, "offset" FROM certificate WHERE id = ? ORDER BY number').all(
          id,
        );
        const isPassed = rows.map(
          (row) => Number(row['log']) !== log || Number(row['offset']) < (lowWater.get(Number(row['partition'])) ?? 0),
        );
        const kept = rows[isPassed.lastIndexOf(true)]?.['number'];
        if (kept !== undefined) this.#prepare('DELETE FROM certificate WHERE id = ? AND number < ?').run(id, Number(kept));
      }
    });
  }

  erase(id: string): void {
    this.#prepare('DELETE FROM certificate WHERE id = ?').run(id);
  }

  eraseBefore(id: string, log: number, before: PartitionOffsets): void {
    inTransaction(this.#open(), () => {
      this.#prepare('DELETE FROM certificate WHERE id = ? AND log <> ?').run(id, log);
      const erase = this.#prepare('DELETE FROM certificate WHERE id = ? AND log = ? AND partition = ? AND "offset" < ?');
      for (const [partition, end] of before) erase.run(id, log, partition, end);
    });
  }

  /** Gives a file that cannot be read another name, so that it is made again. @returns that name. Throws what rename throws. */
  setAside(): string {
    this.close();
    const aside = `${this.#path}.broken-${process.hrtime.bigint()}`;
    renameSync(this.#path, aside);
    for (const suffix of ['-wal', '-shm']) rmSync(this.#path + suffix, { force: true });
    return aside;
  }

  close(): void {
    this.#statements.clear();
    this.#db?.close();
    this.#db = undefined;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#open().prepare(sql)));
    return statement;
  }

  #open(): DatabaseSync {
    if (this.#db !== undefined) return this.#db;
    mkdirSync(dirname(this.#path), { recursive: true });
    const db = new DatabaseSync(this.#path);
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 100;');
      if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    } catch (error) {
      db.close();
      throw error;
    }
    this.#db = db;
    return db;
  }
}

/** SQLITE_CORRUPT, SQLITE_NOTADB: a further try cannot help. */
const BROKEN: ReadonlySet<number> = new Set([11, 26]);

/** True for what SQLite throws about a file that it cannot read, and never will. */
export function isBroken(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && BROKEN.has(error.errcode & 0xff);
}

/** Larger than any message. */
const MAX_PAYLOAD = 512 * 1024 * 1024;
