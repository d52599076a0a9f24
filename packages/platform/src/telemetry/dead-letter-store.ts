import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { checkpoint, inTransaction } from '../kernel/sqlite-transaction.ts';
import type { PartitionOffsets } from './catalog.ts';
import { isBrokenFile, setAside } from './broken-file.ts';
import { deadLettersPath, openDeadLettersForWrite } from './dead-letter-schema.ts';

/** The newest that are kept. With the limits below that is 20 MB at most. */
export const MAX_DEAD_LETTERS = 10_000;
const MAX_PAYLOAD_BYTES = 1024;
const MAX_REASON_CHARACTERS = 300;
const MAX_TOPIC_CHARACTERS = 200;

/** So many are written in one transaction: about 2 ms. */
const SLICE = 500;

export interface DeadLetterDraft {
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
  readonly device: string;
  readonly topic: string;
  readonly code: string;
  readonly reason: string;
  /** Belongs to the log reader: its first bytes are copied. */
  readonly data: Uint8Array;
  readonly start: number;
  readonly end: number;
}

interface Waiting extends Omit<DeadLetterDraft, 'data' | 'start' | 'end'> {
  readonly payload: Uint8Array;
  readonly payloadBytes: number;
}

/** Records that were no telemetry. Written in batches; of a flood only the newest are ever written. */
export class DeadLetterStore {
  readonly #dir: string;
  /** A ring once it is full: the oldest is at #oldest. */
  #waiting: Waiting[] = [];
  #oldest = 0;
  #db: DatabaseSync | undefined;
  #dirty = false;
  readonly #byCode = new Map<string, number>();

  constructor(telemetryDir: string) {
    this.#dir = telemetryDir;
  }

  /** How many there were since the start, by code. A replay counts again. */
  get byCode(): ReadonlyMap<string, number> {
    return this.#byCode;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(draft: DeadLetterDraft): void {
    this.#byCode.set(draft.code, (this.#byCode.get(draft.code) ?? 0) + 1);
    const { partition, offset, arrivalMs, device, code } = draft;
    const waiting = {
      partition,
      offset,
      arrivalMs,
      device,
      code,
      topic: draft.topic.slice(0, MAX_TOPIC_CHARACTERS),
      reason: draft.reason.slice(0, MAX_REASON_CHARACTERS),
      // Not `data.slice`: of a Buffer that is a view, whose bytes the reader writes over.
      payload: Uint8Array.from(draft.data.subarray(draft.start, Math.min(draft.end, draft.start + MAX_PAYLOAD_BYTES))),
      payloadBytes: draft.end - draft.start,
    };
    if (this.#waiting.length < MAX_DEAD_LETTERS) this.#waiting.push(waiting);
    else {
      this.#waiting[this.#oldest] = waiting;
      this.#oldest = (this.#oldest + 1) % MAX_DEAD_LETTERS;
    }
  }

  /** Writes a slice of what waits. @returns true when more waits. Throws what SQLite throws: nothing was written. */
  write(log: number): boolean {
    if (this.#waiting.length === 0) return false;
    if (this.#oldest > 0) {
      this.#waiting = [...this.#waiting.slice(this.#oldest), ...this.#waiting.slice(0, this.#oldest)];
      this.#oldest = 0;
    }
    const slice = this.#waiting.slice(0, SLICE);
    this.#use((db) => inTransaction(db, () => writeAll(db, log, slice)));
    this.#dirty = true;
    this.#waiting = this.#waiting.slice(slice.length);
    return this.#waiting.length > 0;
  }

  /** All that were added are written, and survive a power loss. @returns false when a reader was in the way */
  makeDurable(log: number): boolean {
    while (this.write(log));
    if (this.#dirty) this.#dirty = !this.#use(checkpoint);
    return !this.#dirty;
  }

  /** Of each partition of a log the offset after the last record that is kept. Throws what SQLite throws. */
  ends(log: number): PartitionOffsets {
    if (!existsSync(deadLettersPath(this.#dir))) return new Map();
    const rows = this.#use((db) =>
      db.prepare('SELECT partition, max("offset") AS last FROM dead_letter WHERE log = ? GROUP BY partition').all(log),
    );
    return new Map(rows.map((row) => [Number(row['partition']), Number(row['last']) + 1]));
  }

  /** Removes what is kept of a device. */
  erase(device: string, log: number): void {
    while (this.write(log));
    this.#use((db) => db.prepare('DELETE FROM dead_letter WHERE device = ?').run(device));
    this.#dirty = true;
  }

  /**
   * Removes what is kept of a device's records before `ends`, by partition, and of logs before this one: for what a crash
   * has brought back.
   */
  eraseBefore(device: string, log: number, ends: PartitionOffsets): void {
    this.#use((db) => {
      // Records of theirs that came after the removal, and that the log still has, are read again under this number.
      db.prepare('DELETE FROM dead_letter WHERE device = ? AND log < ?').run(device, log);
      const erase = db.prepare('DELETE FROM dead_letter WHERE device = ? AND log = ? AND partition = ? AND "offset" < ?');
      for (const [partition, end] of ends) erase.run(device, log, partition, end);
    });
    this.#dirty = true;
  }

  close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  /** After a fault the next use opens the file anew; one that SQLite cannot read is set aside, so that it is made again. */
  #use<T>(work: (db: DatabaseSync) => T): T {
    try {
      this.#db ??= openDeadLettersForWrite(this.#dir);
      return work(this.#db);
    } catch (error) {
      this.close();
      if (isBrokenFile(error)) setAside(deadLettersPath(this.#dir));
      throw error;
    }
  }
}

function writeAll(db: DatabaseSync, log: number, letters: readonly Waiting[]): void {
  const insert = db.prepare(
    'INSERT OR IGNORE INTO dead_letter (log, partition, "offset", arrival_ms, device, topic, code, reason, payload, payload_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  for (const { partition, offset, arrivalMs, device, topic, code, reason, payload, payloadBytes } of letters) {
    insert.run(log, partition, offset, Math.trunc(arrivalMs), device, topic, code, reason, payload, payloadBytes);
  }
  const oldest = db.prepare('SELECT id FROM dead_letter ORDER BY id DESC LIMIT 1 OFFSET ?').get(MAX_DEAD_LETTERS - 1)?.['id'];
  if (typeof oldest === 'number') db.prepare('DELETE FROM dead_letter WHERE id < ?').run(oldest);
}
