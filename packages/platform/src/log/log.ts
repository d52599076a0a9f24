import type { SelsynError } from '../kernel/errors.ts';
import type { DeviceId } from '../kernel/device-id.ts';

/** A place in one partition. Grows with each record; a reader must not assume that it grows by one between batches. */
export type Offset = number & { readonly brand: 'Offset' };
export type PartitionId = number & { readonly brand: 'PartitionId' };
/** Counts the records that one appender was given, from 1. */
export type Ticket = number & { readonly brand: 'Ticket' };

/**
 * Who sent a record, and on which topic.
 *
 * Made once for each topic that a connection uses and handed in with every record: a driver may keep on it what it
 * worked out (its encoded form, its number in the batch being filled), so that a record costs no lookup. A reader gives
 * the same object for the same device and topic as long as either is in use, so that a consumer may key on it.
 */
export class RecordSource {
  readonly device: DeviceId;
  readonly topic: string;
  /** For the driver: the number of this source in the batch that was being filled when it was last used. */
  indexInBatch = -1;
  /** For the driver: its encoded form, worked out at the first use. */
  encoded: Uint8Array | undefined;
  /** Belongs to the consumer that last read a record of this source: what it looked up for it. */
  known: object | undefined;

  constructor(device: DeviceId, topic: string) {
    this.device = device;
    this.topic = topic;
  }
}

export interface AppenderListener {
  /** Every record up to and including this ticket is durable, but for those that were reported by `onRejected`. */
  onDurable(upTo: Ticket): void;
  /**
   * The records after the last settled ticket, up to and including this one, were not appended and never will be:
   * `log.full` when the volume is out of space, `log.failed` for any other fault of it. Later records may succeed.
   */
  onRejected(upTo: Ticket, error: SelsynError): void;
  /** `pendingBytes` has fallen below half of the limit again, after `add` had reported that it was reached. */
  onDrained(): void;
}

/** The one writer of a partition in one thread. Tickets are settled in their order, each exactly once. */
export interface Appender extends AsyncDisposable {
  /**
   * Copies a record, `data[start, end)`, into the batch that is being filled and returns its ticket.
   *
   * Records get offsets in call order. All that is added in one turn of the event loop, or while a sync is under way,
   * shares the next sync (group commit): cost is one fdatasync a batch, not a record.
   *
   * @throws SelsynError `request.too-large` when the record is larger than `maxRecordBytes`; `log.closed` after close;
   * `log.failed` (retryable) when `pendingBytes` is at twice its limit. Nothing was taken then: there is no ticket.
   */
  add(source: RecordSource, data: Uint8Array, start: number, end: number): Ticket;
  /** Bytes that were added and are not settled yet. */
  readonly pendingBytes: number;
  /** True from when `pendingBytes` reached its limit until `onDrained`: whoever adds records must stop reading its sockets. */
  readonly saturated: boolean;
}

/**
 * Records that were appended together. Arrays are filled up to `count` and belong to the reader: valid until its next call.
 * Record i is `data[starts[i], ends[i])` from `sources[sourceIndex[i]]` at offset `firstOffset + i`.
 */
export interface RecordBatch {
  readonly partition: PartitionId;
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;
  /** Wall time at which the batch was closed, ms. */
  readonly arrivalMs: number;
  readonly count: number;
  readonly sources: readonly RecordSource[];
  readonly sourceIndex: Uint32Array;
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Reads one partition in order, in any thread. It sees only what is durable. */
export interface LogReader extends AsyncDisposable {
  /**
   * The batch that holds `position`, from there on, if it is durable already. Does not wait.
   *
   * @throws SelsynError `log.offset-gone` when retention was faster; `data.corrupt` when what was durable is damaged, at
   * every call: damage is never stepped over. A reader opened behind it reads on.
   */
  read(): RecordBatch | undefined;
  /** Resolves when there is something to `read`, when the signal is aborted, or when the reader is closed: call `read` again. */
  wait(signal: AbortSignal): Promise<void>;
  /** The next offset that `read` will return. */
  readonly position: Offset;
  /** The offset after the last durable record: `end - position` is the lag in records. */
  readonly end: Offset;
}

/**
 * One stream of durable, ordered, partitioned records. A consumer keeps its own offsets, in its own store.
 * Drivers: disk; Kafka fits (an appender is a producer with acks=all and idempotence, a ticket is its send).
 */
export interface Log extends AsyncDisposable {
  readonly partitions: readonly PartitionId[];
  /** @throws SelsynError `log.failed` when the partition has a writer already. */
  openAppender(partition: PartitionId, listener: AppenderListener): Promise<Appender>;
  /**
   * Starts at `from`, or at the oldest record that is left if `from` is older: compare with `oldest` where that matters.
   *
   * @throws SelsynError `log.offset-gone` when `from` is beyond the end: the log has lost what this consumer has read.
   */
  openReader(partition: PartitionId, from: Offset): Promise<LogReader>;
  /** The oldest offset that is still there. */
  oldest(partition: PartitionId): Promise<Offset>;
  /** Says that no consumer needs records before this offset: retention by age and size may take them, and never others. */
  release(partition: PartitionId, before: Offset): Promise<void>;
  /**
   * Keeps records from this offset on although they are released, within bounds of its own (`held` of the driver): for who reads the
   * log at a pace that is not ours. The bounds are never stepped over: a reader that is too slow for them is told `log.offset-gone`.
   * Holds for the log in all threads, until it is said anew; undefined: nothing is kept.
   */
  hold(partition: PartitionId, from: Offset | undefined): void;
  /** How much the records from this offset on take, about, in bytes. */
  bytesFrom(partition: PartitionId, from: Offset): Promise<number>;
  /** Names this log for ever: made when its first segment was, so that a consumer knows when its offsets speak of another log. */
  readonly identity: string;
}
