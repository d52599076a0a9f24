import type { RolloutConfig } from './job-config.ts';

/**
 * How far a rollout is ahead: `granted` executions were given out since `sinceMs` at `perMinute`.
 *
 * The n-th one (from 0) is due at `sinceMs + n * 60000 / perMinute`: whole numbers only, so that nothing drifts however often it is
 * asked. Plain data, kept with the executions that it counts.
 */
export interface RolloutPace {
  readonly sinceMs: number;
  readonly granted: number;
  readonly perMinute: number;
}

const MINUTE_MS = 60_000;

/** What was due while nobody could give it out (the server was down or busy) is made up for only so far back. */
export const MAX_CATCH_UP_MS = 5_000;

/**
 * The rate that a rollout has now, executions a minute; undefined: no limit.
 *
 * An exponential one is `base * factor ^ n` where its criterion was met n times, at most the maximum.
 */
export function rateOf(
  rollout: RolloutConfig | undefined,
  done: { readonly notified: number; readonly succeeded: number },
): number | undefined {
  if (rollout === undefined) return undefined;
  const { exponential, maximumPerMinute } = rollout;
  if (exponential === undefined) return maximumPerMinute;
  const { numberOfNotifiedThings, numberOfSucceededThings } = exponential.rateIncreaseCriteria;
  const times = Math.max(met(done.notified, numberOfNotifiedThings), met(done.succeeded, numberOfSucceededThings));
  const rate = Math.floor(exponential.baseRatePerMinute * exponential.incrementFactor ** times);
  const limit = maximumPerMinute ?? Number.MAX_SAFE_INTEGER;
  return Number.isFinite(rate) ? Math.min(rate, limit) : limit;
}

/**
 * How many a rollout may give out before its rate grows because of those that were notified; without end where it does not grow.
 * A step that gives out more would do it at the old rate.
 */
export function untilNextIncrease(rollout: RolloutConfig | undefined, notified: number): number {
  const every = rollout?.exponential?.rateIncreaseCriteria.numberOfNotifiedThings;
  return every === undefined ? Number.POSITIVE_INFINITY : every - (notified % every);
}

/** The pace at a moment: that of before, unless the rate is another or it has fallen too far behind. */
export function paceAt(before: RolloutPace | undefined, perMinute: number, nowMs: number): RolloutPace {
  if (before === undefined) return { sinceMs: nowMs, granted: 0, perMinute };
  const next = nextDueMs(before);
  // The clock was set back: what is due would be due in hours.
  if (next > nowMs + MINUTE_MS / Math.min(before.perMinute, perMinute) + 1) return { sinceMs: nowMs, granted: 0, perMinute };
  if (next < nowMs - MAX_CATCH_UP_MS) return { sinceMs: nowMs - MAX_CATCH_UP_MS, granted: 0, perMinute };
  if (before.perMinute === perMinute) return before;
  return { sinceMs: Math.ceil(next), granted: 0, perMinute };
}

/** How many are due. */
export function dueAt({ sinceMs, granted, perMinute }: RolloutPace, nowMs: number): number {
  if (nowMs < sinceMs) return 0;
  return Math.max(0, Math.floor(((nowMs - sinceMs) * perMinute) / MINUTE_MS) + 1 - granted);
}

/** When the next one is due, ms; a fraction is possible. */
export function nextDueMs({ sinceMs, granted, perMinute }: RolloutPace): number {
  return sinceMs + (granted * MINUTE_MS) / perMinute;
}

function met(done: number, every: number | undefined): number {
  return every === undefined ? 0 : Math.floor(done / every);
}
