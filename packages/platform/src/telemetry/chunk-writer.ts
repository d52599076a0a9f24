import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import { encodeChunk } from './codec/chunk-codec.ts';
import type { BufferPoints, SortedPoints } from './buffer-points.ts';
import type { Catalog } from './catalog.ts';
import type { Positions } from './consumed-steps.ts';
import { DAY_MS, DAY_STALE, HOUR_MS } from './day-file-schema.ts';
import type { DayFile, DayFiles } from './day-files.ts';
import type { DeviceTable } from './device-table.ts';
import type { LatestValues } from './latest-values.ts';
import { FRESH_CHUNKS, type ChunkForm } from './compaction-plan.ts';
import type { BufferId, Memtable } from './memtable.ts';
import { encodePositions, notBeyond, type ProgressRow, type ReplayMarks } from './replay-marks.ts';
import type { UnrolledDays } from './rollups/unrolled-days.ts';

const INSERT_CHUNK = 'INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)';
const UPSERT_MARK = `INSERT INTO mark VALUES (?, ?, ?, ?)
  ON CONFLICT (series) DO UPDATE SET progress = excluded.progress, hours = hours | excluded.hours`;
const SET_HOUR = 'INSERT OR REPLACE INTO hour VALUES (?, ?)';
const NEW_PROGRESS = 'INSERT INTO progress (log, upto) VALUES (?, ?)';
const PRUNE_PROGRESS = 'DELETE FROM progress WHERE id < ?';
const NEWEST_OF_SERIES = 'SELECT max(end_ms) AS newest FROM chunk WHERE series = ?';

/** Series that one commit to the catalog adds at most: it blocks for about 5 ms. */
const CATALOG_SLICE = 1000;

/** A slice that has run so long commits what it has. */
const SLICE_MS = 6;
const SLICE_BUFFERS = 256;

export interface ChunkWriterParts {
  readonly memtable: Memtable;
  readonly points: BufferPoints;
  readonly catalog: Catalog;
  readonly files: DayFiles;
  readonly devices: DeviceTable;
  readonly latest: LatestValues;
  readonly marks: ReplayMarks;
  readonly unrolled: UnrolledDays;
  readonly clock: Clock;
}

/**
 * Moves due buffers into day files. A slice is one transaction: chunks, marks and the log positions they speak of.
 *
 * Only what was committed leaves the memtable, in the same turn: a reader never misses a point, and a commit that fails
 * changes nothing.
 */
export class ChunkWriter {
  readonly #parts: ChunkWriterParts;
  /** For each touched day, rows of `progress` that may lie beyond the low-water mark, ascending by id. */
  readonly #progress = new Map<number, ProgressRow[]>();
  readonly #uncompacted = new Set<number>();
  /** By index of the list of readers. */
  partitions: readonly number[] = [];
  points = 0;
  chunks = 0;
  bytes = 0;
  commits = 0;

  constructor(parts: ChunkWriterParts) {
    this.#parts = parts;
  }

  /** The catalog lists this day as touched, and its file has these rows. */
  loadDay(day: number, rows: ProgressRow[]): void {
    this.#progress.set(day, rows);
  }

  /** The catalog does not list this day as uncompacted any more. */
  compacted(day: number): void {
    this.#uncompacted.delete(day);
  }

  /** The day's file may have marks beyond the low-water mark. */
  isTouched(day: number): boolean {
    return this.#progress.has(day);
  }

