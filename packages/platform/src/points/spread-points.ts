import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { PointBatch } from './point-batch.ts';
import type { PointCalls, PointIntake } from './point-intake.ts';

/** Bytes of points that wait for the disk in all: beyond, nothing more is taken until some of them are durable. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** For a batch to become durable: whoever has sent it waits so long, ... */
const DEADLINE_MS = 20_000;
/** ... and it counts as waiting for the disk so long where nobody says that it does not. */
const HELD_MS = 600_000;

/** Main's end of the way to the log: the points of a device always go by the same gateway thread. */
export class SpreadPoints implements PointIntake {
  readonly #threads: readonly Caller<PointCalls>[];
  readonly #slotOf: (device: string) => number;
  readonly #clock: Pick<Clock, 'after'>;
  #waitingBytes = 0;

  /** @param slotOf a whole number that a device always has */
  constructor(threads: readonly Caller<PointCalls>[], slotOf: (device: string) => number, clock: Pick<Clock, 'after'>) {
    this.#threads = threads;
    this.#slotOf = slotOf;
    this.#clock = clock;
  }

  get lanes(): number {
    return this.#threads.length;
  }

  laneOf(device: string): number {
    return this.#slotOf(device) % this.#threads.length;
  }

  async accept(batches: readonly (PointBatch | undefined)[]): Promise<void> {
    const bytes = batches.reduce((sum, batch) => sum + (batch?.data.length ?? 0), 0);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      throw new SelsynError('telemetry.busy', 'more points are waiting for the disk than memory is set aside for', {
        retryable: true,
        details: { waitingBytes: this.#waitingBytes },
      });
    }
    this.#waitingBytes += bytes;
    const settled = Promise.allSettled(
      this.#threads.map(async (thread, lane) => {
        const batch = batches[lane];
        if (batch !== undefined) await thread.call('appendPoints', batch, HELD_MS);
      }),
    ).finally(() => (this.#waitingBytes -= bytes));
    // A thread that is not waited for any more has the points still, on a slow disk: more in their place would be ever more.
    for (const outcome of await this.#inTime(settled)) if (outcome.status === 'rejected') throw outcome.reason;
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const cancel = this.#clock.after(DEADLINE_MS, () =>
      reject(new SelsynError('thread.timeout', `the points were not durable in ${DEADLINE_MS} ms`, { retryable: true })),
    );
    try {
      return await Promise.race([work, promise]);
    } finally {
      cancel();
    }
  }
}
