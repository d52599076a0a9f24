import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock } from '../../../kernel/fake-clock.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import type { PartitionId } from '../../log.ts';
import { openDiskLog, type DiskLog } from './disk-log.ts';
import type { DiskLogOptions } from './disk-options.ts';
import { listSegments, partitionFolder, segmentPath } from './segment-file.ts';
import { newDiskLogShared } from './shared-positions.ts';

/** For tests: a folder with a disk log of two partitions, removed at the end. */
export class DiskLogFolder implements AsyncDisposable {
  readonly dir: string;
  readonly clock = new FakeClock();
  /** Of the log that was opened last. */
  shared = newDiskLogShared(2);
  #log: DiskLog | undefined;

  constructor(parent = tmpdir()) {
    this.dir = join(mkdtempSync(join(parent, 'selsyn-log-')), 'telemetry');
  }

  /** Opens the log as its owner, as a new process would. */
  async open(options: Partial<DiskLogOptions> = {}): Promise<DiskLog> {
    await this.#log?.[Symbol.asyncDispose]();
    this.shared = newDiskLogShared(2);
    const { dir, shared, clock } = this;
    this.#log = await openDiskLog({ dir, shared, role: 'owner', clock, logLines: silentLogLines, ...options });
    return this.#log;
  }

  /** The paths of a partition's segments, oldest first. */
  segments(partition: number): string[] {
    const folder = partitionFolder(this.dir, partition);
    return listSegments(folder).map((base) => segmentPath(folder, base));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log?.[Symbol.asyncDispose]();
    rmSync(join(this.dir, '..'), { recursive: true, force: true });
  }
}

export const FIRST: PartitionId = 0 as PartitionId;
