import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Answer, Argument, CallReply, CallRequest, Calls } from '../kernel/thread-channel.ts';

/** Native code may take memory at some GB a second: a look costs some 20 µs. */
const LOOK_MS = 25;
const PAGE_BYTES = 4096;
const IDLE_MS = 60_000;
const STOP_DEADLINE_MS = 5_000;
const KEPT_STDERR = 2_048;

export interface ServedProcessOptions {
  /** For log lines. */
  readonly name: string;
  readonly script: URL;
  /** Given to the script as JSON, its first argument. */
  readonly start: Readonly<Record<string, unknown>>;
  readonly maxResidentBytes: number;
  readonly callDeadlineMs: number;
  /** Of the heap for JavaScript objects, MiB. */
  readonly heapMb: number;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: SelsynError) => void;
  readonly cancelDeadline: () => void;
}

/**
 * A process of our own for native code that may crash, take all memory or never return: what happens to it happens to
 * nobody else. It is started by the first call, ended after a minute without one, and started anew after it died.
 *
 * It has no environment and the lowest claim to memory and processor of this machine: where memory ends, the system ends it first.
 */
export class ServedProcess<C extends Calls> implements AsyncDisposable {
  readonly #options: ServedProcessOptions;
  #running: RunningProcess | undefined;
  #disposed = false;

  constructor(options: ServedProcessOptions) {
    this.#options = options;
  }

  /** Of the process that runs; undefined where none does. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Stands for the process that runs: what one knew, another does not. Undefined where none runs. */
  get generation(): object | undefined {
    return this.#running?.ended === false ? this.#running : undefined;
  }

  /** Whoever is in here has something in the process between two calls: it is not ended for having nothing to do. */
  readonly holders = new Set<object>();

  /** Resident bytes of the process; 0 where none runs or the system does not tell. */
  get residentBytes(): number {
    return this.#running?.residentBytes() ?? 0;
  }

