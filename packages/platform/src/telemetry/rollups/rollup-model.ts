import type { Buckets } from '../buckets.ts';
import { ChunkReader } from '../chunk-reader.ts';
import { DAY_MS, DAY_STALE, HOUR_MS } from '../day-file-schema.ts';
import type { HotRead, HotSeries } from '../hot-calls.ts';
import { mergeColumns, sliceTime, type Columns } from '../query-columns.ts';
import { QueryPace } from '../query-pace.ts';
import { SeriesWalk } from '../query-walk.ts';
import type { StoreHarness } from '../store-harness.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { combineRollups, foldPoints, type RollupColumns } from './rollup-columns.ts';
import { RollupReader } from './rollup-reader.ts';

/** For tests: one hour or day. Without `numbers` it has no least, no largest and no sum. */
export interface RollupRow {
  readonly startMs: number;
  readonly count: number;
  readonly numbers: number;
  readonly min?: number;
  readonly max?: number;
  readonly sum?: number;
  readonly firstTime: number;
  readonly lastTime: number;
  readonly first: PointValue;
  readonly last: PointValue;
}

/** Columns as rows. */
export function rowsOf(rollups: RollupColumns): RollupRow[] {
  return Array.from(rollups.startsMs, (startMs, i) => ({
    startMs,
    count: rollups.counts[i]!,
    numbers: rollups.numbers[i]!,
    ...(rollups.numbers[i] === 0 ? {} : { min: rollups.mins[i]!, max: rollups.maxs[i]!, sum: rollups.sums[i]! }),
    firstTime: rollups.firstTimes[i]!,
    lastTime: rollups.lastTimes[i]!,
    first: rollups.firsts[i]!,
    last: rollups.lasts[i]!,
  }));
}

/**
 * What rollups of points should be, in the simplest way there is. Sums are exact for numbers of few digits.
 *
 * @param generations points by time; what a later one has counts beside what an earlier one had
 */
export function naiveRollups(generations: readonly ReadonlyMap<number, PointValue>[], widthMs: number): RollupRow[] {
  return naiveRows(generations, (timeMs) => timeMs - (timeMs % widthMs));
}

/** The same, in buckets of any kind. */
export function naiveBuckets(generations: readonly ReadonlyMap<number, PointValue>[], buckets: Buckets): RollupRow[] {
  return naiveRows(generations, (timeMs) => {
    buckets.seek(timeMs);
    return buckets.startMs;
  });
}

function naiveRows(generations: readonly ReadonlyMap<number, PointValue>[], startOf: (timeMs: number) => number): RollupRow[] {
  const byStart = new Map<number, [number, PointValue][]>();
  for (const points of generations) {
    for (const [timeMs, value] of points) {
      const startMs = startOf(timeMs);
      const found = byStart.get(startMs) ?? [];
      found.push([timeMs, value]);
      byStart.set(startMs, found);
    }
  }
  return [...byStart]
    .sort(([a], [b]) => a - b)
    .map(([startMs, points]) => {
      // Stable: of equal times the earlier generation is first, and the later one last.
      const inOrder = points.sort(([a], [b]) => a - b);
      const numbers = inOrder.map(([, value]) => value).filter((value) => typeof value !== 'string');
      const numeric = numbers.map(Number);
      return {
        startMs,
        count: inOrder.length,
        numbers: numeric.length,
        ...(numeric.length === 0
          ? {}
          : { min: Math.min(...numeric), max: Math.max(...numeric), sum: numeric.reduce((sum, value) => sum + value, 0) }),
        firstTime: inOrder[0]![0],
        lastTime: inOrder.at(-1)![0],
        first: inOrder[0]![1],
        last: inOrder.at(-1)![1],
      };
    });
}

/** What a reader of the store finds of one series. */
export interface ReadRollups {
  /** Every hour that has points: of the rollups where they are complete, else of the points and of the rollups of points that are gone. */
  readonly hours: RollupRow[];
  /** Days of which nothing is stale or in memory only. */
  readonly days: RollupRow[];
  /** How many hours came from the rollups alone. */
  readonly rolledHours: number;
}

/** Reads some days of a device as a query does: memory first, then what is stale, then rollups, then points. By metric. */
export function readRollups(store: StoreHarness, device: string, days: readonly number[]): ReadonlyMap<string, ReadRollups> {
  const [fromMs, toMs] = [Math.min(...days) * DAY_MS, (Math.max(...days) + 1) * DAY_MS];
  const hot = store.writer.hot.read({ device, metrics: undefined, fromMs, toMs });
  using chunks = new ChunkReader({ telemetryDir: store.dir });
  using rollups = new RollupReader({ telemetryDir: store.dir });
  chunks.refresh(hot.daysVersion);
  rollups.refresh(hot.daysVersion);
  return new Map(hot.series.map((series) => [series.metric, readSeries({ store, hot, chunks, rollups, days }, series)]));
}

function readSeries(
  from: {
    readonly store: StoreHarness;
    readonly hot: HotRead;
    readonly chunks: ChunkReader;
    readonly rollups: RollupReader;
    /** Ascending. */
    readonly days: readonly number[];
  },
  series: HotSeries,
): ReadRollups {
  const { hot, chunks, rollups } = from;
  const found: { hours: RollupRow[]; days: RollupRow[]; rolledHours: number } = { hours: [], days: [], rolledHours: 0 };
  for (const day of from.days) {
    let stale = hot.unrolledDays.includes(day) ? chunks.staleHours(day, series.id) : 0;
    for (const timeMs of sliceTime(series, day * DAY_MS, (day + 1) * DAY_MS).times) {
      stale |= (1 << Math.floor((timeMs % DAY_MS) / HOUR_MS)) | DAY_STALE;
    }
    for (let hour = 0; hour < 24; hour++) {
      const startMs = day * DAY_MS + hour * HOUR_MS;
      const rolled = (stale & (1 << hour)) === 0;
      const rows = rowsOf(
        rolled
          ? rollups.read('1h', series.id, startMs, startMs + HOUR_MS)
          : combineRollups([
              rollups.read('1h', series.id, startMs, startMs + HOUR_MS, chunks.mark(day, series.id)?.generation),
              foldPoints([pointsOf(from, series, startMs, startMs + HOUR_MS)], HOUR_MS),
            ]),
      );
      if (rolled) found.rolledHours += rows.length;
      found.hours.push(...rows);
    }
    if (stale === 0) found.days.push(...rowsOf(rollups.read('1d', series.id, day * DAY_MS, (day + 1) * DAY_MS)));
  }
  return found;
}

function pointsOf(
  { store, chunks }: { readonly store: StoreHarness; readonly chunks: ChunkReader },
  series: HotSeries,
  fromMs: number,
  toMs: number,
): Columns {
  const pace = new QueryPace({ clock: store.clock, maxPoints: Infinity, signal: undefined });
  const walk = new SeriesWalk({
    reader: chunks,
    pace,
    series: series.id,
    hot: series,
    fromMs,
    toMs,
    days: chunks.days(fromMs, toMs),
  });
  const runs: Columns[] = [];
  while (walk.step(runs));
  return mergeColumns(runs);
}
