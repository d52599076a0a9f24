import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { Message } from './message.ts';

/** A QoS 1 or 2 message that waits until its subscriber can take it. */
export interface Delivery {
  readonly message: Message;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | undefined;
}

/** First in, first out; bounded in messages and bytes. */
export class OutboundQueue {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** Taken ones stand before `#head` until half of the array is taken. */
  #items: Delivery[] = [];
  #head = 0;
  bytes = 0;

  constructor(limits: { readonly maxQueuedMessages: number; readonly maxQueuedBytes: number }) {
    this.#maxMessages = limits.maxQueuedMessages;
    this.#maxBytes = limits.maxQueuedBytes;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** False, and nothing is taken, where a bound would be passed. */
  push(delivery: Delivery): boolean {
    const size = delivery.message.sizeBytes;
    if (this.length >= this.#maxMessages || this.bytes + size > this.#maxBytes) return false;
    this.#items.push(delivery);
    this.bytes += size;
    return true;
  }

  shift(): Delivery | undefined {
    const delivery = this.#items[this.#head];
    if (delivery === undefined) return undefined;
    this.bytes -= delivery.message.sizeBytes;
    this.#head++;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return delivery;
  }

  /** Empties it and returns how many there were. */
  clear(): number {
    const { length } = this;
    this.#items = [];
    this.#head = 0;
    this.bytes = 0;
    return length;
  }
}
