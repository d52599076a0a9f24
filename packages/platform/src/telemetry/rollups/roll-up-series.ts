import { isSelsynError } from '../../kernel/errors.ts';
import { decodeChunk } from '../codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, HOUR_MS } from '../day-file-schema.ts';
import type { DayFile } from '../day-files.ts';
import { mergeColumns, NO_POINTS, sliceTime, type Columns } from '../query-columns.ts';
import { decodeHours } from './rollup-codec.ts';
import { combineRollups, concatRollups, foldPoints, NO_ROLLUPS, sliceRollupRows, widenRollups } from './rollup-columns.ts';
import type { RollupColumns } from './rollup-columns.ts';
import type { RollupFiles } from './rollup-files.ts';

const CHUNKS = `SELECT id, start_ms, end_ms, data FROM chunk
  WHERE series = ? AND start_ms < ? AND end_ms >= ? ORDER BY start_ms LIMIT ?`;
type ChunkRow = readonly [id: number, startMs: number, endMs: number, data: Uint8Array];
const STORED = 'SELECT data FROM rollup WHERE period = ? AND series = ? AND generation = ?';

/** More chunks are not read at once: then it goes hour by hour. Up to two million points, some tens of ms. */
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
  /** How many chunks are not in it, or not wholly: see `rollUpSeries`. */
  readonly leftOut: number;
}

/** What is read of the chunks of a series. */
interface ChunkSource {
  readonly file: DayFile;
  readonly series: number;
  /** Takes the ids of chunks that are left out; undefined: they are not. */
  readonly leftOut: Set<number> | undefined;
}

/**
 * Computes stale hours from the chunks; the others are taken from the row that is stored. Points that lie beyond the times which the row
 * of their chunk tells are never in it: a bit of their times has changed.
 *
 * @param parts.leaveOut chunks that cannot be decoded, and says how many chunks are damaged. Without it they are `data.corrupt`
 * @throws SelsynError `data.corrupt`, and what SQLite throws
 */
export function rollUpSeries(parts: {
  readonly file: DayFile;
  readonly rollupFiles: RollupFiles;
  readonly stale: StaleSeries;
  readonly leaveOut: boolean;
}): SeriesRollups {
  const { file, stale } = parts;
  const source: ChunkSource = { file, series: stale.series, leftOut: parts.leaveOut ? new Set() : undefined };
  const stored = stale.rolled === 0 ? NO_ROLLUPS : storedHours(parts);
  // Let go before the points were, or broken: all hours are computed again.
  const mask = stored === undefined ? ALL_HOURS : stale.hours & ALL_HOURS;
  const computed = mask === 0 ? NO_ROLLUPS : foldPoints(pointsOf(source, mask), HOUR_MS);
  const hours = combineRollups([hoursOf(stored ?? NO_ROLLUPS, file.day, ~mask), hoursOf(computed, file.day, mask)]);
  const day = (stale.hours & DAY_STALE) === 0 ? undefined : widenRollups(hours, DAY_MS);
  return { stale, hours, day, leftOut: source.leftOut?.size ?? 0 };
}

function storedHours({
  file: { day },
  rollupFiles,
  stale: { series, generation },
}: Omit<Parameters<typeof rollUpSeries>[0], 'leaveOut'>): RollupColumns | undefined {
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
function* pointsOf(source: ChunkSource, mask: number): Generator<Columns> {
  const first = 31 - Math.clz32(mask & -mask);
  const end = 32 - Math.clz32(mask);
  const midnight = source.file.day * DAY_MS;
  const runs = runsOf(source, midnight + first * HOUR_MS, midnight + end * HOUR_MS, MANY_CHUNKS);
  if (runs !== undefined) yield* runs;
  else {
    for (let hour = first; hour < end; hour++) {
      if ((mask & (1 << hour)) === 0) continue;
      const fromMs = midnight + hour * HOUR_MS;
      yield* runsOf(source, fromMs, fromMs + HOUR_MS, Infinity)!;
    }
  }
}

/** The points with from <= time < to, the later write winning; undefined where they are in more chunks than `limit`. */
function runsOf(source: ChunkSource, fromMs: number, toMs: number, limit: number): Generator<Columns> | undefined {
  const { file, series } = source;
  const rows = file.rowStatement(CHUNKS).all(series, toMs, fromMs, limit === Infinity ? -1 : limit + 1) as unknown as ChunkRow[];
  return rows.length > limit ? undefined : mergedRuns(source, rows, fromMs, toMs);
}

function* mergedRuns(source: ChunkSource, rows: readonly ChunkRow[], fromMs: number, toMs: number): Generator<Columns> {
  for (let i = 0; i < rows.length;) {
    let next = i + 1;
    let [, , endMs] = rows[i]!;
    while (next < rows.length && rows[next]![1] <= endMs) endMs = Math.max(endMs, rows[next++]![2]);
    const points = (row: ChunkRow): Columns => sliceTime(pointsIn(source, row), fromMs, toMs);
    if (next === i + 1) yield points(rows[i]!);
    else {
      // In order of id: of equal times the later chunk wins, as when they are read.
      const writes = rows.slice(i, next).sort(([a], [b]) => a - b);
      yield mergeColumns(writes.map(points));
    }
    i = next;
  }
}

/** The points of a chunk that lie where its row says. */
function pointsIn({ leftOut }: ChunkSource, [id, startMs, endMs, data]: ChunkRow): Columns {
  let points: Columns;
  try {
    points = decodeChunk(data);
  } catch (error) {
    // Nothing else says that the bytes are no chunk: what SQLite throws, or a bug, is not about them.
    if (leftOut === undefined || !isSelsynError(error, 'data.corrupt')) throw error;
    leftOut.add(id);
    return NO_POINTS;
  }
  const within = sliceTime(points, startMs, endMs + 1);
  if (within !== points && within.times.length < points.times.length) leftOut?.add(id);
  return within;
}
