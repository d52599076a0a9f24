import { SelsynError } from '../kernel/errors.ts';

interface Waiting {
  readonly caller: string;
  readonly start: (slot: number) => void;
}

/**
 * A few slots, and a bounded queue for them. Of those that wait, who has the fewest turns under way is next, and of these
 * who came first: one caller with many queries does not keep the others out.
 */
export class FairQueue {
  readonly #free: number[];
  readonly #maxWaiting: number;
  readonly #running = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(options: { readonly slots: number; readonly maxWaiting: number }) {
    this.#free = Array.from({ length: options.slots }, (_, slot) => slot);
    this.#maxWaiting = options.maxWaiting;
  }

  /**
   * Resolves with a slot, which is to be given back by `leave`.
   *
   * @throws SelsynError `sql.busy`; the signal's reason when it is aborted while waiting
   */
  async enter(caller: string, signal: AbortSignal | undefined): Promise<number> {
    signal?.throwIfAborted();
    const slot = this.#free.pop();
    if (slot !== undefined) {
      this.#count(caller, 1);
      return slot;
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new SelsynError('sql.busy', `${this.#maxWaiting} queries are waiting already`, { retryable: true });
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const waiting: Waiting = { caller, start: resolve };
    const abort = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal?.reason as Error);
    };
    this.#waiting.push(waiting);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  leave(caller: string, slot: number): void {
    this.#count(caller, -1);
    const next = this.#next();
    if (next === undefined) {
      this.#free.push(slot);
      return;
    }
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#count(next.caller, 1);
    next.start(slot);
  }

  #next(): Waiting | undefined {
    const turns = (waiting: Waiting): number => this.#running.get(waiting.caller) ?? 0;
    return this.#waiting.reduce<Waiting | undefined>(
      (best, waiting) => (best === undefined || turns(waiting) < turns(best) ? waiting : best),
      undefined,
    );
  }

  #count(caller: string, change: number): void {
    const turns = (this.#running.get(caller) ?? 0) + change;
    if (turns === 0) this.#running.delete(caller);
    else this.#running.set(caller, turns);
  }
}
