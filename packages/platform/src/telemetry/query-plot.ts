import { DAY_MS, HOUR_MS } from './day-file-schema.ts';
import type { HotSeries } from './hot-calls.ts';
import { largestTriangles, PixelColumns } from './plot-points.ts';
import {
  chunkDays,
  daysWithGone,
  eachRun,
  extentOf,
  hoursWithGone,
  lateDays,
  pendingHours,
  rollupsOfGone,
} from './query-aggregation.ts';
import type { Sources } from './query-aggregation.ts';
import { lackingBefore } from './query-coverage.ts';
import { type Level, type Piece, pieces, withLateDays, withoutPending } from './query-levels.ts';
import { concatRollups, NO_ROLLUPS, type RollupColumns, sliceRollups } from './rollups/rollup-columns.ts';
import type { RollupReader } from './rollups/rollup-reader.ts';
import type { PlotQuery, PointColumns } from './telemetry-queries.ts';

/**
 * Thins series for a plot of so many pixels.
 *
 * Where a pixel is at least as wide as an hour or a day, it is drawn of rollups: they know the peaks, and where in the hour one was is
 * less than a pixel. Hours of which the points are gone are drawn of rollups too, however narrow a pixel is.
 */
export class Plot {
  readonly #sources: Sources;
  readonly #query: PlotQuery;
  readonly #fromMs: number;
  readonly #toMs: number;
  /** What whole pixels are drawn of. */
  readonly level: Level;

