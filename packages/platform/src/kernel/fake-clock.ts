import type { Clock } from './clock.ts';

/** A clock for tests: time passes only by `advance`. */
export class FakeClock implements Clock {
  #nowMs: number;
  #passedMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly task: () => void }>();

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#passedMs + delayMs, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Lets `ms` pass: due timers run in the order of their times, each seeing its own time. */
  advance(ms: number): void {
    const endMs = this.#passedMs + ms;
    for (;;) {
      let next: { readonly atMs: number; readonly task: () => void } | undefined;
      for (const timer of this.#timers) {
        if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
      }
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#move(Math.max(next.atMs, this.#passedMs));
      next.task();
    }
    this.#move(endMs);
  }

  /** Steps the wall clock alone, as an administrator or NTP would. */
  step(ms: number): void {
    this.#nowMs += ms;
  }

  #move(toMs: number): void {
    this.#nowMs += toMs - this.#passedMs;
    this.#passedMs = toMs;
  }
}
