import type { Clock } from '../kernel/clock.ts';

/** Keys that were refused not long ago. When it is full the oldest goes. */
export class NegativeCache {
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #maxKeys: number;
  /** In the order in which they end, since each stays as long. */
  readonly #untilMs = new Map<string, number>();

  constructor(options: { readonly clock: Clock; readonly forMs: number; readonly maxKeys: number }) {
    this.#clock = options.clock;
    this.#forMs = options.forMs;
    this.#maxKeys = options.maxKeys;
  }

  has(key: string): boolean {
    this.#forget();
    return this.#untilMs.has(key);
  }

  add(key: string): void {
    this.#untilMs.delete(key);
    this.#untilMs.set(key, this.#clock.monotonicMs() + this.#forMs);
    if (this.#untilMs.size > this.#maxKeys) {
      for (const oldest of this.#untilMs.keys()) {
        this.#untilMs.delete(oldest);
        break;
      }
    }
  }

  #forget(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(key);
    }
  }
}
