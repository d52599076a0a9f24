import { SelsynError } from '../../../kernel/errors.ts';
import type { Appender, AppenderListener, RecordSource, Ticket } from '../../log.ts';
import { BatchBuffer } from './batch-buffer.ts';
import type { DiskLogSetup } from './disk-options.ts';
import { logFault } from './log-faults.ts';
import { SegmentWriter } from './segment-writer.ts';
import { isRefusing, type SharedPositions } from './shared-positions.ts';

/** Counts since the appender was opened, for metrics. */
export interface AppenderCounters {
  readonly records: number;
  readonly sizeBytes: number;
  readonly commits: number;
  readonly commitMs: number;
  readonly rejected: number;
}

/**
 * Group commit: records go to the open batch while the one before is being written.
 *
 * A batch is closed at the end of the turn of the event loop in which it got its first record, or in which the batch
 * before was settled. So there is at most one commit a turn, and under load a turn fills a batch.
 */
export class DiskAppender implements Appender {
  readonly counters = { records: 0, sizeBytes: 0, commits: 0, commitMs: 0, rejected: 0 } satisfies AppenderCounters;
  readonly #setup: DiskLogSetup;
  readonly #positions: SharedPositions;
  readonly #listener: AppenderListener;
  readonly #segments: SegmentWriter;
  readonly #maxRecordBytes: number;
  readonly #maxPendingBytes: number;
  readonly #onClosed: () => void;
  #open = new BatchBuffer();
  #spare = new BatchBuffer();
  #inFlightBytes = 0;
  #lastTicket = 0;
  #isSaturated = false;
  /** A commit is under way or will begin at the end of this turn. */
  #isBusy = false;
  #isClosed = false;
  #whenIdle: (() => void) | undefined;

  constructor(
    setup: DiskLogSetup,
    partition: number,
    positions: SharedPositions,
    listener: AppenderListener,
    onClosed: () => void,
  ) {
    this.#setup = setup;
    this.#positions = positions;
    this.#listener = listener;
    this.#onClosed = onClosed;
    this.#segments = new SegmentWriter(setup, partition, positions);
    this.#maxRecordBytes = setup.maxRecordBytes;
    this.#maxPendingBytes = setup.maxPendingBytes;
  }

  /** @throws SelsynError `log.full`, `log.failed` */
  async start(): Promise<void> {
    await this.#segments.start();
  }

  get pendingBytes(): number {
    return this.#inFlightBytes + this.#open.size;
  }

  get saturated(): boolean {
    return this.#isSaturated;
  }

  add(source: RecordSource, data: Uint8Array, start: number, end: number): Ticket {
    if (this.#isClosed) throw new SelsynError('log.closed', 'the log is closed');
    // Written so that no comparison with NaN passes.
    if (!(start >= 0 && end >= start && end <= data.length)) throw new RangeError('a record lies outside of its data');
    if (end - start > this.#maxRecordBytes) throw this.#tooLarge(end - start);
    if (this.#isSaturated) this.#refuseExcess();
    this.#open.append(source, data, start, end);
    if (this.#inFlightBytes + this.#open.size >= this.#maxPendingBytes) this.#isSaturated = true;
    if (!this.#isBusy) this.#schedule();
    return ++this.#lastTicket as Ticket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isBusy) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    await this.#segments.close();
    this.#positions.freeWriter();
    this.#onClosed();
  }

  #schedule(): void {
    this.#isBusy = true;
    setImmediate(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const batch = this.#open;
    const lastTicket = this.#lastTicket as Ticket;
    this.#open = this.#spare;
    this.#spare = batch;
    this.#inFlightBytes = batch.size;
    const { clock, seed, onCommit, shared } = this.#setup;
    const startMs = clock.monotonicMs();
    let fault: SelsynError | undefined;
    try {
      if (isRefusing(shared)) throw refused();
      batch.seal(this.#positions.end, clock.now(), seed);
      await this.#segments.write(batch.bytes, batch.size, batch.count);
    } catch (error) {
      fault = logFault(error, this.#setup.dir);
    }
    const { count, size } = batch;
    batch.clear();
    this.#inFlightBytes = 0;
    if (fault === undefined) {
      const durationMs = clock.monotonicMs() - startMs;
      this.counters.records += count;
      this.counters.sizeBytes += size;
      this.counters.commits += 1;
      this.counters.commitMs += durationMs;
      onCommit(durationMs, count, size);
    } else this.counters.rejected += count;
    // Before the listener is called: a record that it adds goes to a commit of its own.
    if (this.#open.count > 0) this.#schedule();
    else this.#isBusy = false;
    if (fault === undefined) this.#listener.onDurable(lastTicket);
    else this.#listener.onRejected(lastTicket, fault);
    this.#relax();
    if (!this.#isBusy) this.#whenIdle?.();
  }

  /** From the limit on callers should stop; who goes on is refused from twice the limit on. */
  #refuseExcess(): void {
    const pendingBytes = this.pendingBytes;
    if (pendingBytes < 2 * this.#maxPendingBytes) return;
    throw new SelsynError('log.failed', 'more records are waiting for the disk than memory is set aside for', {
      retryable: true,
      details: { pendingBytes, maxPendingBytes: this.#maxPendingBytes },
    });
  }

  #relax(): void {
    if (!this.#isSaturated || this.pendingBytes >= this.#maxPendingBytes / 2) return;
    this.#isSaturated = false;
    this.#listener.onDrained();
  }

  #tooLarge(sizeBytes: number): SelsynError {
    return new SelsynError('request.too-large', `a record has at most ${this.#maxRecordBytes} bytes`, {
      details: { sizeBytes, maxRecordBytes: this.#maxRecordBytes },
    });
  }
}

function refused(): SelsynError {
  return new SelsynError('log.full', 'the volume has less space left than its floor: nothing more is taken until there is more', {
    retryable: true,
  });
}
