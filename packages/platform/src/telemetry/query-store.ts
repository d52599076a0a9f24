import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import { openBuckets } from './buckets.ts';
import { ZoneOffsets } from './buckets-zone.ts';
import { ChunkReader } from './chunk-reader.ts';
import { DAY_MS } from './day-file-schema.ts';
import type { HotCalls, HotLatestSeries, HotRead, HotSeries } from './hot-calls.ts';
import { Aggregation, extentOf, type Sources } from './query-aggregation.ts';
import { concatColumns, NO_POINTS, sliceIndex, type Columns } from './query-columns.ts';
import { lackingBefore } from './query-coverage.ts';
import { decodeRangeCursor, encodeRangeCursor, type RangeCursor } from './query-cursor.ts';
import { DeadLetterReader, type DeadLetterPage } from './query-dead-letters.ts';
import { QueryPace } from './query-pace.ts';
import { Plot } from './query-plot.ts';
import { SeriesWalk } from './query-walk.ts';
import { RollupReader } from './rollups/rollup-reader.ts';
import { SettledReads } from './settled-reads.ts';
import type { AggregateAnswer, AggregateQuery, LatestValue, PlotAnswer, PlotQuery, PointColumns } from './telemetry-queries.ts';
import type { RangeAnswer, RangeQuery } from './telemetry-queries.ts';
import type { TelemetryEraser, TelemetryQueries } from './telemetry-queries.ts';

const MAX_POINTS_READ = 50_000_000;
const MAX_ZONES = 64;
/** Range queries guess that a chunk holds at least so many points when they choose how many to read at first. */
const LIKELY_CHUNK_POINTS = 256;

export interface StoreQueriesOptions {
  readonly telemetryDir: string;
  /** To the processor thread. */
  readonly hot: Pick<ThreadCaller<HotCalls>, 'call'>;
  /** What the processor tells of its memory without being asked (hot-days.ts). Without it, it is asked each time. */
  readonly hotDays?: SharedArrayBuffer;
  readonly clock: Pick<Clock, 'monotonicMs' | 'now'>;
  /** What one query may read before it fails with `query.too-large`. */
  readonly maxPointsRead?: number;
}

/**
 * Answers from what the processor holds in memory, asked first, and from the day files, read afterwards in this thread:
 * whatever is committed in between is in both, so nothing is missed. Long reads leave the event loop to others every 5 ms.
 */
export class StoreQueries implements TelemetryQueries, TelemetryEraser, Disposable {
  readonly #hot: Pick<ThreadCaller<HotCalls>, 'call'>;
  readonly #settled: SettledReads | undefined;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'now'>;
  readonly #maxPoints: number;
  readonly #reader: ChunkReader;
  readonly #rollups: RollupReader;
  readonly #deadLetters: DeadLetterReader;
  readonly #zones = new Map<string, ZoneOffsets>();

  constructor(options: StoreQueriesOptions) {
    const { telemetryDir, hotDays } = options;
    this.#hot = options.hot;
    this.#settled = hotDays === undefined ? undefined : new SettledReads({ telemetryDir, hotDays });
    this.#clock = options.clock;
    this.#maxPoints = options.maxPointsRead ?? MAX_POINTS_READ;
    this.#reader = new ChunkReader(options);
    this.#rollups = new RollupReader(options);
    this.#deadLetters = new DeadLetterReader(options);
  }

  async range(query: RangeQuery, signal?: AbortSignal): Promise<RangeAnswer> {
    checkTimes(query);
    checkLimit(query.limit);
    const cursor = query.cursor === undefined ? undefined : decodeRangeCursor(query.cursor);
    const sources = await this.#sources(query, signal);
    const { hot, pace } = sources;
    const metrics = new Map<string, PointColumns>();
    let left = query.limit;
    let next: RangeCursor | undefined;
    for (const [metric, series] of inOrder(query.metrics, hot)) {
      const fromMs = metric === cursor?.metric ? Math.max(query.fromMs, cursor.timeMs) : query.fromMs;
      if (series === undefined || next !== undefined || (cursor !== undefined && metric < cursor.metric)) {
        metrics.set(metric, NO_POINTS);
        continue;
      }
      // One point more than is wanted tells where the next answer begins, and whether there will be one.
      const points = await this.#first(left + 1, { ...query, fromMs }, series, pace);
      const taken = sliceIndex(points, 0, Math.min(left, points.times.length));
      metrics.set(metric, taken);
      if (points.times.length > left) next = { metric, timeMs: points.times[left]! };
      left -= taken.times.length;
    }
    const incompleteBeforeMs = await this.#lackingBefore(query, sources);
    return {
      metrics,
      ...(next !== undefined && { cursor: encodeRangeCursor(next) }),
      ...(incompleteBeforeMs !== undefined && { incompleteBeforeMs }),
    };
  }

