import { dirname } from 'node:path';
import { SelsynError } from '../../../kernel/errors.ts';
import type { AppenderListener, Log, LogReader, Offset, PartitionId } from '../../log.ts';
import { DiskAppender } from './disk-appender.ts';
import { DISK_LOG_DEFAULTS, type DiskLogOptions, type DiskLogSetup } from './disk-options.ts';
import { DiskReader } from './disk-reader.ts';
import { crcSeed } from './frame.ts';
import { logFault } from './log-faults.ts';
import { readIdentity, readOrMakeIdentity } from './log-identity.ts';
import { recoverPartition } from './recovery.ts';
import { Retention } from './retention.ts';
import { bytesFrom } from './segment-bytes.ts';
import { syncFolder } from './segment-create.ts';
import { countPartitions, listSegments, partitionFolder } from './segment-file.ts';
import { SharedPositions, isReady, markReady, partitionCount, setPartitionCount } from './shared-positions.ts';

/**
 * Opens a stream of the log that lies in a folder.
 *
 * The first to open is the `owner`: it makes the folder if there is none, and cuts what a crash has left behind the last
 * whole frame of each partition. Partitions of an earlier start with more threads are opened too, for their readers.
 *
 * @throws SelsynError `data.corrupt`, `log.full`, `log.failed`
 */
export async function openDiskLog(options: DiskLogOptions): Promise<DiskLog> {
  const given = { ...DISK_LOG_DEFAULTS, ...options };
  if (options.role !== 'owner') {
    if (!isReady(options.shared)) throw new SelsynError('log.failed', 'the log was not opened by its owner yet');
    const identity = readIdentity(options.dir);
    return new DiskLog({ ...given, identity, seed: crcSeed(identity) });
  }
  if (isReady(options.shared)) throw new SelsynError('log.failed', 'the log has an owner already');
  try {
    const identity = await readOrMakeIdentity(options.dir);
    const setup = { ...given, identity, seed: crcSeed(identity) };
    setPartitionCount(options.shared, Math.max(partitionCount(options.shared), countPartitions(options.dir)));
    for (let partition = 0; partition < partitionCount(options.shared); partition += 1) await recoverPartition(setup, partition);
    await syncFolder(options.dir);
    await syncFolder(dirname(options.dir));
    markReady(options.shared);
    return new DiskLog(setup);
  } catch (error) {
    throw logFault(error, options.dir);
  }
}

/** A stream of the log in segment files; made by `openDiskLog`. */
export class DiskLog implements Log {
  readonly identity: string;
  readonly partitions: readonly PartitionId[];
  readonly #setup: DiskLogSetup;
  readonly #retention: Retention;
  readonly #opened = new Set<AsyncDisposable>();
  #isClosed = false;

  constructor(setup: DiskLogSetup) {
    this.#setup = setup;
    this.identity = setup.identity;
    this.partitions = Array.from({ length: partitionCount(setup.shared) }, (_, partition) => partition as PartitionId);
    this.#retention = new Retention(setup);
  }

  async openAppender(partition: PartitionId, listener: AppenderListener): Promise<DiskAppender> {
    const positions = this.#positions(partition);
    if (this.#setup.role === 'reader') throw new SelsynError('log.failed', 'this thread opened the log for reading only');
    if (!positions.claimWriter()) {
      throw new SelsynError('log.failed', 'the partition has a writer already', { details: { partition } });
    }
    const appender = new DiskAppender(this.#setup, partition, positions, listener, () => this.#opened.delete(appender));
    try {
      await appender.start();
    } catch (error) {
      positions.freeWriter();
      throw error;
    }
    this.#opened.add(appender);
    return appender;
  }

  async openReader(partition: PartitionId, from: Offset): Promise<LogReader> {
    const positions = this.#positions(partition);
    if (from > positions.end) {
      throw new SelsynError('log.offset-gone', 'the log ends before this offset', {
        details: { partition, offset: from, end: positions.end },
      });
    }
    const reader = new DiskReader(this.#setup, partition, positions, Math.max(from, await this.oldest(partition)), () =>
      this.#opened.delete(reader),
    );
    this.#opened.add(reader);
    return reader;
  }

  async oldest(partition: PartitionId): Promise<Offset> {
    const positions = this.#positions(partition);
    const bases = listSegments(partitionFolder(this.#setup.dir, partition));
    return (bases[0] ?? positions.end) as Offset;
  }

  async release(partition: PartitionId, before: Offset): Promise<void> {
    const { end } = this.#positions(partition);
    await this.#retention.release(partition, Math.min(before, end));
  }

  hold(partition: PartitionId, from: Offset | undefined): void {
    this.#positions(partition).hold(from);
  }

  async bytesFrom(partition: PartitionId, from: Offset): Promise<number> {
    return await bytesFrom(partitionFolder(this.#setup.dir, partition), this.#positions(partition), from);
  }

  /** The offset after the last durable record of a partition. */
  end(partition: PartitionId): Offset {
    return this.#positions(partition).end as Offset;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#retention.close();
    for (const opened of this.#opened) await opened[Symbol.asyncDispose]();
  }

  #positions(partition: PartitionId): SharedPositions {
    if (this.#isClosed) throw new SelsynError('log.closed', 'the log is closed');
    if (!this.partitions.includes(partition)) throw new RangeError(`the log has no partition ${partition}`);
    return new SharedPositions(this.#setup.shared, partition);
  }
}