  touchedDays(): number[] {
    return [...this.#progress.keys()];
  }

  /** Touched days without a mark beyond these positions. */
  daysNotBeyond(positions: Positions): number[] {
    return this.touchedDays().filter((day) => this.#progress.get(day)!.every((row) => notBeyond(row.positions, positions)));
  }

  /** The catalog does not list them as touched any more. */
  untouch(days: readonly number[]): void {
    for (const day of days) this.#progress.delete(day);
  }

  /** The low-water mark has advanced to these positions. */
  passed(positions: Positions): void {
    for (const [day, rows] of this.#progress) {
      const kept = rows.findIndex((row) => !notBeyond(row.positions, positions));
      // The newest row stays, so that its id says what older ones may be pruned.
      if (kept > 0 || kept === -1) this.#progress.set(day, rows.slice(kept === -1 ? -1 : kept));
    }
  }

  /** Saves at most a slice of new series. @returns true when more are left */
  saveSeries(): boolean {
    const { devices, catalog } = this.#parts;
    const rows = devices.unsaved(CATALOG_SLICE);
    if (rows.length === 0) return false;
    try {
      catalog.save({ newSeries: rows });
    } catch (error) {
      throw storeFailed('new series', error);
    }
    devices.saved(rows.length);
    return devices.unsaved(1).length > 0;
  }

  /**
   * Seals due buffers of one day, as many as fit in a slice.
   *
   * @param positions where the log is consumed up to, now
   * @returns how many buffers; 0 where their series must be saved first
   * @throws SelsynError `telemetry.store-failed`: nothing was changed
   */
  seal(day: number, positions: Positions): number {
    const { memtable, devices, files } = this.#parts;
    const saved = devices.firstUnsaved;
    const buffers = memtable.dueOf(day, SLICE_BUFFERS).filter((buffer) => memtable.seriesOf(buffer) < saved);
    if (buffers.length === 0) return 0;
    buffers.sort((a, b) => memtable.seriesOf(a) - memtable.seriesOf(b));
    this.#announce(day, buffers);
    // Set aside: the file that is made now has none of its rows.
    if (!files.has(day)) this.#progress.set(day, []);
    try {
      const file = files.use(day);
      const sealed = inTransaction(file.db, () => this.#write(file, buffers, positions));
      files.setDirty(day);
      this.commits++;
      this.points += sealed.points;
      this.chunks += sealed.chunks;
      this.bytes += sealed.bytes;
      this.#progress.get(day)!.push(...sealed.progress);
      for (const [series, timeMs, value] of sealed.newest) this.#parts.latest.note(series, timeMs, value);
      for (const series of sealed.sure) this.#parts.latest.setSure(series);
      for (let i = 0; i < sealed.buffers; i++) memtable.release(buffers[i]!);
      return sealed.buffers;
    } catch (error) {
      files.failed(day, error);
      throw storeFailed('chunks', error);
    }
  }

  /** Tells the catalog of the day, and of series that have a newer last day now, before any chunk is there. */
  #announce(day: number, buffers: readonly BufferId[]): void {
    const { memtable, catalog, latest, unrolled } = this.#parts;
    const newer = buffers.map((buffer) => memtable.seriesOf(buffer)).filter((series) => latest.lastDay(series) < day);
    const touched = !this.#progress.has(day) || !this.#uncompacted.has(day);
    const rolled = !unrolled.has(day);
    if (newer.length === 0 && !touched && !rolled) return;
    try {
      catalog.save({
        lastDays: newer.map((series) => ({ series, day })),
        ...(touched ? { touchedDay: day } : {}),
        ...(rolled ? { unrolledDay: day } : {}),
      });
    } catch (error) {
      throw storeFailed('the days of chunks', error);
    }
    for (const series of newer) {
      latest.setLastDay(series, day);
      latest.setSure(series);
    }
    if (!this.#progress.has(day)) this.#progress.set(day, []);
    this.#uncompacted.add(day);
    if (rolled) unrolled.add(day);
  }

  #write(file: DayFile, buffers: readonly BufferId[], positions: Positions) {
    const { memtable, points, latest, clock } = this.#parts;
    const startMs = clock.monotonicMs();
    const progress = new ProgressRows(file, this.#parts.catalog.log, this.partitions);
    const marks = this.#parts.marks.of(file.day);
    const pruneBefore = this.#progress.get(file.day)![0]?.id;
    if (pruneBefore !== undefined) file.statement(PRUNE_PROGRESS).run(pruneBefore);
    let hours = 0;
    const sealed = {
      buffers: 0,
      points: 0,
      chunks: 0,
      bytes: 0,
      newest: [] as [number, number, number | boolean | string][],
      sure: [] as number[],
    };
    for (const buffer of buffers) {
      const series = memtable.seriesOf(buffer);
      const sorted = points.sorted(memtable, buffer);
      const newestMs = sorted.times[sorted.count - 1]!;
      if (latest.isUnsure(series) && latest.lastDay(series) === file.day && !storeIsNewer(file, series, newestMs))
        sealed.sure.push(series);
      const { chunks, bytes } = insertChunks(file, series, sorted);
      const before = marks?.get(series);
      const upto = before === undefined ? positions : positions.map((position, index) => Math.max(position, before[index]!));
      const staleHours = hoursOf(sorted, file.day);
      file.statement(UPSERT_MARK).run(series, progress.idOf(upto), staleHours | DAY_STALE, file.generation);
      hours |= staleHours;
      sealed.newest.push([series, newestMs, sorted.values[sorted.count - 1]!]);
      sealed.points += sorted.count;
      sealed.chunks += chunks;
      sealed.bytes += bytes;
      sealed.buffers++;
      if (clock.monotonicMs() - startMs > SLICE_MS) break;
    }
    const version = file.nextVersion();
    for (let hour = 0; hour < 24; hour++) if ((hours & (1 << hour)) !== 0) file.statement(SET_HOUR).run(hour, version);
    return { ...sealed, progress: progress.rows };
  }
}

/** The rows of `progress` that one commit adds: one, or some more during a replay. */
class ProgressRows {
  readonly #file: DayFile;
  readonly #log: number;
  readonly #partitions: readonly number[];
  readonly #ids = new Map<string, number>();
  readonly rows: ProgressRow[] = [];

  constructor(file: DayFile, log: number, partitions: readonly number[]) {
    this.#file = file;
    this.#log = log;
    this.#partitions = partitions;
  }

  idOf(positions: Positions): number {
    const newest = this.rows.at(-1);
    if (newest !== undefined && newest.positions === positions) return newest.id;
    const text = encodePositions(this.#partitions, positions);
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = Number(this.#file.statement(NEW_PROGRESS).run(this.#log, text).lastInsertRowid);
      this.#ids.set(text, id);
      this.rows.push({ id, positions });
    }
    return id;
  }
}

/**
 * Writes the points in chunks of about equal size.
 *
 * @param form what a full chunk has at most, and whether it is worth time to make it small
 */
export function insertChunks(
  file: DayFile,
  series: number,
  points: SortedPoints,
  form: ChunkForm = FRESH_CHUNKS,
): { readonly chunks: number; readonly bytes: number } {
  const { count, times, values } = points;
  const chunks = Math.ceil(count / form.fullPoints);
  let bytes = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const start = Math.floor((count * chunk) / chunks);
    const end = Math.floor((count * (chunk + 1)) / chunks);
    const part = values instanceof Float64Array ? values.subarray(start, end) : values.slice(start, end);
    const data = encodeChunk(times.subarray(start, end), part, end - start, form);
    file.statement(INSERT_CHUNK).run(series, times[start]!, times[end - 1]!, end - start, data);
    bytes += data.length;
  }
  return { chunks, bytes };
}

/** Bit h is set where a point lies in hour h of the day. */
function hoursOf({ count, times }: SortedPoints, day: number): number {
  const midnight = day * DAY_MS;
  let hours = 0;
  let endMs = -Infinity;
  for (let i = 0; i < count; i++) {
    if (times[i]! < endMs) continue;
    const hour = Math.floor((times[i]! - midnight) / HOUR_MS);
    hours |= 1 << hour;
    endMs = midnight + (hour + 1) * HOUR_MS;
    if (times[count - 1]! < endMs) break;
  }
  return hours;
}

function storeIsNewer(file: DayFile, series: number, timeMs: number): boolean {
  const newest = file.statement(NEWEST_OF_SERIES).get(series)?.['newest'];
  return typeof newest === 'number' && newest > timeMs;
}

function storeFailed(what: string, cause: unknown): SelsynError {
  return new SelsynError('telemetry.store-failed', `${what} could not be committed`, { cause, retryable: true });
}
