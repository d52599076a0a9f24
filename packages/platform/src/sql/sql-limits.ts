/** What one query may use. */
export interface SqlLimits {
  /** Of the engine, for all that the query keeps at one time. */
  readonly memoryBytes: number;
  /** From its turn to its end. */
  readonly deadlineMs: number;
  readonly maxRows: number;
  /** Points that it reads, of day files and of the archive each. */
  readonly maxPoints: number;
  /** Of the answer, in whatever format. */
  readonly maxResultBytes: number;
}

/** Some minutes of one thread: more is not what was meant. */
export const MAX_POINTS = 2_000_000_000;

/** What does not fit into memory may be written aside, so far. */
export const MAX_SCRATCH_BYTES = 2 * 1024 ** 3;
/** Resident bytes of the process besides the memory of the engine: Node, the library, points and names that are being handed over. */
const OVERHEAD_BYTES = 640 * 1024 ** 2;
/** Of the heap for JavaScript objects. */
export const HEAP_MB = 512;

export function maxResidentBytes({ memoryBytes }: SqlLimits): number {
  return memoryBytes + OVERHEAD_BYTES;
}
