import type { SelsynError } from '../../../kernel/errors.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Appender, Log, PartitionId, Ticket } from '../../../log/log.ts';
import { BytePool } from '../../byte-pool.ts';
import type { SessionStore, StoreChange, StoreOwner, StoreTicket } from '../../session-store.ts';
import { replayJournal } from './journal-replay.ts';
import { JournalWriter } from './journal-writer.ts';
import { SnapshotTaker } from './snapshot-taker.ts';

export interface JournalSessionStoreOptions {
  /** A stream of sessions. Its records may be as large as a packet and its holders; what is released is to go at once. */
  readonly log: Log;
  /** This thread's own. */
  readonly partition: PartitionId;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** A snapshot is taken when the history is larger than this, and than twice the last snapshot. Default 64 MiB. */
  readonly snapshotAfterBytes?: number;
}

interface Opened {
  readonly owner: StoreOwner;
  readonly appender: Appender;
  readonly writer: JournalWriter;
  readonly snapshots: SnapshotTaker;
}

const SNAPSHOT_AFTER_BYTES = 64 * 1024 * 1024;

/**
 * Keeps sessions as a journal of changes: one partition of a log, one record a change.
 *
 * `open` folds the history (journal-fold.ts) and gives its owner what is left of it, in the order of `StoredState.changes`:
 * an owner never sees a change about what it does not know, nor a message that nobody holds.
 */
export class JournalSessionStore implements SessionStore {
  readonly #options: JournalSessionStoreOptions;
  #opened: Opened | undefined;

  constructor(options: JournalSessionStoreOptions) {
    this.#options = options;
  }

  async open(owner: StoreOwner): Promise<void> {
    const { log, partition, snapshotAfterBytes = SNAPSHOT_AFTER_BYTES } = this.#options;
    const appender = await log.openAppender(partition, {
      onDurable: (upTo) => this.#settle(upTo, undefined),
      onRejected: (upTo, error) => this.#settle(upTo, error),
      onDrained: () => owner.onDrained(),
    });
    try {
      const fold = await replayJournal(log, partition);
      // Copied again, close together: what is left of the history must not keep the memory of all of it.
      const pool = new BytePool();
      for (const change of fold.state.changes()) owner.restore(compacted(change, pool));
      // In case the process ended between a snapshot and this.
      await log.release(partition, fold.neededFrom);
      const writer = new JournalWriter(appender);
      const snapshots = new SnapshotTaker({ ...this.#options, owner, writer, snapshotAfterBytes }, fold);
      this.#opened = { owner, appender, writer, snapshots };
    } catch (error) {
      await appender[Symbol.asyncDispose]();
      throw error;
    }
  }

  write(change: StoreChange): StoreTicket {
    if (this.#opened === undefined) throw new TypeError('the session store is not open');
    const { writer, snapshots } = this.#opened;
    let ticket: StoreTicket;
    try {
      ticket = writer.change(change);
    } catch (error) {
      snapshots.onRefused();
      throw error;
    }
    snapshots.afterChange();
    return ticket;
  }

  get saturated(): boolean {
    return this.#opened !== undefined && this.#opened.writer.saturated;
  }

  /** Settles all that was written; then takes nothing more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.snapshots.stop();
    await this.#opened?.appender[Symbol.asyncDispose]();
  }

  /** The owner first: it may have clients that wait. */
  #settle(upTo: Ticket, error: SelsynError | undefined): void {
    const { owner, writer, snapshots } = this.#opened!;
    const ticket = writer.settle(upTo);
    if (error === undefined) {
      if (ticket !== undefined) owner.onDurable(ticket);
      snapshots.onDurable(upTo);
    } else {
      if (ticket !== undefined) owner.onRejected(ticket, error);
      snapshots.onRejected(upTo);
    }
  }
}

function compacted(change: StoreChange, pool: BytePool): StoreChange {
  if (change.kind === 'retained') return { ...change, packet: pool.copy(change.packet, 0, change.packet.length) };
  if (change.kind !== 'message') return change;
  const { number, packet, expiresAtMs } = change.message;
  return { ...change, message: { number, packet: pool.copy(packet, 0, packet.length), expiresAtMs } };
}
