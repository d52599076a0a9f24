import { SelsynError } from '../kernel/errors.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CommandRecord } from './command.ts';

const MAX_WAITERS = 20_000;

export interface Waiting {
  /** As it ended; undefined: the time is over, or it was stopped. */
  readonly end: Promise<CommandRecord | undefined>;
  stop(): void;
}

/** Those who wait for the end of commands. */
export class CommandWaiters {
  readonly #clock: Clock;
  readonly #waiters = new Map<string, Set<(record: CommandRecord | undefined) => void>>();
  #count = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins at once to look out for the end of a command. @throws SelsynError `state.busy` when too many wait. */
  wait(id: string, forMs: number): Waiting {
    if (this.#closed) return { end: Promise.resolve(undefined), stop: () => {} };
    if (this.#count >= MAX_WAITERS)
      throw new SelsynError('state.busy', 'too many requests wait for the answers of devices', { retryable: true });
    this.#count++;
    const { promise, resolve } = Promise.withResolvers<CommandRecord | undefined>();
    const waiters = this.#waiters.get(id) ?? new Set();
    this.#waiters.set(id, waiters);
    const end = (record: CommandRecord | undefined): void => {
      if (!waiters.delete(end)) return;
      cancel();
      this.#count--;
      if (waiters.size === 0) this.#waiters.delete(id);
      resolve(record);
    };
    const cancel = this.#clock.after(forMs, () => end(undefined));
    waiters.add(end);
    return { end: promise, stop: () => end(undefined) };
  }

  finished(record: CommandRecord): void {
    for (const end of this.#waiters.get(record.id) ?? []) end(record);
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closed = true;
    for (const waiters of this.#waiters.values()) for (const end of waiters) end(undefined);
  }
}