  constructor(sources: Sources, query: PlotQuery) {
    this.#sources = sources;
    this.#query = query;
    const { fromMs, toMs } = extentOf(sources, query.fromMs, query.toMs);
    const own = isOpen(query) ? ownExtent(sources, fromMs, toMs) : { fromMs, toMs };
    this.#fromMs = Math.max(query.fromMs, own.fromMs);
    this.#toMs = Math.min(query.toMs, own.toMs);
    const pixelMs = (this.#toMs - this.#fromMs) / query.width;
    this.level = pixelMs >= DAY_MS ? '1d' : pixelMs >= HOUR_MS ? '1h' : 'raw';
  }

  /** @throws SelsynError `query.too-large` when there are more points to read than a query may */
  async series(): Promise<ReadonlyMap<number, PointColumns>> {
    const { hot, reader } = this.#sources;
    const wanted = new Set<number>();
    const pending = new Map(hot.series.map((series) => [series.id, pendingHours(this.#sources, series)]));
    if (this.level === 'raw') for (const day of reader.days(this.#fromMs, this.#toMs)) wanted.add(day);
    for (const edgeMs of [this.#fromMs, this.#toMs]) wanted.add(Math.floor(edgeMs / DAY_MS));
    for (const hours of pending.values()) for (const day of hours.keys()) wanted.add(day);
    const days = await chunkDays(this.#sources, wanted, this.#fromMs, this.#toMs);
    const answer = new Map<number, PointColumns>();
    for (const series of hot.series)
      answer.set(series.id, await this.#thin(series, days.get(series.id) ?? [], pending.get(series.id)!));
    return answer;
  }

  /** See PlotAnswer. */
  async pointsFromMs(): Promise<number | undefined> {
    const lackingMs = await lackingBefore(this.#sources, [{ level: 'raw', fromMs: this.#fromMs, toMs: this.#toMs }]);
    return lackingMs === undefined ? undefined : Math.min(lackingMs, this.#toMs);
  }

  async #thin(series: HotSeries, days: readonly number[], pending: ReadonlyMap<number, number>): Promise<PointColumns> {
    const { rollups, pace } = this.#sources;
    const pixels = new PixelColumns(this.#fromMs, this.#toMs, this.#query.width);
    const stored = new Set([...days, ...pending.keys()]);
    for (const piece of this.#pieces(series, stored, this.#daysWithGone(series, days), pending)) {
      const gone = piece.level === 'pending' ? rollupsOfGone(this.#sources, series, piece) : NO_ROLLUPS;
      if (gone.startsMs.length > 0) addRollups(pixels, await hoursWithGone(this.#sources, series, piece, days, gone));
      else if (piece.level === 'raw' || piece.level === 'pending') {
        await eachRun(this.#sources, series, piece, days, ({ times, values }) => {
          for (let i = 0; i < times.length; i++) pixels.add(times[i]!, values[i]!);
        });
      } else if (piece.level === 'late') addRollups(pixels, await daysWithGone(this.#sources, series, piece, days));
      else if (piece.level === '1d') addRollups(pixels, rollups.read('1d', series.id, piece.fromMs, piece.toMs));
      else addRollups(pixels, hoursOrDays(rollups, series.id, piece));
      if (pace.due) await pace.pause();
    }
    const thinned = pixels.finish();
    return this.#query.method === 'lttb' ? largestTriangles(thinned, this.#query.width) : thinned;
  }

  /** Days of which there are points that came after others were let go: these are known by the hours. */
  #daysWithGone({ id }: HotSeries, days: readonly number[]): ReadonlySet<number> {
    const { reader, rollups } = this.#sources;
    if (this.level !== 'raw' || days.length === 0) return new Set();
    const stored = new Set(days);
    const rolled = rollups.daysWith('1d', id, this.#fromMs, this.#toMs).filter(({ day }) => stored.has(day));
    return new Set(rolled.filter(({ day, generation }) => reader.mark(day, id)?.generation !== generation).map(({ day }) => day));
  }

  /**
   * @param stored the days of which there are points of the series
   * @param withGone those of them of which there were others
   */
  #pieces(
    series: HotSeries,
    stored: ReadonlySet<number>,
    withGone: ReadonlySet<number>,
    pending: ReadonlyMap<number, number>,
  ): Piece[] {
    const whole = pieces(this.#fromMs, this.#toMs, this.level);
    const fit = withoutPending(withLateDays(whole, lateDays(this.#sources, series, whole, pending)), pending);
    return fit.flatMap((piece) => (piece.level === 'raw' ? whereStored(piece, stored, withGone) : [piece]));
  }
}

/** Days without points of the series are answered from the hours. */
function whereStored({ fromMs, toMs }: Piece, stored: ReadonlySet<number>, withGone: ReadonlySet<number>): Piece[] {
  const cut: Piece[] = [];
  for (let atMs = fromMs; atMs < toMs;) {
    const day = Math.floor(atMs / DAY_MS);
    const endMs = Math.min(toMs, (day + 1) * DAY_MS);
    const isWhole = stored.has(day) && !withGone.has(day);
    if (isWhole) cut.push({ level: 'raw', fromMs: atMs, toMs: endMs });
    else if (stored.has(day)) {
      for (const piece of pieces(atMs, endMs, '1h')) cut.push(piece.level === '1h' ? { ...piece, level: 'pending' } : piece);
    } else cut.push(...pieces(atMs, endMs, '1h'));
    atMs = endMs;
  }
  return cut;
}

/** The hours of a piece; of days of which no hour is kept any more, the day. */
function hoursOrDays(rollups: RollupReader, series: number, { fromMs, toMs }: Piece): RollupColumns {
  const hours = rollups.read('1h', series, fromMs, toMs);
  const [firstMs, endMs] = [Math.ceil(fromMs / DAY_MS) * DAY_MS, Math.floor(toMs / DAY_MS) * DAY_MS];
  if (firstMs >= endMs) return hours;
  const days = rollups.read('1d', series, firstMs, endMs);
  const known = new Set(Array.from(hours.startsMs, (startMs) => Math.floor(startMs / DAY_MS)));
  const alone = days.startsMs.filter((startMs) => !known.has(startMs / DAY_MS));
  if (alone.length === 0) return hours;
  const parts: RollupColumns[] = [];
  let atMs = fromMs;
  for (const startMs of alone) {
    parts.push(sliceRollups(hours, atMs, startMs), sliceRollups(days, startMs, startMs + DAY_MS));
    atMs = startMs + DAY_MS;
  }
  return concatRollups([...parts, sliceRollups(hours, atMs, toMs)]);
}

/** The peaks of an hour lie somewhere between its first and its last point. */
function addRollups(pixels: PixelColumns, rollups: RollupColumns): void {
  for (let i = 0; i < rollups.startsMs.length; i++) {
    const [firstMs, lastMs] = [rollups.firstTimes[i]!, rollups.lastTimes[i]!];
    pixels.add(firstMs, rollups.firsts[i]!);
    if (rollups.counts[i]! > 2 && rollups.numbers[i]! > 0 && lastMs - firstMs >= 3) {
      pixels.add(firstMs + Math.floor((lastMs - firstMs) / 3), rollups.mins[i]!);
      pixels.add(firstMs + Math.floor(((lastMs - firstMs) * 2) / 3), rollups.maxs[i]!);
    }
    if (lastMs > firstMs) pixels.add(lastMs, rollups.lasts[i]!);
  }
}

function isOpen({ fromMs, toMs }: PlotQuery): boolean {
  return toMs - fromMs > 20 * 365 * DAY_MS;
}

/** Where the asked series themselves begin and end: a plot of "everything" is as wide as what there is. */
function ownExtent({ reader, rollups, hot }: Sources, fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  let firstMs = Infinity;
  let endMs = -Infinity;
  const see = (startMs: number, afterMs: number): void => {
    firstMs = Math.min(firstMs, startMs);
    endMs = Math.max(endMs, afterMs);
  };
  const ids = hot.series.map(({ id }) => id);
  for (const { id, times } of hot.series) {
    const { startsMs, firstTimes, lastTimes } = rollups.read('1d', id, fromMs, toMs);
    if (startsMs.length > 0) see(firstTimes[0]!, lastTimes[startsMs.length - 1]! + 1);
    if (times.length > 0) see(times[0]!, times[times.length - 1]! + 1);
  }
  for (const day of hot.unrolledDays) {
    if (reader.counts(day, ids, day * DAY_MS, (day + 1) * DAY_MS).size > 0) see(day * DAY_MS, Math.min(toMs, (day + 1) * DAY_MS));
  }
  return firstMs === Infinity ? { fromMs, toMs: fromMs } : { fromMs: firstMs, toMs: endMs };
}
