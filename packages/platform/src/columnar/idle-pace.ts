import { cpus } from 'node:os';

/** Works so long between two looks, ms. */
const WORK_MS = 5;
/** While others need the processors it rests so many times as long as it worked. */
const REST_TIMES = 6;
/** So long, ms, what was seen of the processors is believed. */
const LOOK_MS = 250;
/** So much of one processor is left by others where it need not rest. */
const FREE = 1;
/** After so long, ms, it has waited enough: an hour must be archived before the next one is over. */
const PATIENCE_MS = 600_000;

/** What processors have done since the machine and this process started, ms. */
export interface ProcessorTimes {
  readonly processors: number;
  /** Of all processors together. */
  readonly idleMs: number;
  readonly ownMs: number;
}

/**
 * Lets others have the processors while they need them. A low priority is not enough: two processors are often two threads of one
 * core, and whatever keeps the second one busy slows the first.
 */
export class IdlePace {
  readonly #monotonicMs: () => number;
  readonly #times: () => ProcessorTimes;
  readonly #sleep: (ms: number) => void;
  readonly #startMs: number;
  #workedSinceMs: number;
  #seenMs: number;
  #seen: ProcessorTimes;
  #isCrowded = true;

  /** @param sleep blocks the thread */
  constructor(parts: { monotonicMs: () => number; times: () => ProcessorTimes; sleep: (ms: number) => void } = SYSTEM) {
    this.#monotonicMs = parts.monotonicMs;
    this.#times = parts.times;
    this.#sleep = parts.sleep;
    this.#startMs = this.#monotonicMs();
    this.#workedSinceMs = this.#startMs;
    this.#seenMs = this.#startMs;
    this.#seen = this.#times();
  }

  /** To be called after each small piece of work: it blocks the thread when it is time to rest. */
  rest(): void {
    const nowMs = this.#monotonicMs();
    const workedMs = nowMs - this.#workedSinceMs;
    if (workedMs < WORK_MS) return;
    if (nowMs - this.#seenMs >= LOOK_MS) this.#look(nowMs);
    if (this.#isCrowded && nowMs - this.#startMs < PATIENCE_MS) this.#sleep(Math.min(workedMs, LOOK_MS) * REST_TIMES);
    this.#workedSinceMs = this.#monotonicMs();
  }

  #look(nowMs: number): void {
    const times = this.#times();
    const { idleMs, ownMs } = this.#seen;
    const free = (times.idleMs - idleMs + times.ownMs - ownMs) / (nowMs - this.#seenMs);
    this.#isCrowded = free < Math.min(FREE, times.processors / 2);
    this.#seen = times;
    this.#seenMs = nowMs;
  }
}

const SYSTEM = {
  monotonicMs: () => performance.now(),
  times: (): ProcessorTimes => {
    const all = cpus();
    const { user, system } = process.cpuUsage();
    return { processors: all.length, idleMs: all.reduce((sum, { times }) => sum + times.idle, 0), ownMs: (user + system) / 1000 };
  },
  sleep: (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};
