import { isSelsynError } from '../../kernel/errors.ts';
import { decodeChunk } from '../codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, HOUR_MS } from '../day-file-schema.ts';
import type { DayFile } from '../day-files.ts';
import { mergeColumns, sliceTime, type Columns } from '../query-columns.ts';
import { decodeHours } from './rollup-codec.ts';
import { combineRollups, concatRollups, foldPoints, NO_ROLLUPS, sliceRollupRows, widenRollups } from './rollup-columns.ts';
import type { RollupColumns } from './rollup-columns.ts';
import type { RollupFiles } from './rollup-files.ts';

const CHUNKS = `SELECT id, start_ms, end_ms, data FROM chunk
  WHERE series = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms LIMIT ?`;
type ChunkRow = readonly [id: number, startMs: number, endMs: number, data: Uint8Array];
const STORED = 'SELECT data FROM rollup WHERE period = ? AND series = ? AND generation = ?';

/** More chunks are not read at once: then it goes hour by hour. Up to a million points, some tens of ms. */
const MANY_CHUNKS = 1024;

/** A mark with hours to roll up. */
export interface StaleSeries {
  readonly series: number;
  readonly generation: number;
  /** `mark.progress`: what the mark speaks of. */
  readonly progress: number;
  /** Bits of `mark.hours` that are due: stale hours that are over, and the day. */
  readonly hours: number;
  /** Hours that are not stale. */
  readonly rolled: number;
}

/** What the rollups of a series and day are now. */
export interface SeriesRollups {
  readonly stale: StaleSeries;
  readonly hours: RollupColumns;
  /** Undefined where that of the day is not due. */
  readonly day: RollupColumns | undefined;
}

/** Computes stale hours from the chunks; the others are taken from the row that is stored. Throws what SQLite throws, and `data.corrupt`. */
export function rollUpSeries(parts: {
  readonly file: DayFile;
  readonly rollupFiles: RollupFiles;
  readonly stale: StaleSeries;
}): SeriesRollups {
  const { file, stale } = parts;
  const stored = stale.rolled === 0 ? NO_ROLLUPS : storedHours(parts);
  // Let go before the points were, or broken: all hours are computed again.
  const mask = stored === undefined ? ALL_HOURS : stale.hours & ALL_HOURS;
  const computed = mask === 0 ? NO_ROLLUPS : foldPoints(pointsOf(file, stale.series, mask), HOUR_MS);
  const hours = combineRollups([hoursOf(stored ?? NO_ROLLUPS, file.day, ~mask), hoursOf(computed, file.day, mask)]);
  return { stale, hours, day: (stale.hours & DAY_STALE) === 0 ? undefined : widenRollups(hours, DAY_MS) };
}

function storedHours({
  file: { day },
  rollupFiles,
  stale: { series, generation },
}: Parameters<typeof rollUpSeries>[0]): RollupColumns | undefined {
  if (!rollupFiles.has('1h', day)) return undefined;
  const row = rollupFiles.read('1h', day, (file) => file.statement(STORED).get(day, series, generation));
  if (row === undefined) return undefined;
  try {
    return decodeHours(row['data'] as Uint8Array, day * DAY_MS);
  } catch (error) {
    if (isSelsynError(error, 'data.corrupt')) return undefined;
    throw error;
  }
}

/** The rows of the hours whose bit is set. */
function hoursOf(rollups: RollupColumns, day: number, mask: number): RollupColumns {
  const { startsMs } = rollups;
  const runs: RollupColumns[] = [];
  for (let i = 0; i < startsMs.length;) {
    const start = i;
    while (i < startsMs.length && isIn(mask, startsMs[i]!, day)) i++;
    if (i > start) runs.push(start === 0 && i === startsMs.length ? rollups : sliceRollupRows(rollups, start, i));
    while (i < startsMs.length && !isIn(mask, startsMs[i]!, day)) i++;
  }
  return concatRollups(runs);
}

function isIn(mask: number, startMs: number, day: number): boolean {
  return (mask & (1 << ((startMs - day * DAY_MS) / HOUR_MS))) !== 0;
}

/** The points from the first to the last of the hours, each run later than the one before. */
function* pointsOf(file: DayFile, series: number, mask: number): Generator<Columns> {
  const first = 31 - Math.clz32(mask & -mask);
  const end = 32 - Math.clz32(mask);
  const midnight = file.day * DAY_MS;
  const runs = runsOf(file, series, midnight + first * HOUR_MS, midnight + end * HOUR_MS, MANY_CHUNKS);
  if (runs !== undefined) yield* runs;
  else {
    for (let hour = first; hour < end; hour++) {
      if ((mask & (1 << hour)) === 0) continue;
      const fromMs = midnight + hour * HOUR_MS;
      yield* runsOf(file, series, fromMs, fromMs + HOUR_MS, Infinity)!;
    }
  }
}

/** The points with from <= time < to, the later write winning; undefined where they are in more chunks than `limit`. */
function runsOf(file: DayFile, series: number, fromMs: number, toMs: number, limit: number): Generator<Columns> | undefined {
  const rows = file.rowStatement(CHUNKS).all(series, toMs, fromMs, limit === Infinity ? -1 : limit + 1) as unknown as ChunkRow[];
  return rows.length > limit ? undefined : mergedRuns(rows, fromMs, toMs);
}

function* mergedRuns(rows: readonly ChunkRow[], fromMs: number, toMs: number): Generator<Columns> {
  for (let i = 0; i < rows.length;) {
    let next = i + 1;
    let [, , endMs] = rows[i]!;
    while (next < rows.length && rows[next]![1] <= endMs) endMs = Math.max(endMs, rows[next++]![2]);
    const points = (row: ChunkRow): Columns => sliceTime(decodeChunk(row[3]), fromMs, toMs);
    if (next === i + 1) yield points(rows[i]!);
    else {
      // In order of id: of equal times the later chunk wins, as when they are read.
      const writes = rows.slice(i, next).sort(([a], [b]) => a - b);
      yield mergeColumns(writes.map(points));
    }
    i = next;
  }
}
