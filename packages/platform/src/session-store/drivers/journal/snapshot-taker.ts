import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../../kernel/clock.ts';
import { isSelsynError } from '../../../kernel/errors.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Log, Offset, PartitionId, Ticket } from '../../../log/log.ts';
import type { StoreOwner } from '../../session-store.ts';
import type { JournalFold } from './journal-fold.ts';
import type { JournalWriter } from './journal-writer.ts';

/** Slices are taken in one turn of the event loop until they come to so much: a dozen small sessions, or one large. */
const TURN_BYTES = 1024;
/** While so much waits for the disk, each turn's slices wait for those before: a snapshot must not be what saturates it. */
const MAX_PENDING_BYTES = 512 * 1024;
const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

export interface SnapshotTakerOptions {
  readonly log: Log;
  readonly partition: PartitionId;
  readonly writer: JournalWriter;
  readonly owner: StoreOwner;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly snapshotAfterBytes: number;
}

/**
 * Bounds the history: writes a snapshot once it has grown large, and lets go of what came before it.
 *
 * 1. the begin mark, with the durable end of the journal;  2. slices, a few a turn, while little waits for the disk;
 * 3. once all of them are durable, the end mark;  4. once that is durable, the history before the begin mark is released.
 * Whenever something is rejected, or refused, the snapshot is void and a new one due, since the journal then lacks what its
 * owner has: after a pause, which doubles while snapshots fail.
 */
export class SnapshotTaker {
  readonly #options: SnapshotTakerOptions;
  /** Bytes of the writer at which the history began. Negative for a history of an earlier start. */
  #historyBegan: number;
  #snapshotBytes: number;
  #settledUpTo = 0;
  #waiting: { readonly ticket: number; readonly resolve: () => void } | undefined;
  #running: Promise<void> | undefined;
  /** Changes, or many at once, that the journal lacks: a snapshot during which one is lost is void. */
  #losses = 0;
  #cancelRetry: (() => void) | undefined;
  #retryMs = RETRY_MS;
  #isStopped = false;

  /** @param fold what was read at the start. */
  constructor(options: SnapshotTakerOptions, fold: JournalFold) {
    this.#options = options;
    this.#historyBegan = -fold.historyBytes;
    this.#snapshotBytes = fold.snapshotBytes;
  }

  /** To be called after each change: costs two comparisons. */
  afterChange(): void {
    const { writer, snapshotAfterBytes } = this.#options;
    const historyBytes = writer.writtenBytes - this.#historyBegan;
    if (historyBytes <= snapshotAfterBytes || historyBytes <= 2 * this.#snapshotBytes) return;
    if (this.#running === undefined && this.#cancelRetry === undefined) this.#start();
  }

  onDurable(upTo: Ticket): void {
    this.#wake(upTo);
  }

  onRejected(upTo: Ticket): void {
    this.onRefused();
    this.#wake(upTo);
  }

  /** A change was not even taken. */
  onRefused(): void {
    this.#losses += 1;
    if (this.#running === undefined) this.#later();
  }

  /** Ends a snapshot that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelRetry?.();
    this.#wake(Infinity);
    await this.#running;
  }

  #start(): void {
    if (this.#isStopped) return;
    const losses = this.#losses;
    this.#running = this.#take(() => !this.#isStopped && this.#losses === losses).then((complete) => {
      this.#running = undefined;
      if (complete) this.#retryMs = RETRY_MS;
      else this.#later();
    });
  }

  #later(): void {
    if (this.#isStopped || this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#options.clock.after(this.#retryMs, () => {
      this.#cancelRetry = undefined;
      this.#start();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
  }

  /** True once the snapshot is durable. */
  async #take(isValid: () => boolean): Promise<boolean> {
    const { log, partition, owner, logLines } = this.#options;
    try {
      const id = await this.#durableEnd();
      const began = this.#options.writer.writtenBytes;
      await this.#settled(this.#options.writer.mark('begin', id));
      const slices = owner.snapshot();
      const sizeBytes = await this.#takeSlices(slices, isValid);
      if (!isValid()) {
        slices.return?.();
        return false;
      }
      await this.#settled(this.#options.writer.mark('end', id));
      if (!isValid()) return false;
      this.#historyBegan = began;
      this.#snapshotBytes = sizeBytes;
      await log.release(partition, id);
      return true;
    } catch (error) {
      if (!isSelsynError(error)) throw error;
      if (!this.#isStopped)
        logLines.warn({ code: error.code, cause: error.message }, 'A snapshot of the sessions could not be written');
      return false;
    }
  }

  /** Resolves when all slices are durable, with their bytes, or when the snapshot has become void. */
  async #takeSlices(slices: ReturnType<StoreOwner['snapshot']>, isValid: () => boolean): Promise<number> {
    const { writer } = this.#options;
    let sizeBytes = 0;
    let last = 0;
    for (let isDone = false; !isDone && isValid();) {
      while (writer.saturated && isValid()) await this.#settled(this.#settledUpTo + 1);
      const before = writer.writtenBytes;
      while (!isDone && writer.writtenBytes - before < TURN_BYTES) {
        const slice = slices.next();
        isDone = slice.done === true;
        if (!isDone) for (const change of slice.value) last = writer.ofSnapshot(change);
      }
      sizeBytes += writer.writtenBytes - before;
      await nextTurn();
      if (isDone || writer.pendingBytes > MAX_PENDING_BYTES) await this.#settled(last);
    }
    return sizeBytes;
  }

  /** Resolves once the ticket is settled, whichever way, or when this is stopped. */
  async #settled(ticket: number): Promise<void> {
    if (this.#isStopped || this.#settledUpTo >= ticket) return;
    await new Promise<void>((resolve) => (this.#waiting = { ticket, resolve }));
  }

  #wake(upTo: number): void {
    this.#settledUpTo = upTo;
    if (this.#waiting === undefined || this.#waiting.ticket > upTo) return;
    this.#waiting.resolve();
    this.#waiting = undefined;
  }

  /** Where the durable part of the journal ends now: what is written from now on has no smaller offset. */
  async #durableEnd(): Promise<Offset> {
    const { log, partition } = this.#options;
    await using reader = await log.openReader(partition, await log.oldest(partition));
    return reader.end;
  }
}
