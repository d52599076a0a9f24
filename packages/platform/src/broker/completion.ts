import type { Receipt } from '../bus/bus.ts';
import type { AckOwner } from './ack-ring.ts';
import type { Mark } from './mark.ts';

/**
 * Something that is complete once all that it waits for is: the log, the session store, other threads. The worst reason code that
 * any of them gave is what it came to.
 *
 * Whoever makes it calls `expect` for each thing to be waited for, then `started` once.
 */
export abstract class Completion implements AckOwner, Receipt {
  /** Whether part of it is left to another thread or log, which becomes durable apart from what this thread stores. */
  isElsewhere = false;
  /** Of the message that is being delivered, where that must not be stored twice. */
  mark: Mark | undefined;
  #outstanding = 1;
  #code = 0;

  /** One more thing to wait for; it ends by `settle` or `answered`. */
  expect(): void {
    this.#outstanding++;
  }

  /** As `expect`, for what is left to another thread or log. */
  expectElsewhere(): void {
    this.isElsewhere = true;
    this.#outstanding++;
  }

  /** What it came to so far: at least this. */
  atLeast(code: number): void {
    if (code > this.#code) this.#code = code;
  }

  /** Nothing more is expected. */
  started(): void {
    this.answered(0);
  }

  settle(_packetId: number, _qos: number, code: number): void {
    this.answered(code);
  }

  answered(code: number): void {
    if (code > this.#code) this.#code = code;
    if (--this.#outstanding === 0) this.complete(this.#code);
  }

  /** Called once. A code of at least 0x80: it failed. */
  protected abstract complete(code: number): void;
}

/** Calls a function with what it came to. */
export class Afterwards extends Completion {
  readonly #then: (code: number) => void;

  constructor(then: (code: number) => void) {
    super();
    this.#then = then;
  }

  protected override complete(code: number): void {
    this.#then(code);
  }
}
