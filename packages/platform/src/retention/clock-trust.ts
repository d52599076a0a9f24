import type { Clock } from '../kernel/clock.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The wall clock may be so far ahead of what it was last seen at, and of the time that has gone by since. */
const JUMP_MS = 36 * HOUR_MS;
/** A machine that was off for no longer than this is believed after it has run for a day. */
const HEALS_MS = 31 * DAY_MS;
const STEADY_MS = DAY_MS;
/** Clocks that have lost their battery begin in 1970 or 2000: what was seen then says nothing. */
const BUILT_MS = Date.UTC(2025, 0, 1);

/** What must outlive the process. */
export interface ClockMemory {
  /** The latest wall time at which the clock was believed, ms; 0: never. */
  lastSeenMs(): number;
  /** Bounded work: called once a minute. */
  save(seenMs: number): void;
}

export type ClockVerdict =
  | { readonly believed: true }
  | { readonly believed: false; readonly nowMs: number; readonly lastSeenMs: number; readonly message: string };

/**
 * Whether the wall clock can be believed as far as to throw old points away by it.
 *
 * A clock that jumps to 2099 makes everything too old at once, and what arrives from then on is stamped with the same wrong
 * time: arrivals prove nothing. So the time at which the clock was last believed is kept, and moves on only by as much as has
 * gone by (monotonic clock). Where the wall clock is more than 36 hours ahead of that, nothing goes by age, until
 *
 *   - it is back where it should be, or
 *   - somebody says that it is right (`confirm`), or
 *   - it was at most 31 days ahead, as after a machine was off, and has run for a day since.
 *
 * A clock that is behind is harmless: less is too old.
 */
export class ClockTrust {
  readonly #clock: Clock;
  readonly #memory: ClockMemory;
  #seenMs: number;
  #seenAtMs: number;
  #aheadSinceMs: number | undefined;
  #behindSinceMs: number | undefined;

  constructor(dependencies: { readonly clock: Clock; readonly memory: ClockMemory }) {
    this.#clock = dependencies.clock;
    this.#memory = dependencies.memory;
    this.#seenMs = this.#memory.lastSeenMs();
    this.#seenAtMs = this.#clock.monotonicMs();
  }

  /** To be asked at least every few hours. */
  look(): ClockVerdict {
    const nowMs = this.#clock.now();
    const monotonicMs = this.#clock.monotonicMs();
    const known = this.#seenMs;
    if (known < BUILT_MS) return this.#believe(nowMs);
    const aheadMs = nowMs - (known + (monotonicMs - this.#seenAtMs));
    if (aheadMs < -JUMP_MS) return this.#behind(nowMs, monotonicMs);
    if (aheadMs <= JUMP_MS) return this.#believe(Math.max(nowMs, known));
    this.#aheadSinceMs ??= monotonicMs;
    if (aheadMs <= HEALS_MS && monotonicMs - this.#aheadSinceMs >= STEADY_MS) return this.#believe(nowMs);
    return { believed: false, nowMs, lastSeenMs: known, message: describe(nowMs, known, aheadMs) };
  }

  /** The clock is right as it is now. */
  confirm(): void {
    this.#believe(this.#clock.now());
  }

  /** It may be wrong now, or it was wrong before: what was seen counts until it has been so for a day. */
  #behind(nowMs: number, monotonicMs: number): ClockVerdict {
    this.#behindSinceMs ??= monotonicMs;
    return monotonicMs - this.#behindSinceMs >= STEADY_MS ? this.#believe(nowMs) : { believed: true };
  }

  #believe(nowMs: number): ClockVerdict {
    this.#aheadSinceMs = undefined;
    this.#behindSinceMs = undefined;
    this.#seenMs = nowMs;
    this.#seenAtMs = this.#clock.monotonicMs();
    this.#memory.save(nowMs);
    return { believed: true };
  }
}

function describe(nowMs: number, seenMs: number, aheadMs: number): string {
  const heals = aheadMs <= HEALS_MS ? ' It is believed by itself once it has run on for a day.' : '';
  return (
    `The clock says ${new Date(nowMs).toISOString()}, ${Math.round(aheadMs / HOUR_MS)} hours after the time at which it was last right ` +
    `(${new Date(seenMs).toISOString()}): nothing is let go by its age. Set the clock, or say that it is right: ` +
    `\`selsyn retention confirm-clock\`.${heals}`
  );
}
