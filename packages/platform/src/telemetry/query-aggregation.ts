import { openBuckets } from './buckets.ts';
import { type BucketAllowance, BucketFold } from './buckets-fold.ts';
import type { ZoneOffsets } from './buckets-zone.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { DAY_MS, HOUR_MS } from './day-file-schema.ts';
import type { HotRead, HotSeries } from './hot-calls.ts';
import type { Columns } from './query-columns.ts';
import { lackingBefore } from './query-coverage.ts';
import { addHoursOf, exactPieces, type Piece, withLateDays, withoutPending } from './query-levels.ts';
import type { QueryPace } from './query-pace.ts';
import { SeriesWalk } from './query-walk.ts';
import { combineRollups, concatRollups, foldPoints, NO_ROLLUPS, sliceRollupRows } from './rollups/rollup-columns.ts';
import type { RollupColumns } from './rollups/rollup-columns.ts';
import { joinedSpans, type RollupReader, type TimeSpan } from './rollups/rollup-reader.ts';
import type { AggregateQuery, PointColumns } from './telemetry-queries.ts';

/** Where everything is read from, in the order that makes an answer exact: what is hot was asked first. */
export interface Sources {
  readonly reader: ChunkReader;
  readonly rollups: RollupReader;
  readonly hot: HotRead;
  readonly pace: QueryPace;
}

/** [fromMs, toMs) as far as there is anything stored or hot in it. */
export function extentOf({ reader, rollups, hot }: Sources, fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  let firstMs = Infinity;
  let endMs = -Infinity;
  const days = reader.days(fromMs, toMs);
  if (days.length > 0) {
    firstMs = days[0]! * DAY_MS;
    endMs = (days[days.length - 1]! + 1) * DAY_MS;
  }
  const { extent } = rollups;
  if (extent !== undefined) {
    firstMs = Math.min(firstMs, extent.fromMs);
    endMs = Math.max(endMs, extent.toMs);
  }
  for (const { times } of hot.series) {
    if (times.length === 0) continue;
    firstMs = Math.min(firstMs, times[0]!);
    endMs = Math.max(endMs, times[times.length - 1]! + 1);
  }
  return { fromMs: Math.max(fromMs, firstMs), toMs: Math.min(toMs, endMs) };
}

/** Of [fromMs, toMs) the whole days of which anything may be stored or hot, ascending: a device without a clock has points in 1970. */
export function spansOf({ reader, rollups, hot }: Sources, fromMs: number, toMs: number): TimeSpan[] {
  const spans = Array.from(reader.days(fromMs, toMs), (day) => ({ fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS }));
  for (const { times } of hot.series) {
    if (times.length === 0) continue;
    const endMs = (Math.floor(times[times.length - 1]! / DAY_MS) + 1) * DAY_MS;
    spans.push({ fromMs: Math.floor(times[0]! / DAY_MS) * DAY_MS, toMs: endMs });
  }
  return joinedSpans([...spans, ...rollups.spans])
    .map((span) => ({ fromMs: Math.max(fromMs, span.fromMs), toMs: Math.min(toMs, span.toMs) }))
    .filter((span) => span.fromMs < span.toMs);
}

/** The hours of a series of which its rollups do not say everything: of day files that are not rolled up, and of hot points. */
export function pendingHours({ reader, hot }: Sources, series: HotSeries): Map<number, number> {
  const pending = new Map<number, number>();
  for (const day of hot.unrolledDays) {
    const hours = reader.staleHours(day, series.id);
    if (hours !== 0) pending.set(day, hours);
  }
  addHoursOf(series.times, pending);
  return pending;
}

/** UTC days of which any piece is read as points. */
export function rawDays(pieces: readonly Piece[]): Set<number> {
  const days = new Set<number>();
  for (const { level, fromMs, toMs } of pieces) {
    if (level === 'raw' || level === 'pending')
      for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) days.add(day);
  }
  return days;
}

