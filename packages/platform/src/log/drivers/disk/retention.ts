import { stat, statfs, unlink } from 'node:fs/promises';
import { systemCode } from '../../../kernel/errors.ts';
import type { DiskLogSetup } from './disk-options.ts';
import { listSegments, partitionFolder, readSegmentHeader, segmentPath } from './segment-file.ts';
import { SharedPositions } from './shared-positions.ts';

const EVERY_MS = 60_000;

/**
 * Unlinks segments that are released and too old, or too many. Runs where offsets are released: in one thread for each
 * partition.
 *
 * A partition whose segments take more than the volume has left is too many too: what is stored already must not be what
 * fills the disk. What somebody holds has bounds of its own, and the same end.
 */
export class Retention {
  readonly #setup: DiskLogSetup;
  readonly #released = new Map<number, number>();
  #running: Promise<void> = Promise.resolve();
  #cancelNext: (() => void) | undefined;
  #isClosed = false;

  constructor(setup: DiskLogSetup) {
    this.#setup = setup;
  }

  async release(partition: number, before: number): Promise<void> {
    this.#released.set(partition, Math.max(before, this.#released.get(partition) ?? 0));
    this.#later();
    await this.#run(() => this.#apply(partition));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelNext?.();
    await this.#running;
  }

  /** Age goes on while nothing is released. */
  #later(): void {
    if (this.#cancelNext !== undefined || this.#isClosed) return;
    this.#cancelNext = this.#setup.clock.after(EVERY_MS, () => {
      this.#cancelNext = undefined;
      this.#later();
      void this.#run(async () => {
        for (const partition of this.#released.keys()) await this.#apply(partition);
      });
    });
  }

  /** One run after the other. A fault is told, and the next run tries again. */
  #run(task: () => Promise<void>): Promise<void> {
    this.#running = this.#running.then(task).catch((cause: unknown) => {
      this.#setup.logLines.error({ dir: this.#setup.dir, cause: String(cause) }, 'Old log segments could not be removed');
    });
    return this.#running;
  }

  /** From the oldest on, up to the first segment that must stay; never the last one. */
  async #apply(partition: number): Promise<void> {
    const { clock, retention, held, dir, shared } = this.#setup;
    const heldFrom = new SharedPositions(shared, partition).held;
    const longer = {
      maxAgeMs: Math.max(retention.maxAgeMs, held.maxAgeMs),
      maxBytes: Math.max(retention.maxBytes, held.maxBytes),
    };
    const folder = partitionFolder(dir, partition);
    const segments = await sizes(folder);
    let totalBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    let freeBytes = await freeOn(folder);
    for (const [index, segment] of segments.entries()) {
      const next = segments[index + 1];
      const header = next && readSegmentHeader(segmentPath(folder, next.base));
      if (header === undefined || header.previousEnd > (this.#released.get(partition) ?? 0)) return;
      const { maxAgeMs, maxBytes } = header.previousEnd > heldFrom ? longer : retention;
      // Its last record came before the next segment was made.
      const isOld = clock.now() - header.madeMs > maxAgeMs;
      if (!isOld && totalBytes <= Math.min(maxBytes, freeBytes)) return;
      await unlink(segmentPath(folder, segment.base));
      totalBytes -= segment.sizeBytes;
      freeBytes += segment.sizeBytes;
    }
  }
}

async function sizes(folder: string): Promise<{ readonly base: number; readonly sizeBytes: number }[]> {
  const segments: { readonly base: number; readonly sizeBytes: number }[] = [];
  for (const base of listSegments(folder)) {
    try {
      segments.push({ base, sizeBytes: (await stat(segmentPath(folder, base))).size });
    } catch (error) {
      // A segment that could not be made was taken away again by its writer.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return segments;
}

/** Infinity where the volume does not tell. */
async function freeOn(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}
