import type { PointColumns } from '../telemetry/telemetry-queries.ts';

/*
 * A Parquet file of points, as Athena, Spark, DuckDB and pandas read it:
 *
 *   device VARCHAR, metric VARCHAR, time TIMESTAMP (µs, UTC), value DOUBLE, text VARCHAR, flag BOOLEAN
 *
 * sorted by device, metric (byte order of UTF-8) and time, each (device, metric, time) once; one of value, text and flag is
 * set, the others are null. zstd, row groups of 491,520 rows, statistics for each column of a row group.
 */

/** Points of one series that go into a file, or come out of one. */
export interface SeriesPoints extends PointColumns {
  readonly device: string;
  readonly metric: string;
}

/** What a finished file holds, read back from its footer. */
export interface ParquetFacts {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  /** Of the oldest and the newest point, both inclusive, ms; undefined where there is none. */
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
  /** The first and the last device, by code units; undefined where there is none. */
  readonly firstDevice: string | undefined;
  readonly lastDevice: string | undefined;
}

/** One file of the hours that `writeHours` wrote. */
export interface HourParquet extends ParquetFacts {
  /** 0 to 23, UTC. */
  readonly hour: number;
  /** Undefined: the devices that `types` said nothing of. */
  readonly deviceType: string | undefined;
}

/** What `writeHours` wrote. */
export interface WrittenHours {
  readonly files: readonly HourParquet[];
  readonly leftOut: LeftOutChunks;
}

/** Chunks that are in no file, for they cannot be decoded. */
export interface LeftOutChunks {
  /** A chunk counts once in each of the hours that it reaches into. */
  readonly count: number;
  /** Where they are: each series once, some twenty at most. */
  readonly series: readonly { readonly device: string; readonly metric: string }[];
}

/** Hours of one day file that are to be written, each (hour, device type) to a file of its own. */
export interface HoursRequest {
  readonly telemetryDir: string;
  /** Days since 1970. */
  readonly day: number;
  /** 0 to 23, UTC. */
  readonly hours: readonly number[];
  /** A folder that exists; files are made in it, and synced, as `{hour}-{n}.parquet`. */
  readonly folder: string;
  /** The devices that have a type. Each piece is sent on its own: keep them below some 10,000 devices. */
  readonly types: AsyncIterable<DevicesOfType> | Iterable<DevicesOfType>;
}

export interface DevicesOfType {
  readonly type: string;
  readonly devices: readonly string[];
}

/** Which points of files are wanted; absent: all. */
export interface PointFilter {
  readonly devices?: readonly string[];
  readonly notDevices?: readonly string[];
  readonly metrics?: readonly string[];
  readonly notMetrics?: readonly string[];
  /** By code units, inclusive. */
  readonly fromDevice?: string;
  /** By code units, exclusive. */
  readonly toDevice?: string;
  /** Inclusive. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly toMs?: number;
}

export interface MergeRequest {
  /** Of two points with the same device, metric and time, that of the later file stays. */
  readonly files: readonly string[];
  readonly path: string;
  readonly where?: PointFilter;
  /** No point is in two of the files: nobody needs to look for such. */
  readonly disjoint?: boolean;
  /** Nobody waits for it: it lets others have the processors while they need them. */
  readonly isPaced?: boolean;
}

/** How many points files have of a device. */
export interface DevicePoints {
  readonly device: string;
  readonly points: number;
}

/** A file that is being written. Nothing stands at its path before `finish`. */
export interface ParquetDraft {
  /** Series in the order of the file. Resolves once more can be taken: at most a few batches are under way. */
  append(batch: readonly SeriesPoints[]): Promise<void>;
  /** Resolves once the file is complete and synced. */
  finish(): Promise<ParquetFacts>;
  /** Forgets what was appended. */
  abandon(): Promise<void>;
}

/**
 * Writes and reads Parquet files in a process of its own. Every method fails with `columnar.failed` where that process
 * could not do it (the message says why; `retryable` where another try may succeed), `columnar.gone` where it died, and
 * `columnar.over-limit` where it took more memory or time than it may. A file is written under another name beside its path,
 * synced and then renamed: it is there whole or not at all.
 */
export interface ParquetFiles {
  create(path: string): Promise<ParquetDraft>;
  /**
   * Reads the chunks of the day file itself: points do not go through this thread. Hours without points give no file. Chunks that
   * cannot be decoded are left out; whatever else keeps a chunk from being read is an error.
   */
  writeHours(request: HoursRequest, signal?: AbortSignal): Promise<WrittenHours>;
  merge(request: MergeRequest, signal?: AbortSignal): Promise<ParquetFacts>;
  /** Reads every value of the file. Its form is checked, but Parquet has no checksums here: a bit that changed within a value is not found. */
  verify(path: string): Promise<ParquetFacts>;
  /** Points in the order of the file, in batches of some 10,000 points. */
  read(path: string, where?: PointFilter): AsyncIterable<readonly SeriesPoints[]>;
  /** The devices of files by code units, in batches of some 10,000; points that are in several files count in each. */
  devices(files: readonly string[], where?: PointFilter): AsyncIterable<readonly DevicePoints[]>;
}
