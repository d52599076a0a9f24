import type { DeviceId } from '../kernel/device-id.ts';

export type PointValue = number | boolean | string;
export type Point = readonly [timeMs: number, value: PointValue];

/** A missing bucket is not listed; a listed one never has an empty value. */
export type Aggregate = 'mean' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last';

export interface RangeQuery {
  readonly device: DeviceId;
  /** Absent: all metrics of the device. */
  readonly metrics?: readonly string[];
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** At most so many points in all metrics together. */
  readonly limit: number;
  /** What an earlier answer gave; the other fields must be the same. */
  readonly cursor?: string;
}

export interface RangeAnswer {
  /** Points in ascending time, each time once. Every asked metric is a key, also when it has no points. */
  readonly metrics: ReadonlyMap<string, readonly Point[]>;
  /** Present when points are left: ask again with it. */
  readonly cursor?: string;
}

/** A fixed length in ms, or calendar days/weeks/months in a time zone (days of 23 and 25 hours included). */
export type Interval = { readonly ms: number } | { readonly calendar: 'day' | 'week' | 'month'; readonly count: number };

export interface AggregateQuery {
  readonly device: DeviceId;
  readonly metrics?: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly every: Interval;
  readonly fn: Aggregate;
  /** IANA name; default UTC. Fixed intervals below a day are aligned to midnight in it, where the offset allows. */
  readonly timeZone: string;
  /** At most so many buckets in all metrics together. @throws `query.too-large` beyond. */
  readonly limit: number;
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
  latest(devices: readonly DeviceId[]): Promise<ReadonlyMap<DeviceId, readonly LatestValue[]>>;
  /** @throws SelsynError `request.invalid` for a cursor that is none. */
  range(query: RangeQuery): Promise<RangeAnswer>;
  /** Buckets as (start ms, value), ascending. @throws SelsynError `query.too-large`, `request.invalid` */
  aggregate(query: AggregateQuery): Promise<ReadonlyMap<string, readonly Point[]>>;
  /** Newest first. `before` is the `(partition, offset)` cursor of the last one seen. */
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
