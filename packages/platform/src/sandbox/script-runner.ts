import { Worker } from 'node:worker_threads';
import { type ErrorCode, SelsynError } from '../kernel/errors.ts';
import type { MessageForScript } from './decode-script.ts';
import { overLimit } from './script-errors.ts';
import {
  CALL,
  DONE,
  FAILED,
  KIND,
  LENGTHS,
  LOAD,
  MAILBOX_BYTES,
  newMailbox,
  NOT_LOADED,
  REPLY,
  REQUEST,
  SCRIPT,
  type ScriptMailbox,
  SLOW,
  STATUS,
  STEP_LIMITS,
  type StepLimits,
  STEPS,
  TIME_IS_OVER,
} from './script-mailbox.ts';

/** Until a thread is there. The asking one stands still meanwhile, which happens at the first call and after one that had to be ended. */
const START_MS = 10_000;
/**
 * A call is stopped by what it does. What the interpreter does within one of its own functions it does not count (a search in an array of
 * four billion): then the thread is ended, and the message tried once more, in case it was only the machine that stood still.
 */
const HARD_MS = 500;
const TRIES = 2;

interface Thread {
  readonly worker: Worker;
  readonly mailbox: ScriptMailbox;
  requests: number;
}

/** A script that `ScriptRunner` runs. */
export interface RunnableScript {
  readonly number: number;
  readonly source: string;
}

/**
 * Runs scripts of decoders in a thread of their own and waits for them: what a call costs besides the script is the hand-over, some 10 µs.
 * Nothing of this process can be reached from there (QuickJS in WebAssembly), and a script that does not come back is ended.
 */
export class ScriptRunner implements Disposable {
  readonly #limits: StepLimits;
  readonly #hardMs: number;
  readonly #tries: number;
  readonly #encoder = new TextEncoder();
  #thread: Thread | undefined;
  #lastNumber = 0;
  /** Threads that had to be ended. */
  ended = 0;
  /** That the last call took. */
  steps = 0;

  constructor(options: { readonly limits?: Partial<StepLimits>; readonly hardMs?: number; readonly tries?: number } = {}) {
    this.#limits = { ...STEP_LIMITS, ...options.limits };
    this.#hardMs = options.hardMs ?? HARD_MS;
    this.#tries = options.tries ?? TRIES;
  }

  /** @throws SelsynError `script.invalid` when it is too long */
  script(source: string): RunnableScript {
    if (Buffer.byteLength(source) > this.#limits.sourceBytes) {
      throw new SelsynError('script.invalid', `a script has at most ${this.#limits.sourceBytes} bytes`);
    }
    return { number: ++this.#lastNumber, source };
  }

  /** Whether it can be loaded and has the function. @throws SelsynError `script.invalid`, `script.over-limit` */
  check(script: RunnableScript): void {
    this.#ask(() => this.#load(script));
  }

  /**
   * @returns JSON, in UTF-8
   * @throws SelsynError `script.invalid`, `script.failed`, `script.over-limit`; where it is known with `details` { line, column }
   */
  call(script: RunnableScript, message: MessageForScript): Uint8Array {
    if (message.payload.length > this.#limits.inputBytes) {
      throw overLimit(`a script is given at most ${this.#limits.inputBytes} bytes`);
    }
    return this.#ask(() => {
      if (this.#request(CALL, script.number, message) === NOT_LOADED) {
        this.#load(script);
        this.#request(CALL, script.number, message);
      }
      return this.#reply();
    });
  }

  [Symbol.dispose](): void {
    if (this.#thread === undefined) return;
    const { worker, mailbox } = this.#thread;
    Atomics.store(mailbox.words, REQUEST, -1);
    Atomics.notify(mailbox.words, REQUEST);
    void worker.terminate();
    this.#thread = undefined;
  }

  #load({ number, source }: RunnableScript): void {
    this.#request(LOAD, number, source);
    this.#reply();
  }

  #ask<T>(work: () => T): T {
    for (let tried = 1; ; tried++) {
      this.steps = this.#limits.steps;
      try {
        return work();
      } catch (error) {
        if (error !== TIME_IS_OVER) throw error;
        if (tried >= this.#tries) throw overLimit('the script took too long');
      }
    }
  }

  /** @returns the status. @throws TIME_IS_OVER */
  #request(kind: number, number: number, content: string | MessageForScript): number {
    const thread = (this.#thread ??= start(this.#limits));
    const { words, time, bytes } = thread.mailbox;
    words[KIND] = kind;
    words[SCRIPT] = number;
    const parts = typeof content === 'string' ? [content] : [content.payload, content.device, content.topic, content.type];
    let at = 0;
    parts.forEach((part, index) => {
      const encoded = typeof part === 'string' ? this.#encoder.encode(part) : part;
      if (at + encoded.length > MAILBOX_BYTES) throw overLimit('the script is given too much');
      bytes.set(encoded, at);
      words[LENGTHS + index] = encoded.length;
      at += encoded.length;
    });
    if (typeof content !== 'string') time[0] = content.arrivalMs;
    const request = ++thread.requests;
    Atomics.store(words, REQUEST, request);
    Atomics.notify(words, REQUEST);
    if (!waitFor(words, request, this.#hardMs)) {
      this.#end();
      throw TIME_IS_OVER;
    }
    if (kind === CALL) this.steps = words[STEPS]!;
    if (words[STATUS] === SLOW) throw TIME_IS_OVER;
    return words[STATUS]!;
  }

  /** A copy. */
  #reply(): Uint8Array {
    const { words, bytes } = this.#thread!.mailbox;
    const text = bytes.slice(0, words[LENGTHS]);
    if (words[STATUS] === DONE) return text;
    if (words[STATUS] !== FAILED) throw new SelsynError('internal', 'a script was not loaded');
    const { code, message, details } = JSON.parse(new TextDecoder().decode(text)) as {
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    };
    throw new SelsynError(code, message, { details });
  }

  #end(): void {
    this.ended++;
    void this.#thread?.worker.terminate();
    this.#thread = undefined;
  }
}

function start(limits: StepLimits): Thread {
  const mailbox = newMailbox();
  mailbox.words[REPLY] = -1;
  const worker = new Worker(new URL('./script-thread.ts', import.meta.url), {
    name: 'scripts',
    workerData: { mailbox, limits },
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
    stdout: true,
    stderr: true,
  });
  worker.unref();
  // What it dies of shows as a call that is not answered.
  worker.on('error', () => undefined);
  if (!waitFor(mailbox.words, 0, START_MS)) {
    void worker.terminate();
    throw new SelsynError('internal', 'the thread of the scripts does not start', { retryable: true });
  }
  return { worker, mailbox, requests: 0 };
}

/** Until so many requests are answered. */
function waitFor(words: Int32Array<SharedArrayBuffer>, reply: number, timeoutMs: number): boolean {
  const untilMs = performance.now() + timeoutMs;
  for (;;) {
    const seen = Atomics.load(words, REPLY);
    if (seen === reply) return true;
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return false;
    Atomics.wait(words, REPLY, seen, leftMs);
  }
}
