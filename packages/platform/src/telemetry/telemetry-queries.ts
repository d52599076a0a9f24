import type { DeviceId } from '../kernel/device-id.ts';
import type { Interval } from '../kernel/time-text.ts';
import type { PlotMethod } from './plot-points.ts';
import type { Level } from './query-levels.ts';

export type { Interval } from '../kernel/time-text.ts';
export type PointValue = number | boolean | string;

/**
 * Points of one series as two columns of equal length, times ascending, each time once: no object per point.
 * `values` is a Float64Array where every value is a number. query-json.ts writes columns as JSON text (`pointsToJson`, `seriesToJson`).
 */
export interface PointColumns {
  readonly times: Float64Array;
  readonly values: Float64Array | readonly PointValue[];
}

/**
 * mean, min, max and sum take booleans as 0 and 1 and pass over text; count, first and last take every value.
 * A bucket without such a value is not listed; a listed one never has an empty value.
 */
export type Aggregate = 'mean' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last';

export interface RangeQuery {
  readonly device: DeviceId;
  /** Absent: all metrics of the device. */
  readonly metrics?: readonly string[];
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** At most so many points in all metrics together: metric by metric in alphabetical (code unit) order, each ascending in time. */
  readonly limit: number;
  /** What an earlier answer gave; the other fields must be the same. */
  readonly cursor?: string;
}

export interface RangeAnswer {
  /** Every asked metric (all of the device where none is named) is a key, in alphabetical order, also when it has no points. */
  readonly metrics: ReadonlyMap<string, PointColumns>;
  /** Present when points are left: ask again with it. */
  readonly cursor?: string;
  /** Present where points of the asked time were let go of which hours or days are kept: before this time some are missing. */
  readonly incompleteBeforeMs?: number;
}

export interface AggregateQuery {
  readonly device: DeviceId;
  readonly metrics?: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly every: Interval;
  readonly fn: Aggregate;
  /**
   * IANA name. Calendar buckets begin at the first instant of a day in it, weeks on Monday; several days, weeks or months
   * are counted from 1970-01-01, 1969-12-29 and January 1970 (so 3 months are quarters).
   * A fixed interval that divides 24 hours begins anew at each midnight in it: the last bucket of a day with a change of the
   * clock may be shorter. Any other fixed interval is aligned to multiples of itself since 1970-01-01 UTC.
   */
  readonly timeZone: string;
  /** At most so many buckets in all metrics together. @throws `query.too-large` beyond. */
  readonly limit: number;
}

export interface AggregateAnswer {
  /** Buckets as (start ms, value), ascending; keys as in `RangeAnswer`. */
  readonly metrics: ReadonlyMap<string, PointColumns>;
  /**
   * Present where points, or hours, that these buckets need were let go of some of the asked time: before this time the answer lacks
   * what only hours or days are kept of.
   */
  readonly incompleteBeforeMs?: number;
}

/** Points for a plot. */
export interface PlotQuery {
  readonly device: DeviceId;
  readonly metrics?: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Columns of pixels, at least 3. */
  readonly width: number;
  /** `m4`: at most four points a column, no peak is lost. `lttb`: at most `width` points that keep the shape. */
  readonly method: PlotMethod;
}

export interface PlotAnswer {
  readonly metrics: ReadonlyMap<string, PointColumns>;
  /** What whole columns were made of; at the ends, and where rollups are not complete, it is finer. */
  readonly level: Level;
  /** Present where of a part of the asked time only hours or days are kept: from when on all series have their points. */
  readonly pointsFromMs?: number;
}

export interface LatestValue {
  readonly metric: string;
  readonly timeMs: number;
  readonly value: PointValue;
}

export interface DeadLetter {
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
  readonly device: DeviceId;
  readonly topic: string;
  /** An error code of ERRORS, `telemetry.*`. */
  readonly code: string;
  readonly reason: string;
  /** The first 1,024 bytes. */
  readonly payload: Uint8Array;
  readonly payloadBytes: number;
}

/** Reads what telemetry has stored, in a thread other than the one that ingests. Every durable record that was consumed is seen. */
export interface TelemetryQueries {
  /** Newest point of each metric, metrics in alphabetical order; devices without telemetry have an empty list. */
  latest(devices: readonly DeviceId[], signal?: AbortSignal): Promise<ReadonlyMap<DeviceId, readonly LatestValue[]>>;
  /** The names of all metrics that devices have, in no order; unknown devices have none. */
  metricsOf(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly string[]>>;
  /** @throws SelsynError `request.invalid` for a cursor that is none; `query.too-large`; the signal's reason when it is aborted. */
  range(query: RangeQuery, signal?: AbortSignal): Promise<RangeAnswer>;
  /**
   * Every bucket is what its points would give, made of hours and days where these give the same. The first bucket may start before
   * `fromMs`, but no point outside [from, to) counts. @throws SelsynError `query.too-large`, `request.invalid`
   */
  aggregate(query: AggregateQuery, signal?: AbortSignal): Promise<AggregateAnswer>;
  /** @throws SelsynError `query.too-large`, `request.invalid` */
  plot(query: PlotQuery, signal?: AbortSignal): Promise<PlotAnswer>;
  /** Newest first. `cursor` is what an earlier answer gave, absent where nothing is left. @throws SelsynError `request.invalid` */
  deadLetters(query: { readonly limit: number; readonly device?: DeviceId; readonly cursor?: string }): Promise<{
    readonly items: readonly DeadLetter[];
    readonly cursor?: string;
  }>;
}

/** Removes a device's telemetry for good, also what is in the log and not stored yet. */
export interface TelemetryEraser {
  forget(device: DeviceId): Promise<void>;
}

export interface LiveUpdate {
  readonly device: DeviceId;
  /** Newest value of each metric that changed since the last update. */
  readonly values: readonly LatestValue[];
}

/** New points as they are consumed, thinned to at most ten updates a second for each device. */
export interface LiveFeed {
  /** `devices` absent: all of them. The returned function ends the watch. `onUpdate` must not block. */
  watch(devices: ReadonlySet<DeviceId> | undefined, onUpdate: (updates: readonly LiveUpdate[]) => void): () => void;
}
