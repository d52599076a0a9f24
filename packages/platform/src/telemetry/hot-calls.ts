import type { CardinalityReport, CardinalityUsage } from './cardinality-report.ts';
import type { LiveUpdate, PointValue } from './telemetry-queries.ts';

/** Points of one series that the processor holds in memory: times ascending, each once; values in the same order. */
export interface HotSeries {
  readonly metric: string;
  /** `chunk.series` in the day files. */
  readonly id: number;
  readonly times: Float64Array;
  readonly values: Float64Array | readonly PointValue[];
}

export interface HotRead {
  /** Every series of the device that was asked for and is known, also where nothing of it is in memory (empty arrays). */
  readonly series: readonly HotSeries[];
  /** Changes whenever a day file or a file of rollups appears or goes: then list the folders again. */
  readonly daysVersion: number;
  /** The days in the asked time of which hours may be stale (`mark.hours`), ascending; of all others the rollups are complete. */
  readonly unrolledDays: readonly number[];
}

export interface HotLatestSeries {
  readonly metric: string;
  readonly id: number;
  /** Of the newest point that the processor remembers; -1 where it remembers none (`value` is undefined then). */
  readonly timeMs: number;
  readonly value: PointValue | undefined;
  /** The newest UTC day (days since 1970) whose file may hold a point of this series; -1 where no file does. */
  readonly lastDay: number;
  /** The day file `lastDay` may hold a newer point than the one given: its newest chunk must be read. */
  readonly inStore: boolean;
}

export interface HotLatest {
  /** One for each device asked for, in that order; unknown devices have no series. */
  readonly devices: readonly { readonly device: string; readonly series: readonly HotLatestSeries[] }[];
  readonly daysVersion: number;
}

export interface HotScanQuery {
  /** Undefined: all. */
  readonly devices: readonly string[] | undefined;
  /** Undefined: all of each device. */
  readonly metrics: readonly string[] | undefined;
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** What the page before gave, with the same query; undefined for the first page. */
  readonly scan: number | undefined;
}

export interface ScannedSeries extends HotSeries {
  readonly device: string;
}

export interface HotScanPage {
  /** Series that have points in memory, each in one page. */
  readonly series: readonly ScannedSeries[];
  /** Present when there are more pages: ask within 30 s. */
  readonly scan?: number;
  /** As in HotRead; what any page names counts. */
  readonly daysVersion: number;
  readonly unrolledDays: readonly number[];
}

/** `devices` undefined: all of them. `none`: nobody watches any more. A later call replaces the earlier one. */
export type WatchRequest = { readonly devices: readonly string[] | undefined } | { readonly none: true };

/**
 * What the processor thread answers (see kernel/thread-channel.ts).
 *
 * A reader asks here first and reads the day files afterwards: what is committed in between is in both, and equal.
 */
// A type, not an interface: only that fits `Calls`, which has an index signature.
export type HotCalls = {
  /** Points with `fromMs <= time < toMs`; `metrics` undefined: all of the device. */
  hotRead(query: {
    readonly device: string;
    readonly metrics: readonly string[] | undefined;
    readonly fromMs: number;
    readonly toMs: number;
  }): HotRead;
  /** Points of many devices, in pages that take 5 ms each. */
  hotScan(query: HotScanQuery): HotScanPage;
  hotLatest(query: { readonly devices: readonly string[] }): HotLatest;
  /** Done when the device's telemetry can no longer be read and never comes back; the space is freed in the background. */
  forget(query: { readonly device: string }): void;
  watch(query: WatchRequest): void;
  /** Counts all series: seconds where there are millions. */
  cardinality(query: null): Promise<CardinalityReport>;
  cardinalityUsage(query: null): CardinalityUsage;
};

/**
 * The second port: the processor posts a LiveBatch at most every 100 ms. The receiver answers each with
 * `LIVE_BATCH_TAKEN`; with LIVE_BATCHES_UNANSWERED on their way no more are posted, and newer values replace older ones.
 */
export type LiveBatch = readonly LiveUpdate[];
export const LIVE_BATCH_TAKEN = 'taken';
export const LIVE_BATCHES_UNANSWERED = 4;
