import type { MessagePort } from 'node:worker_threads';
import { SelsynError, type ErrorCode } from './errors.ts';

/** The calls one thread answers for another: name -> (argument -> answer). Both must survive structuredClone. */
export type Calls = Record<string, (argument: never) => unknown>;

export type Argument<C extends Calls, K extends keyof C> = Parameters<C[K]>[0];
export type Answer<C extends Calls, K extends keyof C> = Awaited<ReturnType<C[K]>>;

/** To whoever answers. */
export interface CallRequest {
  readonly id: number;
  readonly call: string;
  readonly argument: unknown;
}

/** Back from it. */
export interface CallReply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
    readonly retryable: boolean;
  };
}

const GONE = {
  code: 'thread.gone',
  message: 'the thread that answers this call has ended',
  details: {},
  retryable: false,
} as const;

/** An answer whose buffers are handed over instead of copied. */
export class Transfer {
  readonly value: unknown;
  readonly buffers: readonly ArrayBuffer[];
  constructor(value: unknown, buffers: readonly ArrayBuffer[]) {
    this.value = value;
    this.buffers = buffers;
  }
}

/** Answers the calls that come in on `port`. A thrown SelsynError reaches the caller as one. */
export function serveCalls<C extends Calls>(port: MessagePort, calls: C): void {
  port.on('message', (request: CallRequest) => {
    void answer(port, calls, request);
  });
}

async function answer(port: MessagePort, calls: Calls, request: CallRequest): Promise<void> {
  const call = calls[request.call] as ((argument: unknown) => unknown) | undefined;
  try {
    if (call === undefined) throw new SelsynError('internal', `no call named ${request.call}`);
    const result = await call(request.argument);
    if (result instanceof Transfer)
      port.postMessage({ id: request.id, answer: result.value } satisfies CallReply, [...result.buffers]);
    else port.postMessage({ id: request.id, answer: result } satisfies CallReply);
  } catch (error) {
    const known = error instanceof SelsynError ? error : new SelsynError('internal', String(error), { cause: error });
    port.postMessage({
      id: request.id,
      error: { code: known.code, message: known.message, details: known.details, retryable: known.retryable },
    } satisfies CallReply);
  }
}

/** Who asks another thread, or stands for one. */
export type Caller<C extends Calls> = Pick<ThreadCaller<C>, 'call'>;

/** Answers in this thread, as `serveCalls` does in another. */
export function localCaller<C extends Calls>(calls: C): Caller<C> {
  const call = async (name: keyof C & string, argument: unknown): Promise<unknown> =>
    await (calls[name] as (argument: unknown) => unknown)(argument);
  return { call: call as Caller<C>['call'] };
}

/** The caller's end of a port. Calls are answered in any order; one that has no answer after `deadlineMs` fails. */
export class ThreadCaller<C extends Calls> {
  readonly #port: MessagePort;
  readonly #deadlineMs: number;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: unknown) => void; reject: (error: SelsynError) => void; timer: NodeJS.Timeout }
  >();
  #lastId = 0;
  /** The other end is gone: nobody will answer any more. */
  #gone = false;

  constructor(port: MessagePort, deadlineMs = 10_000) {
    this.#port = port;
    this.#deadlineMs = deadlineMs;
    port.on('message', (reply: CallReply) => this.#settle(reply));
    port.on('close', () => {
      this.#gone = true;
      for (const id of this.#waiting.keys()) this.#settle({ id, error: GONE });
    });
  }

  /**
   * @param deadlineMs for this call alone.
   * @throws SelsynError what the other thread threw, or `thread.timeout`, or `thread.gone`
   */
  call<K extends keyof C & string>(call: K, argument: Argument<C, K>, deadlineMs = this.#deadlineMs): Promise<Answer<C, K>> {
    const id = ++this.#lastId;
    return new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#settle({
          id,
          error: {
            code: 'thread.timeout',
            message: `no answer to ${call} in ${deadlineMs} ms`,
            details: {},
            retryable: true,
          },
        });
      }, deadlineMs);
      this.#waiting.set(id, { resolve, reject, timer });
      if (this.#gone) this.#settle({ id, error: GONE });
      else this.#port.postMessage({ id, call, argument } satisfies CallRequest);
    }) as Promise<Answer<C, K>>;
  }

  #settle(reply: CallReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.error === undefined) waiting.resolve(reply.answer);
    else {
      const { code, message, details, retryable } = reply.error;
      waiting.reject(new SelsynError(code, message, { details, retryable }));
    }
  }
}