  async aggregate(query: AggregateQuery, signal?: AbortSignal): Promise<AggregateAnswer> {
    checkTimes(query);
    checkLimit(query.limit);
    const zone = this.#zone(query.timeZone);
    openBuckets(query.every, zone);
    const sources = await this.#sources(query, signal);
    const aggregation = new Aggregation(sources, query, zone);
    const days = await aggregation.chunkDays();
    const metrics = new Map<string, PointColumns>();
    for (const [metric, series] of inOrder(query.metrics, sources.hot)) {
      metrics.set(metric, series === undefined ? NO_POINTS : await aggregation.of(series, days.get(series.id) ?? []));
    }
    const incompleteBeforeMs = await aggregation.incompleteBeforeMs();
    return incompleteBeforeMs === undefined ? { metrics } : { metrics, incompleteBeforeMs };
  }

  async plot(query: PlotQuery, signal?: AbortSignal): Promise<PlotAnswer> {
    checkTimes(query);
    if (!Number.isSafeInteger(query.width) || query.width < 3)
      throw new SelsynError('request.invalid', 'a plot is at least 3 pixels wide', { details: { width: query.width } });
    const sources = await this.#sources(query, signal);
    const plot = new Plot(sources, query);
    const thinned = await plot.series();
    const points = ([metric, series]: readonly [string, HotSeries | undefined]): [string, PointColumns] => [
      metric,
      (series === undefined ? undefined : thinned.get(series.id)) ?? NO_POINTS,
    ];
    const pointsFromMs = await plot.pointsFromMs();
    return {
      metrics: new Map(inOrder(query.metrics, sources.hot).map(points)),
      level: plot.level,
      ...(pointsFromMs !== undefined && { pointsFromMs }),
    };
  }

  async latest(devices: readonly DeviceId[], signal?: AbortSignal): Promise<ReadonlyMap<DeviceId, readonly LatestValue[]>> {
    const hot = await this.#hot.call('hotLatest', { devices });
    this.#reader.refresh(hot.daysVersion);
    const pace = this.#pace(signal);
    const answer = new Map<DeviceId, readonly LatestValue[]>();
    for (const [i, device] of devices.entries()) {
      const values: LatestValue[] = [];
      for (const series of hot.devices[i]?.series ?? []) {
        const value = this.#newest(series);
        if (value !== undefined) values.push(value);
        if (pace.due) await pace.pause();
      }
      answer.set(
        device,
        values.sort((a, b) => (a.metric < b.metric ? -1 : 1)),
      );
    }
    return answer;
  }

  async metricsOf(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly string[]>> {
    const hot = await this.#hot.call('hotLatest', { devices });
    return new Map(devices.map((device, i) => [device, (hot.devices[i]?.series ?? []).map(({ metric }) => metric)]));
  }

  async deadLetters(query: {
    readonly limit: number;
    readonly device?: DeviceId;
    readonly cursor?: string;
  }): Promise<DeadLetterPage> {
    checkLimit(query.limit);
    return this.#deadLetters.page(query);
  }

  async forget(device: DeviceId): Promise<void> {
    await this.#hot.call('forget', { device });
  }

  /** Closes files that were dropped or replaced: until everybody has, their space is not free. To be called now and then. */
  closeGone(): void {
    this.#reader.closeGone();
    this.#rollups.closeGone();
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    this.#rollups[Symbol.dispose]();
    this.#deadLetters[Symbol.dispose]();
    this.#settled?.[Symbol.dispose]();
  }

  /** Of today, which is being written, nothing was let go: what most ask for costs nothing more. */
  async #lackingBefore(query: RangeQuery, sources: Sources): Promise<number | undefined> {
    const { fromMs, toMs } = extentOf(sources, query.fromMs, query.toMs);
    const days = Math.ceil(toMs / DAY_MS) - Math.floor(fromMs / DAY_MS);
    // Of a day before it late points may be written, of which others were let go.
    if (!this.#isBeforeToday(fromMs) && !(days > sources.hot.unrolledDays.length)) return undefined;
    return await lackingBefore(sources, [{ level: 'raw', fromMs, toMs }]);
  }

  async #sources(query: RangeQuery | AggregateQuery | PlotQuery, signal: AbortSignal | undefined): Promise<Sources> {
    const hot = await this.#ask(query, signal);
    return { reader: this.#reader, rollups: this.#rollups, hot, pace: this.#pace(signal) };
  }

  async #ask(query: RangeQuery | AggregateQuery | PlotQuery, signal: AbortSignal | undefined): Promise<HotRead> {
    signal?.throwIfAborted();
    const { device, metrics, fromMs, toMs } = query;
    const asked = { device, metrics, fromMs, toMs };
    const hot = this.#settled?.read(asked) ?? (await this.#hot.call('hotRead', asked));
    this.#reader.refresh(hot.daysVersion);
    this.#rollups.refresh(hot.daysVersion);
    return hot;
  }

