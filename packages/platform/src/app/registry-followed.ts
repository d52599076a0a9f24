import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { trimRegistryStream } from '../registry/registry-stream.ts';
import type { StateThreadCalls } from './state-thread.ts';

const TRIM_MS = 60_000;

/** Main's side of the stream of the registry's changes: says when there are some, and takes away those that were followed. */
export class RegistryFollowed {
  readonly #state: Caller<Pick<StateThreadCalls, 'followRegistry'>>;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #trimmedMs: number;
  #poked = false;

  constructor(dependencies: {
    readonly state: Caller<Pick<StateThreadCalls, 'followRegistry'>>;
    readonly database: Database;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#state = dependencies.state;
    this.#database = dependencies.database;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
    this.#trimmedMs = this.#clock.monotonicMs();
  }

  /** Something may have changed. What is said while it is being followed is followed afterwards, once. */
  poke(): void {
    if (this.#poked) return;
    this.#poked = true;
    setImmediate(() => {
      this.#poked = false;
      this.followed().catch((error: unknown) => {
        this.#logLines.warn({ err: error }, 'changes of the registry are followed later');
      });
    });
  }

  /** Resolves once shadows, commands and jobs follow from what the registry is now. */
  async followed(): Promise<void> {
    const position = await this.#state.call('followRegistry', null);
    if (this.#clock.monotonicMs() - this.#trimmedMs < TRIM_MS) return;
    this.#trimmedMs = this.#clock.monotonicMs();
    await trimRegistryStream(this.#database, position);
  }
}
