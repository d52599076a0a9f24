import type { Clock } from '../kernel/clock.ts';
import type { ShadowResult } from './shadow-work.ts';
import { SWEEP_STEP } from './shadow-sweep.ts';

const EVERY_MS = 10_000;

/** Sweeps step by step, each a work of its own, until nothing is left; then again after a while. */
export class Sweeping implements Disposable {
  readonly #step: () => Promise<ShadowResult>;
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;

  constructor(step: () => Promise<ShadowResult>, clock: Clock) {
    this.#step = step;
    this.#clock = clock;
  }

  start(): void {
    this.#cancel = this.#clock.after(EVERY_MS, () => void this.#sweep());
  }

  [Symbol.dispose](): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #sweep(): Promise<void> {
    try {
      while (this.#cancel !== undefined) {
        const result = await this.#step();
        if (result.kind !== 'done' || result.count < SWEEP_STEP) break;
      }
    } catch {
      // The writer is busy, the disk full, or the server stops: what is old waits for the next time.
    }
    if (this.#cancel !== undefined) this.start();
  }
}
