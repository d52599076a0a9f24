import type { SampleValue } from './samples.ts';

/** A record on its way out. */
export interface OutgoingRecord {
  readonly partition: number;
  readonly offset: number;
  readonly arrivalMs: number;
  readonly device: string;
  readonly topic: string;
  /** What the device sent. */
  readonly payload: Uint8Array;
  /** With the format `samples`: never empty then. */
  readonly samples?: readonly OutgoingSample[] | undefined;
}

export interface OutgoingSample {
  /** Its own time, or that of its arrival. */
  readonly timeMs: number;
  /** It had no time of its own. */
  readonly isAssigned: boolean;
  readonly values: Readonly<Record<string, SampleValue>>;
}

/** Records of one partition in their order, sent together. */
export interface Delivery {
  /** Names what is in it: the same for the same range of offsets. */
  readonly key: string;
  readonly partition: number;
  /** Everything before this is done with once it is delivered. */
  readonly nextOffset: number;
  readonly records: readonly OutgoingRecord[];
  /** Payload bytes. */
  readonly sizeBytes: number;
  /** Those that the filter left out, since the delivery before. */
  readonly filtered: number;
  readonly undecodable: number;
}

/**
 * Why something was not delivered. `failed`: nothing is wrong with the records, later they may be taken. `refused`: the target said no to
 * what is in them, and will say so again.
 */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly kind: 'failed' | 'refused';
  /** The target asked for so much time. */
  readonly retryAfterMs: number | undefined;
  /** Offsets of the records that were refused, where the target says so of each: all others were taken. */
  readonly offsets: ReadonlySet<number> | undefined;

  constructor(
    kind: 'failed' | 'refused',
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined; offsets?: ReadonlySet<number> } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.offsets = options.offsets;
  }
}

/** Where records go. Connects when it is first needed, and again after a failure. Several deliveries may be under way, of different partitions. */
export interface DeliveryTarget extends AsyncDisposable {
  /**
   * Resolves once the target has answered for all of the records, in their order.
   *
   * @throws DeliveryError; some of the records may have been taken then. Anything else that is thrown counts as `failed`.
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<void>;
}
