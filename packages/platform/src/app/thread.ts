import { MessageChannel, Worker, parentPort, workerData, type MessagePort, type Transferable } from 'node:worker_threads';
import { isSelsynError, SelsynError, type ErrorCode } from '../kernel/errors.ts';
import { serveCalls, ThreadCaller, type Calls } from '../kernel/thread-channel.ts';

/** What a thread says once, when it has started or failed to. */
type Started<R> = { readonly ready: R } | { readonly failed: { readonly code: ErrorCode; readonly message: string } };

interface Envelope<D> {
  readonly control: MessagePort;
  readonly data: D;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;

/** Main's end of a worker: its calls, and its end. `R` is what it tells when it is ready. */
export class Thread<C extends Calls & { stop: (argument: null) => unknown }, R> {
  readonly name: string;
  readonly calls: ThreadCaller<C>;
  readonly ready: R;
  /** Resolves with the reason when the thread ends without having been asked to. */
  readonly failed: Promise<Error>;
  readonly #worker: Worker;
  #stopping = false;

  private constructor(name: string, worker: Worker, calls: ThreadCaller<C>, ready: R) {
    this.name = name;
    this.calls = calls;
    this.ready = ready;
    this.#worker = worker;
    this.failed = new Promise((resolve) => {
      worker.once('error', (error) => resolve(error instanceof Error ? error : new Error(String(error))));
      worker.once('exit', (code) => {
        if (!this.#stopping) resolve(new SelsynError('thread.gone', `thread ${name} has ended with code ${code}`));
      });
    });
  }

  /** @throws SelsynError what the thread failed with, or `thread.timeout`, `thread.gone` */
  static async start<D, C extends Calls & { stop: (argument: null) => unknown }, R>(options: {
    readonly name: string;
    readonly script: URL;
    readonly data: D;
    readonly transfer: readonly Transferable[];
    /** Of the heap for new objects, MiB. Small keeps a thread of many idle connections small: V8 does not give it back. */
    readonly youngGenerationMb?: number;
  }): Promise<Thread<C, R>> {
    const channel = new MessageChannel();
    const worker = new Worker(options.script, {
      name: options.name,
      workerData: { control: channel.port2, data: options.data } satisfies Envelope<D>,
      ...(options.youngGenerationMb === undefined
        ? {}
        : { resourceLimits: { maxYoungGenerationSizeMb: options.youngGenerationMb } }),
      transferList: [channel.port2, ...options.transfer],
    });
    let ready: R;
    try {
      ready = await started<R>(options.name, worker);
    } catch (error) {
      // It must not go on with what its caller will believe to be free.
      await worker.terminate();
      throw error;
    }
    return new Thread<C, R>(options.name, worker, new ThreadCaller<C>(channel.port1, STOP_DEADLINE_MS), ready);
  }

  /** Asks the thread to stop, and ends it when it has, or when the deadline is over. One that has ended already is stopped. */
  async stop(): Promise<void> {
    this.#stopping = true;
    try {
      await this.calls.call('stop', null);
    } catch (error) {
      if (!isSelsynError(error, 'thread.gone')) throw error;
    } finally {
      await this.#worker.terminate();
    }
  }
}

/** What a worker tells once it is ready. @throws SelsynError what it failed with, or `thread.timeout`, `thread.gone` */
async function started<R>(name: string, worker: Worker): Promise<R> {
  return await new Promise<R>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new SelsynError('thread.timeout', `thread ${name} did not start in ${START_DEADLINE_MS} ms`)),
      START_DEADLINE_MS,
    );
    worker.once('message', (message: Started<R>) => {
      clearTimeout(timer);
      if ('ready' in message) resolve(message.ready);
      else reject(new SelsynError(message.failed.code, message.failed.message));
    });
    worker.once('error', (error) => (clearTimeout(timer), reject(error)));
    worker.once(
      'exit',
      (code) => (
        clearTimeout(timer),
        reject(new SelsynError('thread.gone', `thread ${name} ended with code ${code} while it started`))
      ),
    );
  });
}

/** A worker's body: starts, tells main, then answers its calls. A SelsynError at the start reaches main as one. */
export async function runThread<D, C extends Calls, R>(
  body: (data: D) => Promise<{ readonly ready: R; readonly calls: C }>,
): Promise<void> {
  const { control, data } = workerData as Envelope<D>;
  if (parentPort === null) throw new Error('this file runs in a worker thread');
  let answer: Started<R>;
  try {
    const { ready, calls } = await body(data);
    serveCalls(control, calls);
    answer = { ready };
  } catch (error) {
    if (!(error instanceof SelsynError)) throw error;
    answer = { failed: { code: error.code, message: error.message } };
  }
  parentPort.postMessage(answer);
}
