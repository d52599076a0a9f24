import { cpus } from 'node:os';
import { QuotaTimes } from './processor-quota.ts';

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
  /** What of quotas of processors (of a container, for example) was not used; with all that may be used of each, in processors. */
  readonly quotas?: readonly { readonly processors: number; readonly unusedMs: number }[];
}

/** To be called after each small piece of work. */
export interface Pace {
  rest(): void;
}

/**
 * Lets others have the processors while they need them. A low priority is not enough: two processors are often two threads of one
 * core, and whatever keeps the second one busy slows the first. And where a quota is used up all that shares it stands still, however
 * idle the machine is.
 */
export class IdlePace implements Pace {
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
    const { idleMs, ownMs, quotas = [] } = this.#seen;
    const own = times.ownMs - ownMs;
    const isCrowded = (unusedMs: number, processors: number): boolean =>
      (unusedMs + own) / (nowMs - this.#seenMs) < Math.min(FREE, processors / 2);
    this.#isCrowded =
      isCrowded(times.idleMs - idleMs, times.processors) ||
      (times.quotas ?? []).some(({ processors, unusedMs }, index) =>
        isCrowded(unusedMs - (quotas[index]?.unusedMs ?? unusedMs), processors),
      );
    this.#seen = times;
    this.#seenMs = nowMs;
  }
}

const quotaTimes = new QuotaTimes();

const SYSTEM = {
  monotonicMs: () => performance.now(),
  times: (): ProcessorTimes => {
    const all = cpus();
    const { user, system } = process.cpuUsage();
    return {
      processors: all.length,
      idleMs: all.reduce((sum, { times }) => sum + times.idle, 0),
      ownMs: (user + system) / 1000,
      quotas: quotaTimes.read(performance.now()),
    };
  },
  sleep: (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};
