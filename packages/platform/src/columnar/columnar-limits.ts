/** What a process of the columnar engine may use. */
export interface ColumnarLimits {
  /** What the engine may take for itself, bytes; beyond, it writes to its scratch folder where it can, and fails where not. */
  readonly memoryBytes: number;
  /** The process is killed when it has more resident bytes than these (where the system tells them: Linux). */
  readonly maxResidentBytes: number;
  /** For one call; beyond, the process is killed. */
  readonly callDeadlineMs: number;
  readonly threads: number;
}

const MIB = 1024 * 1024;

/** What writing and joining Parquet files takes at most: sorted input is streamed. */
export const ARCHIVE_LIMITS: ColumnarLimits = {
  memoryBytes: 512 * MIB,
  maxResidentBytes: 1_536 * MIB,
  callDeadlineMs: 30 * 60_000,
  threads: 1,
};
