import type { Readiness } from '../api/api-dependencies.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ProcessorCalls } from './processor-thread.ts';

const EVERY_MS = 100;

/** Knows whether the log is replayed: asks the processor until it is. */
export class ReplayWatch implements Readiness, Disposable {
  readonly #processor: Pick<ThreadCaller<ProcessorCalls>, 'call'>;
  readonly #clock: Pick<Clock, 'after'>;
  #ready = false;
  #progress = 0;
  #stopped = false;
  #cancel: () => void = () => {};

  constructor(dependencies: {
    readonly processor: Pick<ThreadCaller<ProcessorCalls>, 'call'>;
    readonly clock: Pick<Clock, 'after'>;
  }) {
    this.#processor = dependencies.processor;
    this.#clock = dependencies.clock;
  }

  start(): void {
    void this.#ask();
  }

  reason(): string | undefined {
    return this.#ready ? undefined : `the log is being replayed: ${Math.floor(this.#progress * 100)}% done`;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #ask(): Promise<void> {
    try {
      const { ready, progress } = await this.#processor.call('replay', null);
      this.#ready = ready;
      this.#progress = progress;
    } catch {
      // The processor is busy with the replay itself: ask again.
    }
    if (!this.#ready && !this.#stopped) this.#cancel = this.#clock.after(EVERY_MS, () => void this.#ask());
  }
}
