import type { Clock } from '../../kernel/clock.ts';
import { ALL_HOURS, DAY_MS, DAY_STALE, HOUR_MS } from '../day-file-schema.ts';

/** An hour is rolled up so long after it has ended: points of it are in chunks by then (telemetry.sealAfterSec). */
const AFTER_HOUR_MS = 720_000;
/** A day that is over is rolled up once nothing was written to it for so long, ... */
const QUIET_MS = 60_000;
/** ... or so long after the last time, where something always is, or could not be read. */
const AGAIN_MS = HOUR_MS;
/** A day of which a pass failed waits so long, and twice as long each time after that, ... */
const FAILED_MS = 2_000;
const MAX_FAILED_MS = 600_000;
/** ... one that somebody reads right now so long. */
const READ_MS = 1_000;

/** A day to be rolled up now. */
export interface DueDay {
  readonly day: number;
  /** Bits of `mark.hours`: the hours that are over, and the day where it is. */
  readonly hours: number;
}

interface UnrolledDay {
  /** By the monotonic clock: when it was first seen here, or a pass over it ended. */
  sinceMs: number;
  /** The last commit to it. */
  changedMs: number;
  /** What was due at the last pass. */
  passed: number;
  /** Something is to be looked at that was not at the last pass. */
  changed: boolean;
  /** Passes that failed since one did not. */
  failures: number;
  /** By the monotonic clock: not before. Other days have their turns meanwhile. */
  waitsUntilMs: number;
}

/** Which of the unrolled days is to be rolled up when: the hours of today when they are over, past days when they are quiet. */
export class RollupSchedule {
  readonly #clock: Clock;
  readonly #days = new Map<number, UnrolledDay>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something was written to the day. */
  changed(day: number): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#days.get(day);
    if (known === undefined) {
      const waits = { failures: 0, waitsUntilMs: -Infinity };
      this.#days.set(day, { sinceMs: nowMs, changedMs: nowMs, passed: 0, changed: true, ...waits });
    } else {
      known.changedMs = nowMs;
      known.changed = true;
    }
  }

  /** Nothing of it is left to do. */
  delete(day: number): void {
    this.#days.delete(day);
  }

  /** The newest day that is due, and does not wait for having failed. */
  next(): DueDay | undefined {
    const nowMs = this.#clock.monotonicMs();
    let newest: DueDay | undefined;
    for (const [day, state] of this.#days) {
      if ((newest !== undefined && newest.day > day) || nowMs < state.waitsUntilMs) continue;
      const hours = this.#dueHours(day);
      if (hours !== 0 && this.#isDue(state, hours)) newest = { day, hours };
    }
    return newest;
  }

  /** A pass over the day begins. */
  begun(day: number): void {
    const state = this.#days.get(day);
    if (state !== undefined) state.changed = false;
  }

  changedSinceBegun(day: number): boolean {
    return this.#days.get(day)?.changed ?? false;
  }

  /** A pass was given up: there is to be another one, after a pause that grows. */
  failed(day: number): void {
    const state = this.#days.get(day);
    if (state === undefined) return;
    state.changed = true;
    const waitMs = Math.min(MAX_FAILED_MS, FAILED_MS * 2 ** Math.min(10, state.failures++));
    state.waitsUntilMs = this.#clock.monotonicMs() + waitMs;
  }

  /** A reader was in the way of a pass: it is begun a little later. */
  postponed(day: number): void {
    const state = this.#days.get(day);
    if (state !== undefined) state.waitsUntilMs = this.#clock.monotonicMs() + READ_MS;
  }

  /** A pass has ended, and something is stale still. */
  ended(day: number, due: DueDay): void {
    const state = this.#days.get(day);
    if (state === undefined) return;
    state.passed = due.hours;
    state.failures = 0;
    state.sinceMs = this.#clock.monotonicMs();
  }

  /** How long ago, ms, the oldest hour was over for which a pass is due; 0 where none is. */
  get lagMs(): number {
    let oldestMs = Infinity;
    for (const [day, state] of this.#days) {
      const hours = this.#dueHours(day) & ALL_HOURS & ~state.passed;
      if (hours !== 0) oldestMs = Math.min(oldestMs, day * DAY_MS + (32 - Math.clz32(hours & -hours)) * HOUR_MS);
    }
    return oldestMs === Infinity ? 0 : Math.max(0, this.#clock.now() - oldestMs);
  }

  #isDue(state: UnrolledDay, hours: number): boolean {
    if ((hours & DAY_STALE) === 0) return hours !== state.passed;
    const nowMs = this.#clock.monotonicMs();
    const isNew = state.changed || hours !== state.passed;
    return (isNew && nowMs - state.changedMs >= QUIET_MS) || nowMs - state.sinceMs >= AGAIN_MS;
  }

  #dueHours(day: number): number {
    const over = Math.floor((this.#clock.now() - AFTER_HOUR_MS - day * DAY_MS) / HOUR_MS);
    if (over <= 0) return 0;
    return over >= 24 ? ALL_HOURS | DAY_STALE : 2 ** over - 1;
  }
}
