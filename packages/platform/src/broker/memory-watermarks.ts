/**
 * What a thread may still keep for its clients:
 * - `normal`: everything;
 * - `shed-qos0`: nothing of QoS 0 that cannot go out at once;
 * - `full`: nothing more; who publishes is told so, and read more slowly.
 */
export type MemoryLevel = 'normal' | 'shed-qos0' | 'full';

/** Shares of the limit. Each level is left below where it is entered, so that it does not come and go with each message. */
const SHED_FROM = 0.75;
const SHED_UNTIL = 0.7;
const FULL_FROM = 1;
const FULL_UNTIL = 0.95;
/** Enough for a client that only happens to be behind. */
const LEAST_SHARE_BYTES = 16_384;

/** Watches the bytes that a thread holds for its clients: in queues, in sockets that do not take them, of packets that are not whole. */
export class MemoryWatermarks {
  readonly #limitBytes: number;
  #level: MemoryLevel = 'normal';

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get level(): MemoryLevel {
    return this.#level;
  }

  /** True where no more QoS 0 is to be kept: `shed-qos0` and `full`. */
  get shedsQos0(): boolean {
    return this.#level !== 'normal';
  }

  get isFull(): boolean {
    return this.#level === 'full';
  }

  /** What one client that is there may have waiting: the bound, and next to nothing where all is full. */
  share(boundBytes: number): number {
    return this.isFull ? Math.min(boundBytes, LEAST_SHARE_BYTES) : boundBytes;
  }

  /** Takes what waits now, and returns the level that follows. */
  update(queuedBytes: number, backlogBytes: number, partialBytes = 0): MemoryLevel {
    const share = (queuedBytes + backlogBytes + partialBytes) / this.#limitBytes;
    if (share >= (this.#level === 'full' ? FULL_UNTIL : FULL_FROM)) this.#level = 'full';
    else if (share >= (this.#level === 'normal' ? SHED_FROM : SHED_UNTIL)) this.#level = 'shed-qos0';
    else this.#level = 'normal';
    return this.#level;
  }
}
