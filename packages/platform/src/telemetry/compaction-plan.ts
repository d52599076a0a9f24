import { FULL_POINTS } from './memtable.ts';

/** A chunk without its points. */
export interface ChunkSpan {
  readonly id: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly count: number;
}

/** More points are never merged at once: it bounds memory, and how long a merge blocks (about 20 ms). */
export const MAX_MERGE_POINTS = 262_144;
/** What is made of points. */
export interface ChunkForm {
  /** What a full chunk has. */
  readonly fullPoints: number;
  /** As `encodeChunk` has it. */
  readonly smallest: boolean;
}

export const FRESH_CHUNKS: ChunkForm = { fullPoints: FULL_POINTS, smallest: false };
/**
 * Of a day that is over: a day of a series that reports once a minute is one chunk then. Each chunk has a row, an entry in the index and
 * the beginnings of its blocks, some 75 bytes together.
 */
export const SETTLED_CHUNKS: ChunkForm = { fullPoints: 2 * FULL_POINTS, smallest: true };
/** Small chunks are merged up to so many full ones. */
const JOIN_CHUNKS = 4;

/**
 * Which chunks of one series should become one run of full chunks: those that overlap, and small ones that follow each other.
 *
 * A group takes in all chunks that overlap any of its members, so that writing it anew under larger ids changes the
 * outcome at no time. Small neighbours are joined only where that at least halves their number: each point is
 * rewritten a logarithmic number of times.
 *
 * @param chunks by ascending start
 * @param form what they become
 */
export function planCompaction(chunks: readonly ChunkSpan[], { fullPoints }: ChunkForm = FRESH_CHUNKS): ChunkSpan[][] {
  const groups: ChunkSpan[][] = [];
  let run: ChunkSpan[] = [];
  let overlaps = false;
  const closeRun = (): void => {
    const joined = run.length > 1 && Math.ceil(points(run) / fullPoints) <= run.length / 2;
    if (overlaps || joined) groups.push(run);
    run = [];
    overlaps = false;
  };
  for (const cluster of clusters(chunks)) {
    const count = points(cluster);
    if (count > MAX_MERGE_POINTS) {
      closeRun();
      continue;
    }
    const small = count <= fullPoints / 2;
    if (!small || points(run) + count > JOIN_CHUNKS * fullPoints) closeRun();
    run.push(...cluster);
    overlaps ||= cluster.length > 1;
    if (!small) closeRun();
  }
  closeRun();
  return groups;
}

/** Cuts where no chunk reaches across. */
function clusters(chunks: readonly ChunkSpan[]): ChunkSpan[][] {
  const found: ChunkSpan[][] = [];
  let endMs = -Infinity;
  for (const chunk of chunks) {
    if (chunk.startMs > endMs) found.push([chunk]);
    else found.at(-1)!.push(chunk);
    endMs = Math.max(endMs, chunk.endMs);
  }
  return found;
}

function points(chunks: readonly ChunkSpan[]): number {
  return chunks.reduce((sum, { count }) => sum + count, 0);
}
