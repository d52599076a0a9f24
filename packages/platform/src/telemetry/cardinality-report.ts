import type { VariablePart } from './metric-pattern.ts';
import type { QuotaScope, QuotaState } from './series-quota.ts';

/** Series of something, and how many of them were made lately. */
export interface SeriesCount {
  readonly series: number;
  /** Made in the last hour and day, as far as the platform was watching (`CardinalityReport.watchedSinceMs`). */
  readonly hour: number;
  readonly day: number;
}

export interface DeviceSeries extends SeriesCount {
  readonly device: string;
  /** '' where it has none. */
  readonly type: string;
  readonly limit: number;
}

/** Names that differ only in what looks like an id, a time or a number. */
export interface SuspectNames extends SeriesCount {
  readonly pattern: string;
  readonly kind: VariablePart;
  /** Names that fit; at least so many where `more`. */
  readonly names: number;
  readonly more: boolean;
  readonly examples: readonly string[];
  /** The device with the most of them. */
  readonly device: string;
}

export interface RefusedSeries {
  readonly device: string;
  readonly scope: QuotaScope;
  /** Messages with new metrics that had no room, since the start. */
  readonly messages: number;
  readonly lastMs: number;
}

/** How full the limits are. Infinity: there is none. */
export interface CardinalityUsage {
  readonly whole: { readonly series: number; readonly limit: number; readonly state: QuotaState };
  readonly types: readonly {
    readonly type: string;
    readonly series: number;
    readonly limit: number;
    readonly perDevice: number;
    readonly state: QuotaState;
  }[];
  /** Devices near their limit, or at it: the newest that came there. */
  readonly devices: readonly {
    readonly device: string;
    readonly series: number;
    readonly limit: number;
    readonly state: QuotaState;
  }[];
  readonly refused: Readonly<Record<QuotaScope, number>>;
}

export interface CardinalityReport {
  readonly atMs: number;
  /** New series are known since then. */
  readonly watchedSinceMs: number;
  readonly usage: CardinalityUsage;
  readonly all: SeriesCount & { readonly devices: number };
  /** When the limit of all is reached at the rate of the last day; undefined: not in ten years, or there is none. */
  readonly fullAtMs: number | undefined;
  /** With the most series; the first that came to be, where several have as many. */
  readonly topDevices: readonly DeviceSeries[];
  /** With the most new series in the last day; none that has no new ones. */
  readonly growingDevices: readonly DeviceSeries[];
  readonly topMetrics: readonly (SeriesCount & { readonly metric: string })[];
  readonly suspects: readonly SuspectNames[];
  readonly refusedDevices: readonly RefusedSeries[];
}