  /**
   * @throws SelsynError what the process answered; `columnar.over-limit` when it took too long or too much memory,
   * `columnar.gone` when it died otherwise. When `signal` aborts, the process is ended and its reason thrown.
   */
  async call<K extends keyof C & string>(
    call: K,
    argument: Argument<C, K>,
    options: { readonly deadlineMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Answer<C, K>> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#disposed) throw gone(`the ${this.#options.name} process was stopped`);
    if (this.#running?.ended !== false) this.#running = new RunningProcess(this.#options, () => this.holders.size > 0);
    const running = this.#running;
    const abort = (): void => running.end(gone('the call was given up'));
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return (await running.call(call, argument, options.deadlineMs ?? this.#options.callDeadlineMs)) as Answer<C, K>;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends the process; the next call starts another. */
  async restart(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.restart();
  }
}

class RunningProcess {
  readonly #options: ServedProcessOptions;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<unknown>;
  readonly #isHeld: () => boolean;
  #lastId = 0;
  #stderr = '';
  #reason: SelsynError | undefined;
  #cancelLook = (): void => {};
  #cancelIdle = (): void => {};

  constructor(options: ServedProcessOptions, isHeld: () => boolean) {
    this.#options = options;
    this.#isHeld = isHeld;
    this.#child = fork(fileURLToPath(options.script), [JSON.stringify(options.start)], {
      env: { TZ: 'UTC' },
      execArgv: [`--max-old-space-size=${options.heapMb}`, '--disable-warning=ExperimentalWarning'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.on('error', (cause) => this.end(gone('it could not be started', { cause })));
    this.#child.on('exit', (code, signal) => this.#onExit(code, signal));
    this.#child.on('message', (reply: CallReply) => this.#settle(reply));
    this.#child.stderr?.on('data', (bytes: Buffer) => (this.#stderr = (this.#stderr + String(bytes)).slice(-KEPT_STDERR)));
    this.#offerFirst();
    // Nothing of it keeps this process alive; whoever opened it disposes of it.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ended(): boolean {
    return this.#reason !== undefined;
  }

  call(call: string, argument: unknown, deadlineMs: number): Promise<unknown> {
    this.#cancelIdle();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const cancelDeadline = this.#options.clock.after(deadlineMs, () =>
        this.end(overLimit('time', `the ${this.#options.name} process did not answer in ${Math.round(deadlineMs / 1000)} s`)),
      );
      this.#waiting.set(id, { resolve, reject, cancelDeadline });
      // A call that is waited for does.
      this.#child.ref();
      this.#child.channel?.ref();
      if (this.#waiting.size === 1) this.#look();
      this.#child.send({ id, call, argument } satisfies CallRequest, (error) => {
        if (error !== null) this.end(gone('it does not take calls any more', { cause: error }));
      });
    });
  }

  /** Resident bytes, where the system tells them. */
  residentBytes(): number {
    try {
      return Number(readFileSync(`/proc/${this.#child.pid}/statm`, 'latin1').split(' ')[1]) * PAGE_BYTES;
    } catch {
      return 0;
    }
  }

  /** Kills it; what waits for it fails with `reason`. */
  end(reason: SelsynError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#cancelLook();
    this.#cancelIdle();
    this.#child.kill('SIGKILL');
    for (const { reject, cancelDeadline } of this.#waiting.values()) {
      cancelDeadline();
      reject(reason);
    }
    this.#waiting.clear();
    this.#child.unref();
    this.#child.channel?.unref();
  }

  async stop(): Promise<void> {
    this.end(gone(`the ${this.#options.name} process was stopped`));
    // Whoever stops it wants to know that it is gone.
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.ref();
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(STOP_DEADLINE_MS, resolve);
    await Promise.race([this.#exited, promise]);
    cancel();
  }

  #settle(reply: CallReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    waiting.cancelDeadline();
    if (this.#waiting.size === 0) this.#rest();
    if (reply.error === undefined) waiting.resolve(reply.answer);
    else waiting.reject(new SelsynError(reply.error.code, reply.error.message, reply.error));
  }

  #rest(): void {
    this.#cancelLook();
    this.#child.unref();
    this.#child.channel?.unref();
    this.#cancelIdle = this.#options.clock.after(IDLE_MS, () => {
      if (this.#isHeld()) this.#rest();
      else this.end(gone('it had nothing to do'));
    });
  }

  #look(): void {
    const resident = this.residentBytes();
    const { maxResidentBytes, name } = this.#options;
    if (resident > maxResidentBytes) {
      const mib = Math.round(maxResidentBytes / 1024 / 1024);
      this.end(overLimit('memory', `the ${name} process took more than ${mib} MiB of memory`));
      return;
    }
    this.#cancelLook = this.#options.clock.after(LOOK_MS, () => this.#look());
  }

  #onExit(code: number | null, signal: string | null): void {
    if (this.#reason !== undefined) return;
    const { name, logLines } = this.#options;
    logLines.error({ process: name, code, signal, stderr: this.#stderr }, 'A columnar process has ended by itself');
    // The first that the system ends when memory is short.
    if (signal === 'SIGKILL') this.end(gone(`the ${name} process was killed: perhaps this machine is short of memory`));
    else this.end(gone(`the ${name} process has ended (${signal ?? `code ${code}`})`));
  }

  /** Where memory ends, the system ends it first. */
  #offerFirst(): void {
    try {
      writeFileSync(`/proc/${this.#child.pid}/oom_score_adj`, '1000');
    } catch (error) {
      this.#options.logLines.debug({ process: this.#options.name, err: error }, 'A columnar process kept its claim to memory');
    }
  }
}

function gone(message: string, options: { cause?: unknown } = {}): SelsynError {
  return new SelsynError('columnar.gone', message, { ...options, retryable: true });
}

function overLimit(limit: 'time' | 'memory', message: string): SelsynError {
  return new SelsynError('columnar.over-limit', message, { details: { limit } });
}
