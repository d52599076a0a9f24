import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import { trimRegistryStream } from '../registry/registry-stream.ts';
import type { StateThreadCalls } from './state-thread.ts';

const TRIM_MS = 60_000;

/**
 * Main's side of the stream of the registry's changes: says when there are some, and takes away those that were followed, now and then,
 * whoever has changed the registry.
 */
export class RegistryFollowed implements AsyncDisposable {
  readonly #state: Caller<Pick<StateThreadCalls, 'followRegistry'>>;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  #poked = false;
  #cancel: (() => void) | undefined;
  #trimming: Promise<void> | undefined;
  #closed = false;

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
  }

  start(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(TRIM_MS, () => {
      this.#trimming = this.#trim().then(() => this.start());
    });
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
    await this.#state.call('followRegistry', null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#trimming;
  }

  async #trim(): Promise<void> {
    try {
      await trimRegistryStream(this.#database, await this.#state.call('followRegistry', null));
    } catch (error) {
      this.#logLines.warn(
        { err: error },
        'changes of the registry that were followed could not be taken away; it is tried again',
      );
    }
  }
}
