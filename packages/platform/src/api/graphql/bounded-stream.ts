import { SelsynError } from '../../kernel/errors.ts';

/** What comes out of a stream: a value, or a fault that whoever reads is told. */
export type StreamItem<T> = { readonly value: T } | { readonly fault: SelsynError };

/** Values that wait for a reader. */
const MAX_WAITING = 1_000;

/**
 * Values on their way to one reader, in their order.
 *
 * Bounded: when a thousand wait, the reader is told that it was too slow, and the stream ends. A fault is an item: it does not end the stream
 * by itself.
 */
export class BoundedStream<T> implements AsyncIterableIterator<StreamItem<T>> {
  readonly #onEnd: () => void;
  #waiting: StreamItem<T>[] = [];
  #readers: ((result: IteratorResult<StreamItem<T>>) => void)[] = [];
  #ended = false;

  /** @param onEnd called once, when nothing is taken any more: the reader has gone, or the stream has ended. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(value: T): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting = [];
      this.end(
        new SelsynError('request.rate-limited', 'you read too slowly, and the subscription has ended', { retryable: true }),
      );
    } else this.#give({ value });
  }

  fault(fault: SelsynError): void {
    if (this.#waiting.length < MAX_WAITING) this.#give({ fault });
  }

  /** What waits is still read, and this fault last. */
  end(fault?: SelsynError): void {
    if (this.#ended) return;
    if (fault !== undefined) this.#give({ fault });
    this.#close();
  }

  next(): Promise<IteratorResult<StreamItem<T>>> {
    const item = this.#waiting.shift();
    if (item !== undefined) return Promise.resolve({ value: item, done: false });
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve) => void this.#readers.push(resolve));
  }

  /** The reader has gone. */
  return(): Promise<IteratorResult<StreamItem<T>>> {
    this.#waiting = [];
    this.#close();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #give(item: StreamItem<T>): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#waiting.push(item);
    else reader({ value: item, done: false });
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const reader of this.#readers) reader(DONE);
    this.#readers = [];
    this.#onEnd();
  }
}

const DONE = { value: undefined, done: true } as const;

/** The value of an item. @throws its fault */
export function valueOf<T>(item: StreamItem<T>): T {
  if ('fault' in item) throw item.fault;
  return item.value;
}
