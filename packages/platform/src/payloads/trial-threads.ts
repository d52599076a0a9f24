import { MessageChannel, Worker } from 'node:worker_threads';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import { ThreadCaller } from '../kernel/thread-channel.ts';
import type { Trial } from './decoder-trial.ts';
import type { Trialer, TrialJob } from './trial-job.ts';
import type { TrialCalls } from './trial-thread.ts';

/** Threads at a time, each with one trial. */
const MAX_AT_ONCE = 2;
const MAX_WAITING = 16;
/** With the start of the thread, on a busy machine. What a trial itself may take is far less, see StepLimits. */
const DEADLINE_MS = 10_000;
const IDLE_MS = 30_000;
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 } as const;

interface TrialThread {
  readonly worker: Worker;
  readonly calls: ThreadCaller<TrialCalls>;
}

/**
 * Runs what users have declared in threads that are there while somebody tries decoders: a script that does not come back, or wants all
 * memory, costs whoever tries it an error, and main nothing.
 *
 * Two trials run at a time and 16 wait; more are refused.
 */
export class TrialThreads implements Trialer, AsyncDisposable {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #threads = new Set<TrialThread>();
  readonly #idle: TrialThread[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #running = 0;
  #cancelIdle: (() => void) | undefined;
  #isClosed = false;

  constructor(dependencies: { readonly clock: Clock; readonly deadlineMs?: number }) {
    this.#clock = dependencies.clock;
    this.#deadlineMs = dependencies.deadlineMs ?? DEADLINE_MS;
  }

  async try(job: TrialJob): Promise<Trial> {
    return await this.#run(async ({ calls }) => await calls.call('try', job, this.#deadlineMs));
  }

  async check(source: string): Promise<void> {
    await this.#run(async ({ calls }) => await calls.call('check', source, this.#deadlineMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelIdle?.();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(gone());
    await Promise.all([...this.#threads].map(async (thread) => await this.#end(thread)));
  }

  async #run<T>(work: (thread: TrialThread) => Promise<T>): Promise<T> {
    await this.#enter();
    const thread = this.#idle.pop() ?? this.#start();
    let isWhole = true;
    try {
      return await work(thread);
    } catch (error) {
      if (!isSelsynError(error, 'thread.timeout') && !isSelsynError(error, 'thread.gone')) throw error;
      isWhole = false;
      if (this.#isClosed) throw error;
      const what = error.code === 'thread.gone' ? 'memory' : 'time';
      throw new SelsynError('script.over-limit', `reading the message took more ${what} than it may`, { cause: error });
    } finally {
      if (isWhole) this.#idle.push(thread);
      else await this.#end(thread);
      this.#leave();
    }
  }

  /** @throws SelsynError `decoder.busy` */
  async #enter(): Promise<void> {
    if (this.#isClosed) throw gone();
    this.#cancelIdle?.();
    if (this.#running < MAX_AT_ONCE) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING)
      throw new SelsynError('decoder.busy', `${MAX_WAITING} messages wait to be tried already`, { retryable: true });
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn);
    await turn.promise;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.resolve();
      return;
    }
    this.#running -= 1;
    if (this.#running > 0 || this.#isClosed) return;
    this.#cancelIdle?.();
    this.#cancelIdle = this.#clock.after(IDLE_MS, () => {
      for (const thread of this.#idle.splice(0)) void this.#end(thread);
    });
  }

  #start(): TrialThread {
    const channel = new MessageChannel();
    const worker = new Worker(new URL('./trial-thread.ts', import.meta.url), {
      name: 'trials',
      workerData: { port: channel.port2 },
      transferList: [channel.port2],
      resourceLimits: MEMORY,
      stdout: true,
      stderr: true,
    });
    // What it dies of shows as a call that is not answered.
    worker.on('error', () => undefined);
    worker.unref();
    const thread = { worker, calls: new ThreadCaller<TrialCalls>(channel.port1) };
    channel.port1.unref();
    this.#threads.add(thread);
    return thread;
  }

  async #end(thread: TrialThread): Promise<void> {
    this.#threads.delete(thread);
    await thread.worker.terminate();
  }
}

function gone(): SelsynError {
  return new SelsynError('thread.gone', 'the server is shutting down', { retryable: true });
}
