import { setImmediate } from 'node:timers/promises';
import { SelsynError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';

/** How long a query may keep the event loop to itself. */
const TURN_MS = 5;

/** The work of one query: how much it may still read, and when it must let others run. */
export class QueryPace {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #signal: AbortSignal | undefined;
  readonly #maxPoints: number;
  #pointsRead = 0;
  #turnEndsMs: number;

  constructor(options: {
    readonly clock: Pick<Clock, 'monotonicMs'>;
    readonly maxPoints: number;
    readonly signal?: AbortSignal | undefined;
  }) {
    this.#clock = options.clock;
    this.#maxPoints = options.maxPoints;
    this.#signal = options.signal;
    this.#signal?.throwIfAborted();
    this.#turnEndsMs = this.#clock.monotonicMs() + TURN_MS;
  }

  /** @throws SelsynError `query.too-large` when the query would have read more than it may. */
  reading(points: number): void {
    this.#pointsRead += points;
    this.check(this.#pointsRead);
  }

  /** The same for a number of points known beforehand. */
  check(points: number): void {
    if (points <= this.#maxPoints) return;
    throw new SelsynError(
      'query.too-large',
      `the query would read more than ${this.#maxPoints} points: ask for a shorter time or fewer metrics`,
      {
        details: { maxPoints: this.#maxPoints, points },
      },
    );
  }

  /** True when it is time to `pause`. */
  get due(): boolean {
    return this.#clock.monotonicMs() >= this.#turnEndsMs;
  }

  /** Lets the event loop run. @throws the signal's reason when it was aborted. */
  async pause(): Promise<void> {
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#turnEndsMs = this.#clock.monotonicMs() + TURN_MS;
  }
}
