/** One clock for every age on the page: all of them change together, once a second. */
export class Ticker {
  readonly #listeners = new Set<() => void>();
  readonly #nowMs: () => number;
  #at: number;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#at = nowMs();
  }

  /** The time of the last tick: the same for all that ask. */
  readonly now = (): number => this.#at;

  /** The time of this moment. */
  readonly exact = (): number => this.#nowMs();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#timer === undefined) {
      this.#at = this.#nowMs();
      this.#timer = setInterval(() => this.#tick(), 1000);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  };

  #tick(): void {
    this.#at = this.#nowMs();
    for (const listener of this.#listeners) listener();
  }
}