  #pace(signal: AbortSignal | undefined): QueryPace {
    return new QueryPace({ clock: this.#clock, maxPoints: this.#maxPoints, signal });
  }

  /** The first `count` points of a series, or all of them. */
  async #first(count: number, query: RangeQuery, series: HotSeries, pace: QueryPace): Promise<Columns> {
    const days = this.#reader.days(query.fromMs, query.toMs);
    const walk = this.#walk(query, series, pace, days, Math.ceil(count / LIKELY_CHUNK_POINTS) + 1);
    const runs: Columns[] = [];
    let found = 0;
    for (let seen = 0; found < count && walk.step(runs);) {
      for (; seen < runs.length; seen++) found += runs[seen]!.times.length;
      if (pace.due) await pace.pause();
    }
    const points = concatColumns(runs);
    return found > count ? sliceIndex(points, 0, count) : points;
  }

  #walk(
    query: { readonly fromMs: number; readonly toMs: number },
    series: HotSeries,
    pace: QueryPace,
    days: readonly number[] | Float64Array,
    firstChunks?: number,
  ): SeriesWalk {
    return new SeriesWalk({
      reader: this.#reader,
      pace,
      series: series.id,
      hot: series,
      fromMs: query.fromMs,
      toMs: query.toMs,
      days,
      ...(firstChunks === undefined ? {} : { firstChunks }),
    });
  }

  #newest(series: HotLatestSeries): LatestValue | undefined {
    const { metric, timeMs, value, id, lastDay, inStore } = series;
    let newest = value === undefined ? undefined : { metric, timeMs, value };
    if (!inStore || lastDay < 0) return newest;
    const stored = this.#reader.newest(lastDay, id);
    for (const points of [
      stored,
      stored === undefined || this.#isBeforeToday(lastDay * DAY_MS) ? this.#lastOf(lastDay, id) : undefined,
    ]) {
      const last = (points?.times.length ?? 0) - 1;
      if (points === undefined || last < 0 || (newest !== undefined && newest.timeMs >= points.times[last]!)) continue;
      newest = { metric, timeMs: points.times[last]!, value: points.values[last]! };
    }
    return newest;
  }

  /** Where points of a day were let go, before others came late perhaps: what is known of the day has its last one. */
  #lastOf(day: number, series: number): Columns | undefined {
    const { lastTimes, lasts } = this.#rollups.read('1d', series, day * DAY_MS, (day + 1) * DAY_MS);
    return lastTimes.length === 0 ? undefined : { times: lastTimes, values: lasts };
  }

  #isBeforeToday(timeMs: number): boolean {
    return timeMs < Math.floor(this.#clock.now() / DAY_MS) * DAY_MS;
  }

  #zone(timeZone: string): ZoneOffsets {
    let zone = this.#zones.get(timeZone);
    if (zone === undefined) {
      zone = new ZoneOffsets(timeZone);
      if (this.#zones.size >= MAX_ZONES) this.#zones.clear();
      this.#zones.set(timeZone, zone);
    }
    return zone;
  }
}

/** The asked metrics, or all that the device has, in code unit order, with their series where there is one. */
function inOrder(asked: readonly string[] | undefined, hot: HotRead): [metric: string, series: HotSeries | undefined][] {
  const byMetric = new Map(hot.series.map((series) => [series.metric, series]));
  const names = [...new Set(asked ?? byMetric.keys())].sort();
  return names.map((metric) => [metric, byMetric.get(metric)]);
}

function checkTimes({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }): void {
  const valid = [fromMs, toMs].every((timeMs) => Number.isSafeInteger(timeMs) && Math.abs(timeMs) <= MAX_TIME_MS);
  if (!valid)
    throw new SelsynError('request.invalid', 'from and to are whole ms in the range of dates', { details: { fromMs, toMs } });
  if (fromMs > toMs) throw new SelsynError('request.invalid', 'from is after to', { details: { fromMs, toMs } });
}

function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1) return;
  throw new SelsynError('request.invalid', 'a limit is a whole number from 1', { details: { limit } });
}
