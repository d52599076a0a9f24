import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { isSelsynError, SelsynError } from '../../kernel/errors.ts';
import { DAY_MS } from '../day-file-schema.ts';
import { decodeDays, decodeGenerations, decodeHours } from './rollup-codec.ts';
import { combineRollups, concatRollups, sliceRollupRows, sliceRollups, widenRollups } from './rollup-columns.ts';
import type { RollupColumns } from './rollup-columns.ts';
import { listRollupFiles, openRollupFileForRead, periodOf, rollupFilePath, type RollupLevel } from './rollup-file.ts';

/** Three months of hours and some years of days; each is up to three file descriptors. */
const MAX_OPEN_FILES = 64;
/** How long a read may wait for a lock. Readers of a WAL wait for nobody but one that recovers it. */
const BUSY_TIMEOUT_MS = 250;

const ROW = 'SELECT period, data, generation FROM rollup WHERE series = ? AND period = ? ORDER BY generation';
/** Of several periods: for one the list takes longer than all the rest. */
const ROWS = `SELECT period, data, generation FROM rollup
  WHERE series = ? AND period IN (SELECT value FROM json_each(?)) ORDER BY period, generation`;
const MAX_PLACES = 1_000;

/**
 * Reads rollups, in any thread and beside their writer. What it finds counts only for hours and days that are not stale:
 *
 *   1. `hotRead`: the points in memory, and `unrolledDays`
 *   2. ChunkReader.staleHours, for those days
 *   3. `read`
 *
 * An hour that is stale, or has points in memory, is answered from the points; so is a day that has any such hour. In this
 * order nothing is missed and nothing counts twice, whatever the builder does in between.
 */
export class RollupReader implements Disposable {
  readonly #telemetryDir: string;
  readonly #maxOpen: number;
  /** By path, in the order of their last use. */
  readonly #open = new Map<string, RollupFile>();
  /** Where the rollups of a day are, as it was worked out before. */
  readonly #places = { '1h': new Map<number, Place>(), '1d': new Map<number, Place>() };
  #spans: readonly TimeSpan[] = [];
  #version: number | undefined;

  constructor(options: { readonly telemetryDir: string; readonly maxOpenFiles?: number }) {
    this.#telemetryDir = options.telemetryDir;
    this.#maxOpen = options.maxOpenFiles ?? MAX_OPEN_FILES;
  }

