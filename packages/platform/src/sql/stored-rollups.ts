import type { ChunkReader } from '../telemetry/chunk-reader.ts';
import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { Columns } from '../telemetry/query-columns.ts';
import { addHoursOf, withLateDays, withoutPending, type Piece } from '../telemetry/query-levels.ts';
import type { QueryPace } from '../telemetry/query-pace.ts';
import { SeriesWalk } from '../telemetry/query-walk.ts';
import {
  combineRollups,
  concatRollups,
  foldPoints,
  sliceRollups,
  widenRollups,
  type RollupColumns,
} from '../telemetry/rollups/rollup-columns.ts';
import type { RollupLevel } from '../telemetry/rollups/rollup-file.ts';
import type { RollupReader } from '../telemetry/rollups/rollup-reader.ts';
import type { HotPoints } from './hot-points.ts';
import { intersectSpans, joinSpans, type TimeSpan } from './time-spans.ts';

export interface StoredRollupsParts {
  readonly reader: ChunkReader;
  readonly rollups: RollupReader;
  readonly hot: HotPoints;
  readonly pace: QueryPace;
  /** As `timesOf` gives them. */
  readonly times: readonly TimeSpan[];
}

/** The whole days in which there may be anything: between them lie gaps, long ones where the clock of a device was wrong. */
export function timesOf(reader: ChunkReader, rollups: RollupReader, hot: HotPoints): TimeSpan[] {
  const days = [...reader.days(-Infinity, Infinity), ...[...hot.hours].map((hour) => Math.floor(hour / 24))];
  return joinSpans([...rollups.spans, ...days.map((day) => ({ fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS }))]);
}

/**
 * The hours, or UTC days, of a series that begin in a span: from rollups where these say everything, else from the points
 * that there are and the rollups of those that were let go before.
 */
export function rollupsOf(parts: StoredRollupsParts, level: RollupLevel, series: number, span: TimeSpan): RollupColumns {
  const { reader, hot } = parts;
  const widthMs = level === '1h' ? HOUR_MS : DAY_MS;
  const whole = { fromMs: Math.ceil(span.fromMs / widthMs) * widthMs, toMs: Math.ceil(span.toMs / widthMs) * widthMs };
  const times = intersectSpans([whole], parts.times);
  if (times.length === 0) return concatRollups([]);
  const pending = new Map<number, number>();
  for (const day of hot.unrolledDays) {
    const hours = reader.staleHours(day, series);
    if (hours !== 0) pending.set(day, hours);
  }
  addHoursOf(hot.of(series).times, pending);
  const late = level === '1d' ? [...pending.keys()].filter((day) => goneDay(parts, series, day).startsMs.length > 0) : [];
  const unsure = { pending, late: late.toSorted((a, b) => a - b) };
  return concatRollups(times.map((time) => rollupsWithin(parts, level, series, time, unsure)));
}

/**
 * @param time of whole hours or days
 * @param unsure days of which the rollups do not say everything, and those of them that had points which were let go
 */
function rollupsWithin(
  parts: StoredRollupsParts,
  level: RollupLevel,
  series: number,
  { fromMs, toMs }: TimeSpan,
  { pending, late }: { readonly pending: ReadonlyMap<number, number>; readonly late: readonly number[] },
): RollupColumns {
  const whole = withLateDays([{ level, fromMs, toMs }], late);
  const pieces = withoutPending(whole, pending);
  const found = pieces.map((piece) =>
    piece.level === 'pending'
      ? pendingHours(parts, series, piece)
      : piece.level === 'late'
        ? daysWithGone(parts, series, piece)
        : parts.rollups.read(piece.level as RollupLevel, series, piece.fromMs, piece.toMs),
  );
  const all = concatRollups(found);
  // Days of which some hours are pending were read hour by hour.
  return sliceRollups(level === '1d' && pieces.length > 1 ? widenRollups(all, DAY_MS) : all, fromMs, toMs);
}

/** What is known of a day of points that were let go: of those that there are it says nothing. */
function goneDay({ reader, rollups }: StoredRollupsParts, series: number, day: number): RollupColumns {
  return rollups.read('1d', series, day * DAY_MS, (day + 1) * DAY_MS, reader.mark(day, series)?.generation);
}

/** Their hours may be gone too. */
function daysWithGone(parts: StoredRollupsParts, series: number, { fromMs, toMs }: Piece): RollupColumns {
  const { reader, hot, pace } = parts;
  const found: RollupColumns[] = [];
  for (let day = fromMs / DAY_MS; day * DAY_MS < toMs; day++) {
    const [startMs, endMs] = [day * DAY_MS, (day + 1) * DAY_MS];
    const walk = new SeriesWalk({ reader, pace, series, hot: hot.of(series), fromMs: startMs, toMs: endMs, days: [day] });
    const runs: Columns[] = [];
    while (walk.step(runs));
    found.push(combineRollups([goneDay(parts, series, day), foldPoints(runs, DAY_MS)]));
  }
  return concatRollups(found);
}

function pendingHours({ reader, rollups, hot, pace }: StoredRollupsParts, series: number, piece: Piece): RollupColumns {
  const { fromMs, toMs } = piece;
  const walk = new SeriesWalk({ reader, pace, series, hot: hot.of(series), fromMs, toMs, days: reader.days(fromMs, toMs) });
  const runs: Columns[] = [];
  while (walk.step(runs));
  const gone: RollupColumns[] = [];
  for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) {
    const [startMs, endMs] = [Math.max(fromMs, day * DAY_MS), Math.min(toMs, (day + 1) * DAY_MS)];
    gone.push(rollups.read('1h', series, startMs, endMs, reader.mark(day, series)?.generation));
  }
  return combineRollups([concatRollups(gone), foldPoints(runs, HOUR_MS)]);
}
