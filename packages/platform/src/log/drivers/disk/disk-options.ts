import type { Clock } from '../../../kernel/clock.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';

export interface DiskLogOptions {
  /** The folder of the stream, such as `data/log/telemetry`. */
  readonly dir: string;
  /** From `newDiskLogShared`; the same in every thread. */
  readonly shared: SharedArrayBuffer;
  /**
   * `owner`: opens first, recovers every partition and may do everything. `writer` and `reader`: other threads, once the
   * owner has opened; a writer may open appenders, a reader only reads and releases. A partition is released in one thread.
   */
  readonly role: 'owner' | 'writer' | 'reader';
  readonly clock: Clock;
  readonly logLines: LogLines;
  /**
   * `always` (default): a record is durable once it is on the disk. `interval`: once the operating system has it; the
   * disk follows every `syncIntervalMs`, and a loss of power takes what was not synced.
   */
  readonly sync?: 'always' | 'interval';
  /** Default 1,000. */
  readonly syncIntervalMs?: number;
  /** A new segment is begun before one becomes larger. Default 128 MiB. */
  readonly segmentBytes?: number;
  /** An appender is saturated from here on, and refuses from twice as much on. Default 32 MiB. */
  readonly maxPendingBytes?: number;
  /** Default 1 MiB. */
  readonly maxRecordBytes?: number;
  /** Released segments go when they are older or when their partition is larger. Default: one day, 8 GiB. */
  readonly retention?: { readonly maxAgeMs: number; readonly maxBytes: number };
  /** Released segments that are held (`Log.hold`) go only when they are older than this too, or when their partition is larger. Default: as retention. */
  readonly held?: { readonly maxAgeMs: number; readonly maxBytes: number };
  /** Sources that a reader keeps objects for, at most twice as many. Default 131,072. */
  readonly maxSources?: number;
  /** Called with the time that each group commit took, for a histogram. */
  readonly onCommit?: (durationMs: number, records: number, sizeBytes: number) => void;
}

/** The options with their defaults, and what opening found out. */
export interface DiskLogSetup extends Required<Omit<DiskLogOptions, 'onCommit'>> {
  readonly onCommit: (durationMs: number, records: number, sizeBytes: number) => void;
  readonly identity: string;
  /** What every frame's CRC starts from. */
  readonly seed: number;
}

export const DISK_LOG_DEFAULTS = {
  sync: 'always',
  syncIntervalMs: 1000,
  segmentBytes: 128 * 1024 * 1024,
  maxPendingBytes: 32 * 1024 * 1024,
  maxRecordBytes: 1024 * 1024,
  retention: { maxAgeMs: 24 * 60 * 60 * 1000, maxBytes: 8 * 1024 * 1024 * 1024 },
  held: { maxAgeMs: 24 * 60 * 60 * 1000, maxBytes: 8 * 1024 * 1024 * 1024 },
  maxSources: 131_072,
  onCommit: () => undefined,
} as const;