/** The days on which each series has chunks, of those that are asked for, found without reading a point. Ascending. */
export async function chunkDays(
  { reader, hot, pace }: Sources,
  wanted: ReadonlySet<number>,
  fromMs: number,
  toMs: number,
): Promise<ReadonlyMap<number, readonly number[]>> {
  const found = new Map<number, number[]>(hot.series.map(({ id }) => [id, []]));
  const ids = [...found.keys()];
  let points = 0;
  // Newest first: the handles of the oldest days, which are read first, are then still open.
  const days = ids.length === 0 ? [] : [...reader.days(fromMs, toMs)].reverse().filter((day) => wanted.has(day));
  for (const day of days) {
    for (const [id, count] of reader.counts(day, ids, fromMs, toMs)) {
      points += count;
      found.get(id)?.push(day);
    }
    pace.check(points);
    if (pace.due) await pace.pause();
  }
  for (const list of found.values()) list.reverse();
  return found;
}

/** Calls `take` with the points of a piece, in ascending runs. */
export async function eachRun(
  { reader, pace }: Sources,
  series: HotSeries,
  { fromMs, toMs }: Pick<Piece, 'fromMs' | 'toMs'>,
  days: readonly number[],
  take: (run: Columns) => void,
): Promise<void> {
  const within = days.filter((day) => day * DAY_MS < toMs && (day + 1) * DAY_MS > fromMs);
  const walk = new SeriesWalk({ reader, pace, series: series.id, hot: series, fromMs, toMs, days: within });
  for (let runs: Columns[] = []; walk.step(runs); runs = []) {
    for (const run of runs) take(run);
    if (pace.due) await pace.pause();
  }
}

/**
 * The hours of a pending piece of which points were let go before those came that there are now: what is known of these lies in rollups of
 * another generation than that of the day file.
 */
export function rollupsOfGone({ reader, rollups }: Sources, series: HotSeries, { fromMs, toMs }: Piece): RollupColumns {
  if (!rollups.hasFiles) return NO_ROLLUPS;
  const found: RollupColumns[] = [];
  for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) {
    const [startMs, endMs] = [Math.max(fromMs, day * DAY_MS), Math.min(toMs, (day + 1) * DAY_MS)];
    // Mostly there are none. Then the mark is not looked for: where the day has no file yet, that is a look at the folder each time.
    if (rollups.read('1h', series.id, startMs, endMs).startsMs.length === 0) continue;
    const gone = rollups.read('1h', series.id, startMs, endMs, reader.mark(day, series.id)?.generation);
    if (gone.startsMs.length > 0) found.push(gone);
  }
  return concatRollups(found);
}

/** Of the pending days that whole days among the pieces cover, those of which points were let go before. Ascending. */
export function lateDays(
  { reader, rollups }: Sources,
  { id }: HotSeries,
  pieces: readonly Piece[],
  pending: ReadonlyMap<number, number>,
): number[] {
  const whole = pieces.filter(({ level }) => level === '1d');
  if (whole.length === 0 || !rollups.hasFiles) return [];
  return [...pending.keys()]
    .filter((day) => {
      const [startMs, endMs] = [day * DAY_MS, (day + 1) * DAY_MS];
      if (!whole.some(({ fromMs, toMs }) => fromMs <= startMs && endMs <= toMs)) return false;
      if (rollups.read('1d', id, startMs, endMs).startsMs.length === 0) return false;
      return rollups.read('1d', id, startMs, endMs, reader.mark(day, id)?.generation).startsMs.length > 0;
    })
    .sort((a, b) => a - b);
}

/** The days of a late piece: of the points that there are, and of what is known of those that were let go. */
export async function daysWithGone(
  sources: Sources,
  series: HotSeries,
  { fromMs, toMs }: Piece,
  days: readonly number[],
): Promise<RollupColumns> {
  const { reader, rollups } = sources;
  const found: RollupColumns[] = [];
  for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) {
    const whole = { fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS };
    const gone = rollups.read('1d', series.id, whole.fromMs, whole.toMs, reader.mark(day, series.id)?.generation);
    const runs: Columns[] = [];
    await eachRun(sources, series, whole, days, (run) => runs.push(run));
    found.push(combineRollups([gone, foldPoints(runs, DAY_MS)]));
  }
  return concatRollups(found);
}

/** The hours of a pending piece, of points that there are and of those that were let go. */
export async function hoursWithGone(
  sources: Sources,
  series: HotSeries,
  piece: Piece,
  days: readonly number[],
  gone: RollupColumns,
): Promise<RollupColumns> {
  const runs: Columns[] = [];
  await eachRun(sources, series, piece, days, (run) => runs.push(run));
  return combineRollups([gone, foldPoints(runs, HOUR_MS)]);
}

