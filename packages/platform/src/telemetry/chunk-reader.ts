import { readdirSync, statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SelsynError, isSelsynError, systemCode } from '../kernel/errors.ts';
import { decodeChunk } from './codec/chunk-codec.ts';
import { DAY_MS, dayFilePath, dayOfFileName, daysFolder, openDayFileForRead } from './day-file-schema.ts';
import { lowerBound, type Columns } from './query-columns.ts';

/** Days since 1970-01-01 UTC. */
export type DayNumber = number;

/** A chunk as it is stored: its points lie in [startMs, endMs], both ends included. */
export interface StoredChunk {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly count: number;
  readonly data: Uint8Array;
}

// A year and a month; each is up to three file descriptors.
const MAX_OPEN_FILES = 400;
/** How long a read may wait for a lock. Readers of a WAL wait for nobody but one that recovers it. */
const BUSY_TIMEOUT_MS = 250;
/** Of each open file: its index and what queries share; chunks are mostly read once. */
const CACHE_KIB = 1_024;

const PAGE = `SELECT id, start_ms, end_ms, count, data FROM chunk
  WHERE series = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms LIMIT ?`;
const COUNT = `SELECT series, sum(count) FROM chunk
  WHERE series IN (SELECT value FROM json_each(?)) AND start_ms < ? AND end_ms >= ? GROUP BY series`;
const NEWEST = `SELECT data FROM chunk WHERE id =
  (SELECT id FROM chunk WHERE series = ? ORDER BY end_ms DESC, id DESC LIMIT 1)`;

/**
 * Reads the chunks of the day files, in any thread and beside their writer.
 *
 * Handles and their prepared statements are kept for the 400 files used last. Each read is one statement run to its end,
 * so no read transaction is ever left open that would keep the writer from a checkpoint. A file that is gone, or that
 * its writer has not set up yet, holds no chunks.
 */
export class ChunkReader implements Disposable {
  readonly #telemetryDir: string;
  readonly #maxOpen: number;
  /** In the order of their last use. */
  readonly #open = new Map<DayNumber, DayFile>();
  #days = new Float64Array(0);
  #daysVersion: number | undefined;

  constructor(options: { readonly telemetryDir: string; readonly maxOpenFiles?: number }) {
    this.#telemetryDir = options.telemetryDir;
    this.#maxOpen = options.maxOpenFiles ?? MAX_OPEN_FILES;
  }

  /** Lists the folder again where the version is another than the last time. @throws SelsynError `telemetry.store-failed` */
  refresh(daysVersion: number): void {
    if (daysVersion === this.#daysVersion) return;
    this.#days = Float64Array.from(listDays(daysFolder(this.#telemetryDir))).sort();
    for (const [day, file] of this.#open) {
      if (inodeOf(file.path) !== file.inode) this.#drop(day);
    }
    this.#daysVersion = daysVersion;
  }

  /** The days with a file that overlap [fromMs, toMs), ascending. */
  days(fromMs: number, toMs: number): Float64Array {
    const first = lowerBound(this.#days, Math.floor(fromMs / DAY_MS));
    return this.#days.subarray(first, lowerBound(this.#days, Math.ceil(toMs / DAY_MS), first));
  }

  /** How many points the chunks hold that overlap [fromMs, toMs), by series; series without any are missing. */
  counts(day: DayNumber, series: readonly number[], fromMs: number, toMs: number): ReadonlyMap<number, number> {
    const rows = this.#read(day, (file) => file.count.all(JSON.stringify(series), toMs, fromMs)) ?? [];
    return new Map(rows as unknown as [number, number][]);
  }

  /** The first `limit` chunks of a series that overlap [fromMs, toMs), by ascending start. */
  page(day: DayNumber, series: number, fromMs: number, toMs: number, limit: number): StoredChunk[] {
    const rows = this.#read(day, (file) => file.page.all(series, toMs, fromMs, limit)) ?? [];
    return (rows as unknown as [number, number, number, number, Uint8Array][]).map(([id, startMs, endMs, count, data]) => ({
      id,
      startMs,
      endMs,
      count,
      data,
    }));
  }

  /** The chunk that holds the newest point of a series on a day. */
  newest(day: DayNumber, series: number): Columns | undefined {
    const row = this.#read(day, (file) => file.newest.get(series)) as unknown as [Uint8Array] | undefined;
    return row === undefined ? undefined : decodeStored(row[0], { day, series });
  }

  [Symbol.dispose](): void {
    for (const day of this.#open.keys()) this.#drop(day);
  }

  #read<T>(day: DayNumber, query: (file: DayFile) => T): T | undefined {
    try {
      const file = this.#file(day);
      return file === undefined ? undefined : query(file);
    } catch (cause) {
      if (isSelsynError(cause)) throw cause;
      throw new SelsynError('telemetry.store-failed', 'a day file could not be read', {
        cause,
        retryable: true,
        details: { day },
      });
    }
  }

  #file(day: DayNumber): DayFile | undefined {
    const known = this.#open.get(day);
    if (known !== undefined) {
      this.#open.delete(day);
      this.#open.set(day, known);
      return known;
    }
    const file = openDayFile(this.#telemetryDir, day);
    if (file === undefined) return undefined;
    this.#open.set(day, file);
    if (this.#open.size > this.#maxOpen) this.#drop(this.#open.keys().next().value!);
    return file;
  }

  #drop(day: DayNumber): void {
    this.#open.get(day)?.database.close();
    this.#open.delete(day);
  }
}

/** @throws SelsynError `data.corrupt`, saying which chunk */
export function decodeStored(data: Uint8Array, where: Readonly<Record<string, unknown>>): Columns {
  try {
    return decodeChunk(data);
  } catch (cause) {
    throw new SelsynError('data.corrupt', 'a stored chunk could not be decoded', { cause, details: where });
  }
}

interface DayFile {
  readonly path: string;
  /** Tells a file from a later one of the same name. */
  readonly inode: number;
  readonly database: DatabaseSync;
  readonly page: StatementSync;
  readonly count: StatementSync;
  readonly newest: StatementSync;
}

function openDayFile(telemetryDir: string, day: DayNumber): DayFile | undefined {
  const path = dayFilePath(telemetryDir, day);
  const inode = inodeOf(path);
  if (inode === undefined) return undefined;
  let database: DatabaseSync;
  try {
    database = openDayFileForRead(telemetryDir, day);
  } catch (error) {
    if (inodeOf(path) === undefined) return undefined;
    throw error;
  }
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA cache_size = -${CACHE_KIB}`);
    if (database.prepare('PRAGMA user_version').get()?.['user_version'] === 0) {
      database.close();
      return undefined;
    }
    const prepare = (sql: string): StatementSync => {
      const statement = database.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    return { path, inode, database, page: prepare(PAGE), count: prepare(COUNT), newest: prepare(NEWEST) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function listDays(folder: string): DayNumber[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw new SelsynError('telemetry.store-failed', 'the folder of the day files could not be listed', {
      cause,
      retryable: true,
    });
  }
  return names.map(dayOfFileName).filter((day) => day !== undefined);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
