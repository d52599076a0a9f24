import type { DiskLogSetup } from './disk-options.ts';
import { isOutOfSpace, logFault } from './log-faults.ts';
import { createSegment, openSegment, type SegmentHandle } from './segment-create.ts';
import { SEGMENT_HEADER_BYTES, partitionFolder, readSegmentHeader, segmentPath } from './segment-file.ts';
import type { SharedPositions } from './shared-positions.ts';
import { ZeroFill } from './zero-fill.ts';

/**
 * Writes batches to the segments of one partition, each durable when `write` resolves and gone when it throws.
 *
 * Invariants: `#tail` bytes of the open segment are durable, and nothing after them counts. `#open` is undefined after
 * a fault from which the file's state is not known: the next write then begins a new segment. A sync that failed is
 * never tried again on the same pages, since the system may have dropped them.
 */
export class SegmentWriter {
  readonly #setup: DiskLogSetup;
  readonly #partition: number;
  readonly #folder: string;
  readonly #positions: SharedPositions;
  readonly #durable: boolean;
  #open: { readonly file: SegmentHandle; readonly fill: ZeroFill } | undefined;
  #tail = 0;
  #end: number;
  /** Of the segment that is open, as its header says. */
  #previousEnd = 0;
  #unsynced = false;
  /** A sync by interval has failed: this segment takes no more records. */
  #distrusted = false;
  #syncing: Promise<void> | undefined;
  #cancelSync: (() => void) | undefined;

  constructor(setup: DiskLogSetup, partition: number, positions: SharedPositions) {
    this.#setup = setup;
    this.#partition = partition;
    this.#folder = partitionFolder(setup.dir, partition);
    this.#positions = positions;
    this.#durable = setup.sync === 'always';
    this.#end = positions.end;
  }

  /** Goes on in the last segment, or makes the first one. @throws SelsynError `log.full`, `log.failed` */
  async start(): Promise<void> {
    this.#tail = this.#positions.tail;
    try {
      if (this.#tail === 0) return await this.#roll();
      const path = segmentPath(this.#folder, this.#positions.active);
      this.#previousEnd = readSegmentHeader(path)?.previousEnd ?? this.#positions.active;
      this.#use(await openSegment(path, this.#durable));
    } catch (error) {
      throw logFault(error, this.#folder);
    }
  }

  /**
   * Appends `bytes[0, sizeBytes)`, whole frames with `count` records.
   *
   * @throws SelsynError `log.full`, `log.failed`: nothing of it was appended, and the next write may succeed.
   */
  async write(bytes: Buffer, sizeBytes: number, count: number): Promise<void> {
    try {
      if (this.#open === undefined || this.#distrusted || this.#isFullFor(sizeBytes)) await this.#roll();
      await this.#put(bytes, sizeBytes);
    } catch (error) {
      await this.#retreat(error);
      throw logFault(error, this.#folder);
    }
    this.#tail += sizeBytes;
    this.#end += count;
    this.#positions.commit(this.#end, this.#tail);
    this.#open?.fill.keepAhead(this.#tail, sizeBytes);
    if (!this.#durable) this.#syncLater();
  }

  /** Syncs and closes. */
  async close(): Promise<void> {
    this.#cancelSync?.();
    await this.#syncing;
    if (this.#unsynced) await this.#sync();
    await this.#leave();
  }

  #isFullFor(sizeBytes: number): boolean {
    return this.#tail > SEGMENT_HEADER_BYTES && this.#tail + sizeBytes > this.#setup.segmentBytes;
  }

  async #put(bytes: Buffer, sizeBytes: number): Promise<void> {
    const { file, fill } = this.#open!;
    await fill.clear(this.#tail + sizeBytes);
    for (let done = 0; done < sizeBytes;) {
      const { bytesWritten } = await file.handle.write(bytes, done, sizeBytes - done, this.#tail + done);
      // What stops a write short is told by the next one, unless there is nothing to tell.
      if (bytesWritten === 0) throw Object.assign(new Error('nothing could be written'), { code: 'ENOSPC' });
      done += bytesWritten;
    }
    if (this.#durable && !file.writesSync) await file.handle.datasync();
  }

  /** Begins a segment at the end. What the one before holds behind its tail is never read: the new header says where it ends. */
  async #roll(): Promise<void> {
    const { identity, clock } = this.#setup;
    const replaces = this.#tail > 0 && this.#positions.active === this.#end;
    if (!this.#durable && this.#unsynced) await this.#sync();
    await this.#leave();
    if (!replaces) this.#previousEnd = this.#end;
    const header = {
      partition: this.#partition,
      identity,
      base: this.#end,
      previousEnd: this.#previousEnd,
      madeMs: clock.now(),
      intervalSync: !this.#durable,
    };
    const file = await createSegment(this.#folder, header, this.#durable);
    this.#tail = SEGMENT_HEADER_BYTES;
    this.#distrusted = false;
    this.#use(file);
    this.#positions.roll(this.#end, this.#tail);
  }

  #use(file: SegmentHandle): void {
    this.#open = { file, fill: new ZeroFill(file.path, file.writesSync, this.#tail, this.#setup.segmentBytes) };
  }

  /** After a failed write: takes back what reached the file, and leaves the segment unless space alone was lacking. */
  async #retreat(error: unknown): Promise<void> {
    if (this.#open === undefined) return;
    const { file, fill } = this.#open;
    try {
      await fill.stop();
      await file.handle.truncate(this.#tail);
      await file.handle.datasync();
      if (isOutOfSpace(error)) return fill.restart(this.#tail);
    } catch (cause) {
      this.#setup.logLines.warn({ path: file.path, cause: String(cause) }, 'A log segment could not be cut back and is left');
    }
    await this.#leave();
  }

  /** Closes the segment without what was laid down behind its tail. */
  async #leave(): Promise<void> {
    if (this.#open === undefined) return;
    const { file, fill } = this.#open;
    this.#open = undefined;
    try {
      await fill.stop();
      await file.handle.truncate(this.#tail);
    } catch (cause) {
      this.#setup.logLines.warn(
        { path: file.path, cause: String(cause) },
        'Unused space at the end of a log segment was not given back',
      );
    }
    try {
      await file.handle.close();
    } catch (cause) {
      this.#setup.logLines.warn({ path: file.path, cause: String(cause) }, 'A log segment was not closed cleanly');
    }
  }

  #syncLater(): void {
    this.#unsynced = true;
    if (this.#cancelSync !== undefined) return;
    this.#cancelSync = this.#setup.clock.after(this.#setup.syncIntervalMs, () => {
      this.#cancelSync = undefined;
      this.#syncing = this.#sync();
    });
  }

  async #sync(): Promise<void> {
    this.#unsynced = false;
    try {
      await this.#open?.file.handle.datasync();
    } catch (cause) {
      this.#distrusted = true;
      const path = this.#open?.file.path;
      this.#setup.logLines.error(
        { path, cause: String(cause) },
        'The log could not be synced: records of the last interval are at risk',
      );
    }
  }
}