/** One series in buckets, each from the coarsest levels that give it exactly. */
export class Aggregation {
  readonly #sources: Sources;
  readonly #query: AggregateQuery;
  readonly #zone: ZoneOffsets;
  readonly #allowance: BucketAllowance;
  readonly #pieces: readonly Piece[];
  readonly #pending = new Map<number, ReadonlyMap<number, number>>();

  constructor(sources: Sources, query: AggregateQuery, zone: ZoneOffsets) {
    this.#sources = sources;
    this.#query = query;
    this.#zone = zone;
    this.#allowance = { left: query.limit, limit: query.limit };
    const buckets = openBuckets(query.every, zone);
    this.#pieces = spansOf(sources, query.fromMs, query.toMs).flatMap(({ fromMs, toMs }) => exactPieces(fromMs, toMs, buckets));
  }

  /** See AggregateAnswer. */
  async incompleteBeforeMs(): Promise<number | undefined> {
    const lackingMs = await lackingBefore(this.#sources, this.#pieces);
    return lackingMs === undefined ? undefined : Math.min(lackingMs, this.#query.toMs);
  }

  /** The days with points to read, for each series. @throws SelsynError `query.too-large` when they are more than a query may read */
  async chunkDays(): Promise<ReadonlyMap<number, readonly number[]>> {
    const { hot, pace } = this.#sources;
    const wanted = rawDays(this.#pieces);
    for (const series of hot.series) {
      const pending = pendingHours(this.#sources, series);
      this.#pending.set(series.id, pending);
      for (const day of pending.keys()) wanted.add(day);
      if (pace.due) await pace.pause();
    }
    return await chunkDays(this.#sources, wanted, this.#query.fromMs, this.#query.toMs);
  }

  /** @throws SelsynError `query.too-large` with one bucket too many */
  async of(series: HotSeries, days: readonly number[]): Promise<PointColumns> {
    const fold = new BucketFold({
      buckets: openBuckets(this.#query.every, this.#zone),
      fn: this.#query.fn,
      allowance: this.#allowance,
    });
    const { rollups, pace } = this.#sources;
    const pending = this.#pending.get(series.id)!;
    const late = lateDays(this.#sources, series, this.#pieces, pending);
    for (const piece of withoutPending(withLateDays(this.#pieces, late), pending)) {
      const gone = piece.level === 'pending' ? rollupsOfGone(this.#sources, series, piece) : NO_ROLLUPS;
      if (gone.startsMs.length > 0) fold.addRollups(await hoursWithGone(this.#sources, series, piece, days, gone));
      else if (piece.level === 'raw' || piece.level === 'pending') {
        await eachRun(this.#sources, series, piece, days, (run) => fold.add(run));
      } else if (piece.level === 'late') fold.addRollups(await daysWithGone(this.#sources, series, piece, days));
      else await this.#addRollups(fold, series, rollups.read(piece.level, series.id, piece.fromMs, piece.toMs), piece.level);
      if (pace.due) await pace.pause();
    }
    return fold.finish();
  }
  /** A mean is known by the points alone where their sum is beyond the largest number. */
  async #addRollups(fold: BucketFold, series: HotSeries, rollups: RollupColumns, level: '1h' | '1d'): Promise<void> {
    const { startsMs, counts, sums } = rollups;
    if (this.#query.fn !== 'mean' || sums.every((sum) => Number.isFinite(sum))) {
      fold.addRollups(rollups);
      return;
    }
    for (const [index, fromMs] of startsMs.entries()) {
      const runs: Columns[] = [];
      if (!Number.isFinite(sums[index])) {
        const toMs = fromMs + (level === '1d' ? DAY_MS : HOUR_MS);
        const days = [...this.#sources.reader.days(fromMs, toMs)];
        await eachRun(this.#sources, series, { fromMs, toMs }, days, (run) => runs.push(run));
      }
      const isWhole = runs.reduce((sum, { times }) => sum + times.length, 0) === counts[index];
      if (isWhole) for (const run of runs) fold.add(run);
      else fold.addRollups(sliceRollupRows(rollups, index, index + 1));
    }
  }
}
