/** What is asked of the bus. */
interface Settling {
  settled(): Promise<void>;
}

/**
 * Topics whose retained message has been replaced by one that this thread has delivered, but whose home has not told so yet: what
 * this thread keeps for them is old, and must not be sent behind what replaces it.
 *
 * A doubt is over once all threads have twice said that what they had sent before is here: the first time the publisher's thread
 * has told the home, the second time the home has told this one. Bounded by what is published in that time.
 */
export class RetainedDoubts {
  readonly #bus: Settling;
  readonly #onCleared: () => void;
  /** With the number of the newest publish, in that order. */
  readonly #topics = new Map<string, number>();
  #publishes = 0;
  #clearing = false;

  constructor(bus: Settling, onCleared: () => void) {
    this.#bus = bus;
    this.#onCleared = onCleared;
  }

  has(topic: string): boolean {
    return this.#topics.has(topic);
  }

  add(topic: string): void {
    this.#topics.delete(topic);
    this.#topics.set(topic, ++this.#publishes);
    if (!this.#clearing) void this.#clear();
  }

  async #clear(): Promise<void> {
    this.#clearing = true;
    while (this.#topics.size > 0) {
      const upTo = this.#publishes;
      await this.#bus.settled();
      await this.#bus.settled();
      for (const [topic, publish] of this.#topics) {
        if (publish > upTo) break;
        this.#topics.delete(topic);
      }
      this.#onCleared();
    }
    this.#clearing = false;
  }
}
