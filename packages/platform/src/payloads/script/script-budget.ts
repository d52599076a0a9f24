/** What a script may use of the thread that reads all telemetry. */
export interface ScriptBudgetLimits {
  /** Milliseconds of a second. */
  readonly msPerSecond: number;
  /** Seconds whose time may be saved up. */
  readonly burstSeconds: number;
}

export const SCRIPT_BUDGET: ScriptBudgetLimits = { msPerSecond: 250, burstSeconds: 10 };

/** Of a step of the interpreter, and of handing a message over: as measured, rounded up. */
const STEP_MS = 0.25;
const CALL_MS = 0.02;
/** What took longer than its steps should is charged as it was, from here on: below it is the machine that had other work. */
const SLOW_MS = 25;

/**
 * How much time the script of one device type may still take, so that it never holds up the others'.
 *
 * Time passes here as messages arrive, and is spent by the steps that the interpreter counts, not by the clock: when the log is read again
 * the same messages have room that had it before (those at its beginning have more).
 */
export class ScriptBudget {
  readonly #limits: ScriptBudgetLimits;
  #leftMs: number;
  #newestMs = 0;
  /** Messages for which there was no time. */
  refused = 0;
  /** Time that was spent, as it is counted here. */
  spentMs = 0;

  constructor(limits: ScriptBudgetLimits = SCRIPT_BUDGET) {
    this.#limits = limits;
    this.#leftMs = limits.msPerSecond * limits.burstSeconds;
  }

  /** @param arrivalMs of the message. @returns whether there is time for it */
  mayRun(arrivalMs: number): boolean {
    const { msPerSecond, burstSeconds } = this.#limits;
    if (arrivalMs > this.#newestMs) {
      const passedMs = this.#newestMs === 0 ? 0 : arrivalMs - this.#newestMs;
      this.#newestMs = arrivalMs;
      this.#leftMs = Math.min(msPerSecond * burstSeconds, this.#leftMs + (passedMs / 1000) * msPerSecond);
    } else if (arrivalMs < this.#newestMs - BACK_MS) {
      // The clock was set back: nobody waits for it to come again.
      this.#newestMs = arrivalMs;
    }
    if (this.#leftMs > 0) return true;
    this.refused++;
    return false;
  }

  spend(steps: number, tookMs: number): void {
    const counted = CALL_MS + steps * STEP_MS;
    const spent = tookMs > SLOW_MS ? Math.max(counted, tookMs) : counted;
    this.#leftMs -= spent;
    this.spentMs += spent;
  }
}

/** Batches of several partitions do not arrive in order by so much. */
const BACK_MS = 60_000;
