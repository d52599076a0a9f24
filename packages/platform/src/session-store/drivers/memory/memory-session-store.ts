import { SelsynError } from '../../../kernel/errors.ts';
import { ByteReader } from '../../byte-reader.ts';
import { ByteWriter } from '../../byte-writer.ts';
import { decodeChange } from '../../change-decoder.ts';
import { encodeChange } from '../../change-encoder.ts';
import type { SessionStore, StoreChange, StoreOwner, StoreTicket } from '../../session-store.ts';
import { StoredState } from '../../stored-state.ts';

/** Changes that may wait before the store is saturated; twice as many are refused. */
const MAX_PENDING = 100_000;

/**
 * A session store for tests. What is durable outlives a store: `reopen` gives the next one, as after a crash.
 *
 * Tickets are settled one turn of the event loop after the first of their changes, unless the store is held.
 */
export class MemorySessionStore implements SessionStore {
  #state = new StoredState();
  #owner: StoreOwner | undefined;
  readonly #maxPending: number;
  readonly #bytes = new ByteWriter();
  readonly #reader = new ByteReader();
  #pending: StoreChange[] = [];
  #lastTicket = 0;
  #isSaturated = false;
  #isScheduled = false;
  #isHeld = false;
  #isClosed = false;
  #fault: SelsynError | undefined;
  #needsSnapshot = false;

  constructor(options: { readonly maxPending?: number } = {}) {
    this.#maxPending = options.maxPending ?? MAX_PENDING;
  }

  async open(owner: StoreOwner): Promise<void> {
    this.#owner = owner;
    for (const change of this.#copies()) owner.restore(change);
  }

  write(change: StoreChange): StoreTicket {
    if (this.#owner === undefined) throw new TypeError('the session store is not open');
    if (this.#isClosed) throw new SelsynError('log.closed', 'the session store is closed');
    if (this.#pending.length >= 2 * this.#maxPending) {
      this.#needsSnapshot = true;
      throw new SelsynError('log.failed', 'more changes are waiting than memory is set aside for', { retryable: true });
    }
    this.#pending.push(this.#copy(change));
    if (this.#pending.length >= this.#maxPending) this.#isSaturated = true;
    this.#schedule();
    this.#lastTicket += 1;
    return this.#lastTicket as StoreTicket;
  }

  get saturated(): boolean {
    return this.#isSaturated;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isHeld = false;
    if (this.#pending.length > 0) this.#settle();
  }

  /** From now on nothing is settled, until `letGo`. */
  hold(): void {
    this.#isHeld = true;
  }

  letGo(): void {
    this.#isHeld = false;
    if (this.#pending.length > 0 || this.#needsSnapshot) this.#schedule();
  }

  /** From now on changes are rejected with this error; undefined: no more. */
  rejectWith(error: SelsynError | undefined): void {
    this.#fault = error;
    if (error === undefined && this.#needsSnapshot) this.#schedule();
  }

  /** What is durable, in canonical order. */
  durable(): readonly StoreChange[] {
    return [...this.#copies()];
  }

  /** Ends this store as a crash would, without a word to its owner, and gives one with what was durable. */
  reopen(): MemorySessionStore {
    const next = new MemorySessionStore({ maxPending: this.#maxPending });
    for (const change of this.#copies()) next.#state.apply(change);
    this.#isClosed = true;
    this.#isHeld = true;
    return next;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isHeld) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (!this.#isHeld) this.#settle();
    });
  }

  #settle(): void {
    const owner = this.#owner!;
    const upTo = this.#lastTicket as StoreTicket;
    const settled = this.#pending;
    const fault = this.#fault;
    this.#pending = [];
    if (fault === undefined) for (const change of settled) this.#state.apply(change);
    else this.#needsSnapshot = true;
    if (settled.length > 0) {
      if (fault === undefined) owner.onDurable(upTo);
      else owner.onRejected(upTo, fault);
    }
    if (fault === undefined && this.#needsSnapshot && this.#pending.length === 0) this.#takeSnapshot(owner);
    if (!this.#isSaturated || this.#pending.length >= this.#maxPending / 2) return;
    this.#isSaturated = false;
    owner.onDrained();
  }

  #takeSnapshot(owner: StoreOwner): void {
    const state = new StoredState();
    for (const slice of { [Symbol.iterator]: () => owner.snapshot() }) {
      for (const change of slice) state.applyOfSnapshot(this.#copy(change));
    }
    state.unpin();
    this.#state = state;
    this.#needsSnapshot = false;
  }

  *#copies(): Generator<StoreChange> {
    for (const change of this.#state.changes()) yield this.#copy(change);
  }

  /** Through the bytes that other drivers store: nothing is shared with whoever wrote it. */
  #copy(change: StoreChange): StoreChange {
    this.#bytes.clear();
    encodeChange(this.#bytes, change, false);
    this.#reader.open(this.#bytes.bytes, 1, this.#bytes.size);
    return decodeChange(this.#reader, this.#bytes.bytes[0]!);
  }
}
