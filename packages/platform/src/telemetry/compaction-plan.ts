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
/** Small chunks are merged up to this many points. */
const JOIN_POINTS = 4 * FULL_POINTS;

/**
 * Which chunks of one series should become one run of full chunks: those that overlap, and small ones that follow each other.
 *
 * A group takes in all chunks that overlap any of its members, so that writing it anew under larger ids changes the
 * outcome at no time. Small neighbours are joined only where that at least halves their number: each point is
 * rewritten a logarithmic number of times.
 *
 * @param chunks by ascending start
 */
export function planCompaction(chunks: readonly ChunkSpan[]): ChunkSpan[][] {
  const groups: ChunkSpan[][] = [];
  let run: ChunkSpan[] = [];
  const closeRun = (): void => {
    if (run.length > 1 && Math.ceil(points(run) / FULL_POINTS) <= run.length / 2) groups.push(run);
    run = [];
  };
  for (const cluster of clusters(chunks)) {
    if (cluster.length > 1) {
      closeRun();
      if (points(cluster) <= MAX_MERGE_POINTS) groups.push(cluster);
      continue;
    }
    const [chunk] = cluster;
    if (chunk!.count > FULL_POINTS / 2 || points(run) + chunk!.count > JOIN_POINTS) closeRun();
    if (chunk!.count <= FULL_POINTS / 2) run.push(chunk!);
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
