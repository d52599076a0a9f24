import type { Clock } from '../kernel/clock.ts';
import type { CircuitState } from './forwarder.ts';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 60_000;
/** A target may ask for more time than we would give it. */
const MAX_ASKED_MS = 300_000;
/** From so many failures in a row on it counts as dead. */
const OPEN_AFTER = 5;

/**
 * Whether a target is asked now. After a failure one delivery alone is tried, after a while that doubles up to a minute, with a
 * jitter so that many forwarders do not come back at once; when it succeeds all go on.
 *
 * Not opossum: that one turns calls away by the share of failures within a time window, for callers who do without the answer. Here
 * nobody may be turned away: what is sent waits in the log, in its order, for as long as it takes.
 */
export class Circuit {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #retryAtMs = 0;
  /** Grows with each failure that counts: what was admitted before it fails for the same reason. */
  #epoch = 0;
  #isProbing = false;
  #change = Promise.withResolvers<void>();
  lastError: { readonly message: string; readonly atMs: number } | undefined;

  constructor(dependencies: { readonly clock: Clock; readonly random: () => number }) {
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
  }

  get state(): CircuitState {
    if (this.#failures === 0) return 'closed';
    if (this.#failures < OPEN_AFTER) return 'retrying';
    return this.#isProbing ? 'half-open' : 'open';
  }

  get failures(): number {
    return this.#failures;
  }

  /**
   * Resolves when a delivery may be tried: then `succeeded`, `failed` or `leave` must follow.
   *
   * @returns what `failed` wants
   * @throws the signal's reason
   */
  async admit(signal: AbortSignal): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failures === 0) return this.#epoch;
      const waitMs = this.#retryAtMs - this.#clock.monotonicMs();
      if (waitMs <= 0 && !this.#isProbing) {
        this.#isProbing = true;
        return this.#epoch;
      }
      await this.#wait(waitMs <= 0 ? undefined : waitMs, signal);
    }
  }

  /** @returns whether this ends an outage that it was told of */
  succeeded(): boolean {
    const wasOpen = this.#failures >= OPEN_AFTER;
    this.#failures = 0;
    this.#wake();
    return wasOpen;
  }

  /** @returns whether the target counts as dead from now on */
  failed(admission: number, message: string, retryAfterMs = 0): boolean {
    this.lastError = { message, atMs: this.#clock.now() };
    if (admission !== this.#epoch) return false;
    this.#epoch += 1;
    this.#failures += 1;
    const doubledMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(20, this.#failures - 1));
    const delayMs = Math.max(doubledMs * (0.5 + this.#random() / 2), Math.min(retryAfterMs, MAX_ASKED_MS));
    this.#retryAtMs = this.#clock.monotonicMs() + delayMs;
    this.#wake();
    return this.#failures === OPEN_AFTER;
  }

  /** What was admitted was not tried after all. */
  leave(): void {
    this.#wake();
  }

  /** Asks at once, whatever was before: somebody has changed something. */
  reset(): void {
    this.#failures = 0;
    this.#wake();
  }

  #wake(): void {
    this.#isProbing = false;
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  async #wait(waitMs: number | undefined, signal: AbortSignal): Promise<void> {
    const stop = Promise.withResolvers<void>();
    const onAbort = (): void => stop.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = waitMs === undefined ? undefined : this.#clock.after(waitMs, () => stop.resolve());
    await Promise.race([this.#change.promise, stop.promise]);
    cancel?.();
    signal.removeEventListener('abort', onAbort);
  }
}
