/**
 * A rate with a burst: a bucket that holds `burst` tokens, full at first, and gets `perSec` a second.
 *
 * ```
 *    now ├──── what was taken ────┤ fullAt      tokens = burst − (fullAt − now) · perSec
 * ```
 * It is kept as the time at which it will be full again, so nothing is lost to rounding, however often it is asked and however far
 * the clock has jumped. Who asks for more than the burst gets it from a full bucket, which then owes the rest.
 */
export class TokenBucket {
  readonly #msPerToken: number;
  readonly #burst: number;
  #fullAtMs = -Infinity;

  /** Both more than 0. */
  constructor(rate: { readonly perSec: number; readonly burst: number }) {
    this.#msPerToken = 1_000 / rate.perSec;
    this.#burst = rate.burst;
  }

  /** Takes `n` tokens if there are as many (or the bucket is full). */
  take(n: number, nowMs: number): boolean {
    if (this.#waitMs(n, nowMs) > TOLERANCE_MS) return false;
    this.spend(n, nowMs);
    return true;
  }

  /** Takes `n` tokens that are gone already, as bytes that were read are: the bucket owes what it has not. */
  spend(n: number, nowMs: number): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + n * this.#msPerToken;
  }

  /** Whole ms until `take` of `n` succeeds, if nobody takes any in between; for 0 tokens: until nothing is owed. */
  waitMs(n: number, nowMs: number): number {
    const waitMs = this.#waitMs(n, nowMs);
    return waitMs > TOLERANCE_MS ? Math.ceil(waitMs) : 0;
  }

  #waitMs(n: number, nowMs: number): number {
    const owedMs = Math.max(this.#fullAtMs - nowMs, 0);
    return owedMs - (this.#burst - Math.min(n, this.#burst)) * this.#msPerToken;
  }
}

/** Sums of fractions are not exact: one third of a second three times is not quite a second. */
const TOLERANCE_MS = 1e-3;
