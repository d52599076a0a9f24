import type { Delivery } from './delivery.ts';

/** First in, first out, of QoS 1 and 2 messages that wait until their client can take them. Its bounds are its owner's. */
export class OutboundQueue {
  /** Taken ones stand before `#head` until half of the array is taken. */
  #items: Delivery[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): Delivery | undefined {
    return this.#items[this.#head];
  }

  push(delivery: Delivery): void {
    this.#items.push(delivery);
  }

  shift(): Delivery | undefined {
    const delivery = this.#items[this.#head];
    if (delivery === undefined) return undefined;
    this.#head++;
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return delivery;
  }

  /** Takes out whichever of these it has. */
  remove(deliveries: ReadonlySet<Delivery>): void {
    this.#items = this.items.filter((delivery) => !deliveries.has(delivery));
    this.#head = 0;
  }

  /** What is in it, the oldest first. */
  get items(): readonly Delivery[] {
    return this.#items.slice(this.#head);
  }
}
