import { statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { SelsynError, isSelsynError, systemCode } from '../kernel/errors.ts';
import { decodeChunk } from './codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, dayFilePath, listDayFiles, refuseNewer } from './day-file-schema.ts';
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

/** What a day file says of the rollups of a series. */
export interface StoredMark {
  /** As `ChunkReader.staleHours`. */
  readonly hours: number;
  /** Names the rollups that are made of the chunks of this file: those of others are of points that were let go. */
  readonly generation: number;
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
const MARK = 'SELECT hours, generation FROM mark WHERE series = ?';

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
  /** As the folder was listed last. */
  #paths: ReadonlyMap<DayNumber, readonly [string, ...string[]]> = new Map();
  #daysVersion: number | undefined;

  constructor(options: { readonly telemetryDir: string; readonly maxOpenFiles?: number }) {
    this.#telemetryDir = options.telemetryDir;
    this.#maxOpen = options.maxOpenFiles ?? MAX_OPEN_FILES;
  }

  /** Lists the folder again where the version is another than the last time. @throws SelsynError `telemetry.store-failed` */
  refresh(daysVersion: number): void {
    if (daysVersion === this.#daysVersion) return;
    this.#paths = filesOf(this.#telemetryDir);
    this.#days = Float64Array.from(this.#paths.keys()).sort();
    for (const [day, { path }] of this.#open) if (this.#paths.get(day)?.[0] !== path) this.#drop(day);
    this.closeGone();
    this.#daysVersion = daysVersion;
  }

  /** Closes files that were dropped or replaced: until everybody has, their space is not free. */
  closeGone(): void {
    for (const [day, file] of this.#open) if (inodeOf(file.path) !== file.inode) this.#drop(day);
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

  /** The series that have chunks on a day. */
  series(day: DayNumber): ReadonlySet<number> {
    const rows = this.#read(day, (file) => prepare(file.database, 'SELECT DISTINCT series FROM chunk').all()) ?? [];
    return new Set((rows as unknown as [number][]).map(([id]) => id));
  }

  /** The chunk that holds the newest point of a series on a day. */
  newest(day: DayNumber, series: number): Columns | undefined {
    const row = this.#read(day, (file) => file.newest.get(series)) as unknown as [Uint8Array] | undefined;
    return row === undefined ? undefined : decodeStored(row[0], { day, series });
  }

  /**
   * Bit h is set where the rollup of hour h (UTC) of the day must not be used, for it may lack points: they are in the
   * chunks; bit 24 (`DAY_STALE`) where that of the day must not. To be asked after `hotRead`, for its `unrolledDays`, and
   * before the rollups are read (rollups/rollup-reader.ts). 0 where the series has no chunks on that day.
   */
  staleHours(day: DayNumber, series: number): number {
    return this.mark(day, series)?.hours ?? 0;
  }

  /** `mark.hours` and `mark.generation` of a series on a day; undefined where it has no chunks there. */
  mark(day: DayNumber, series: number): StoredMark | undefined {
    const row = this.#read(day, (file) => {
      // The file may have been upgraded since it was opened.
      if (file.mark === undefined && schemaVersion(file.database) > 1) file.mark = prepare(file.database, MARK);
      return file.mark === undefined ? OLD_MARK : (file.mark.get(series) as unknown as readonly [number, number] | undefined);
    });
    return row === undefined ? undefined : { hours: row[0], generation: row[1] };
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
    const listed = this.#paths.get(day)?.[0];
    const file =
      (listed === undefined ? undefined : openDayFile(listed)) ??
      // Another may have taken its place since the folder was listed.
      openDayFile(dayFilePath(this.#telemetryDir, day));
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
    if (!isSelsynError(cause, 'data.corrupt')) throw cause;
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
  /** Undefined in a file of version 1. */
  mark: StatementSync | undefined;
}

/** What a file of version 1 says of every series. */
const OLD_MARK: readonly [number, number] = [ALL_HOURS | DAY_STALE, 0];

function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
}

function prepare(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}

/** Undefined where there is none, also where it was dropped while it was opened. */
function openDayFile(path: string): DayFile | undefined {
  const inode = inodeOf(path);
  if (inode === undefined) return undefined;
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true });
  } catch (error) {
    if (inodeOf(path) === undefined) return undefined;
    throw error;
  }
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA cache_size = -${CACHE_KIB}`);
    const version = schemaVersion(database);
    if (version === 0) {
      database.close();
      return undefined;
    }
    refuseNewer(version);
    const mark = version > 1 ? prepare(database, MARK) : undefined;
    return {
      path,
      inode,
      database,
      page: prepare(database, PAGE),
      count: prepare(database, COUNT),
      newest: prepare(database, NEWEST),
      mark,
    };
  } catch (error) {
    database.close();
    // Its write-ahead log is found by its name: a database without one cannot be begun to read.
    if (inodeOf(path) !== inode) return undefined;
    throw error;
  }
}

function filesOf(telemetryDir: string): ReadonlyMap<DayNumber, readonly [string, ...string[]]> {
  try {
    return listDayFiles(telemetryDir);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return new Map();
    throw new SelsynError('telemetry.store-failed', 'the folder of the day files could not be listed', {
      cause,
      retryable: true,
    });
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
