import type { Clock } from '../kernel/clock.ts';

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A second's worth may come at once, and never less than this. */
const MIN_BURST = 10;
const MAX_KEYS = 20_000;

/** So many a minute of each key, evenly: a bucket of tokens each, kept in memory. A restart fills them. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns false: it came too soon. */
  take(key: string, perMinute: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    // No rate lets more than one minute's worth through in a minute that begins with a full bucket.
    const capacity = Math.min(perMinute, Math.max(MIN_BURST, perMinute / 60));
    const bucket = this.#buckets.get(key) ?? { tokens: capacity, atMs: nowMs };
    const tokens = Math.min(capacity, bucket.tokens + ((nowMs - bucket.atMs) * perMinute) / 60_000);
    // The longest unused first to go: it was refilled anyway.
    this.#buckets.delete(key);
    const isTaken = tokens >= 1;
    this.#buckets.set(key, { tokens: isTaken ? tokens - 1 : tokens, atMs: nowMs });
    if (this.#buckets.size > MAX_KEYS) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return isTaken;
  }
}