  /**
   * Looks again what is there where the version is another than the last time.
   *
   * @param daysVersion as `HotRead.daysVersion` gives it
   * @throws SelsynError `telemetry.store-failed`
   */
  refresh(daysVersion: number): void {
    if (daysVersion === this.#version) return;
    const all = [...listRollupFiles(this.#telemetryDir, '1h'), ...listRollupFiles(this.#telemetryDir, '1d')];
    this.#spans = joinedSpans(all.map(({ firstDay, endDay }) => ({ fromMs: firstDay * DAY_MS, toMs: endDay * DAY_MS })));
    this.closeGone();
    this.#version = daysVersion;
  }

  /** Closes files that were dropped or replaced: until everybody has, their space is not free. */
  closeGone(): void {
    for (const [path, file] of this.#open) if (inodeOf(path) !== file.inode) this.#drop(path);
  }

  /** False where nothing was ever rolled up, or all of it was let go. */
  get hasFiles(): boolean {
    return this.#spans.length > 0;
  }

  /** The time that the files are for; undefined where there are none. */
  get extent(): TimeSpan | undefined {
    const [first, last] = [this.#spans[0], this.#spans.at(-1)];
    return first === undefined || last === undefined ? undefined : { fromMs: first.fromMs, toMs: last.toMs };
  }

  /** The same without the gaps, which are long where the clock of a device was wrong; ascending. */
  get spans(): readonly TimeSpan[] {
    return this.#spans;
  }

  /**
   * The hours, or days, of a series with from <= start < to that have points, of all generations together.
   *
   * @param except a generation that is left out
   * @throws SelsynError `telemetry.store-failed`, `data.corrupt`
   */
  read(level: RollupLevel, series: number, fromMs: number, toMs: number, except?: number): RollupColumns {
    const periods: RollupColumns[] = [];
    for (const [path, wanted] of this.#periods(level, fromMs, toMs)) {
      const rows = this.#rows(level, path, series, wanted).filter(([, , generation]) => level === '1d' || generation !== except);
      for (let i = 0; i < rows.length;) {
        const [period] = rows[i]!;
        let next = i + 1;
        while (next < rows.length && rows[next]![0] === period) next++;
        const generations = rows.slice(i, next).map(([, data]) => decodeStored(level, period, data, series, except));
        periods.push(combineRollups(generations));
        i = next;
      }
    }
    return sliceRollups(concatRollups(periods), fromMs, toMs);
  }

  /**
   * The days of a series of which there are hours, or of which there is a day, and of which generation: one for each, days ascending.
   * Of the files that there were at the last `refresh`.
   *
   * @throws SelsynError `telemetry.store-failed`, `data.corrupt`
   */
  daysWith(level: RollupLevel, series: number, fromMs: number, toMs: number): RolledDay[] {
    const found: RolledDay[] = [];
    for (const span of this.#spans) {
      if (span.fromMs >= toMs || span.toMs <= fromMs) continue;
      for (const [path, wanted] of this.#periods(level, Math.max(fromMs, span.fromMs), Math.min(toMs, span.toMs))) {
        for (const [period, data, generation] of this.#rows(level, path, series, wanted)) {
          if (level === '1h') found.push({ day: period, generation });
          else found.push(...daysOfMonth(data, period, series));
        }
      }
    }
    return found.filter(({ day }) => day * DAY_MS < toMs && (day + 1) * DAY_MS > fromMs);
  }

  [Symbol.dispose](): void {
    for (const path of this.#open.keys()) this.#drop(path);
  }

  /** The periods that overlap [from, to), by the file that has them, ascending. */
  #periods(level: RollupLevel, fromMs: number, toMs: number): Map<string, number[]> {
    const found = new Map<string, number[]>();
    const end = Math.ceil(toMs / DAY_MS);
    for (let day = Math.floor(fromMs / DAY_MS); day < end;) {
      const { path, period, nextDay } = this.#place(level, day);
      const periods = found.get(path);
      if (periods === undefined) found.set(path, [period]);
      else periods.push(period);
      day = nextDay;
    }
    return found;
  }

  #place(level: RollupLevel, day: number): Place {
    const places = this.#places[level];
    let place = places.get(day);
    if (place === undefined) {
      const period = periodOf(level, day);
      place = { path: rollupFilePath(this.#telemetryDir, level, day), period, nextDay: nextPeriod(level, period) };
      if (places.size >= MAX_PLACES) places.clear();
      places.set(day, place);
    }
    return place;
  }

  #rows(level: RollupLevel, path: string, series: number, periods: readonly number[]): StoredRow[] {
    try {
      const file = this.#file(level, path, periods[0]!);
      if (file === undefined) return [];
      const rows = periods.length === 1 ? file.row.all(series, periods[0]!) : file.rows.all(series, JSON.stringify(periods));
      return rows as unknown as StoredRow[];
    } catch (cause) {
      if (isSelsynError(cause)) throw cause;
      throw new SelsynError('telemetry.store-failed', 'a rollup file could not be read', {
        cause,
        retryable: true,
        details: { level, day: periods[0] },
      });
    }
  }

  #file(level: RollupLevel, path: string, day: number): RollupFile | undefined {
    // Each time: a file that was made, or took the place of another, since `refresh` may have what the marks say it has.
    const inode = inodeOf(path);
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      if (known.inode === inode) {
        this.#open.set(path, known);
        return known;
      }
      known.database.close();
    }
    if (inode === undefined) return undefined;
    const database = openRollupFileForRead(this.#telemetryDir, level, day);
    try {
      database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA cache_size = -1024`);
      // Its writer has not set it up yet.
      if (database.prepare('PRAGMA user_version').get()?.['user_version'] === 0) {
        database.close();
        return undefined;
      }
      const [row, rows] = [database.prepare(ROW), database.prepare(ROWS)];
      row.setReturnArrays(true);
      rows.setReturnArrays(true);
      const file = { inode, database, row, rows };
      this.#open.set(path, file);
      if (this.#open.size > this.#maxOpen) this.#drop(this.#open.keys().next().value!);
      return file;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #drop(path: string): void {
    this.#open.get(path)?.database.close();
    this.#open.delete(path);
  }
}

export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Ascending; those that overlap or touch are joined. */
export function joinedSpans(spans: readonly TimeSpan[]): TimeSpan[] {
  const joined: TimeSpan[] = [];
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last === undefined || fromMs > last.toMs) joined.push({ fromMs, toMs });
    else joined[joined.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, toMs) };
  }
  return joined;
}

/** A day of which something is rolled up, and the generation of the points that it was made of. */
interface RolledDay {
  readonly day: number;
  readonly generation: number;
}

type StoredRow = readonly [period: number, data: Uint8Array, generation: number];

interface RollupFile {
  /** Tells a file from a later one of the same name. */
  readonly inode: number;
  readonly database: DatabaseSync;
  readonly row: StatementSync;
  readonly rows: StatementSync;
}

/** The file and the row in which a day is, and the first day that is in another row. */
interface Place {
  readonly path: string;
  readonly period: number;
  readonly nextDay: number;
}

function daysOfMonth(data: Uint8Array, month: number, series: number): RolledDay[] {
  try {
    const { startsMs, generations } = decodeGenerations(data, month * DAY_MS);
    return Array.from(startsMs, (startMs, index) => ({ day: startMs / DAY_MS, generation: generations[index]! }));
  } catch (cause) {
    throw new SelsynError('data.corrupt', 'a stored rollup could not be decoded', {
      cause,
      details: { level: '1d', series, period: month },
    });
  }
}

/** The rows of a period, each hour or day once. @throws SelsynError `data.corrupt`, saying which row */
function decodeStored(
  level: RollupLevel,
  period: number,
  data: Uint8Array,
  series: number,
  except: number | undefined,
): RollupColumns {
  try {
    if (level === '1h') return decodeHours(data, period * DAY_MS);
    const { rollups, generations } = decodeDays(data, period * DAY_MS);
    const kept = generations.includes(except ?? -1)
      ? concatRollups(
          [...generations.keys()]
            .filter((index) => generations[index] !== except)
            .map((index) => sliceRollupRows(rollups, index, index + 1)),
        )
      : rollups;
    const again = kept.startsMs.some((startMs, index) => startMs === kept.startsMs[index - 1]);
    return again ? widenRollups(kept, DAY_MS) : kept;
  } catch (cause) {
    throw new SelsynError('data.corrupt', 'a stored rollup could not be decoded', { cause, details: { level, series, period } });
  }
}

function nextPeriod(level: RollupLevel, period: number): number {
  return level === '1h' ? period + 1 : periodOf(level, period + 31);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
