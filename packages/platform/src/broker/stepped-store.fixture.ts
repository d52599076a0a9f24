import { SelsynError } from '../kernel/errors.ts';
import type { SessionStore, StoreChange, StoreOwner, StoreTicket } from '../session-store/session-store.ts';
import { StoredState } from '../session-store/stored-state.ts';

interface Written {
  readonly change: StoreChange;
  /** 0 for a change of a snapshot. */
  readonly ticket: number;
  /** The state of the snapshot that it is part of, or that was under way. */
  readonly next: StoredState | undefined;
  /** It is the last of the snapshot. */
  readonly completes: boolean;
  /** What was written in one turn of the event loop stands in one frame of the log: all of it is durable, or none. */
  readonly turn: number;
}

/**
 * A session store of which a test decides each step: what becomes durable, what is rejected, each slice of a snapshot, and after how
 * much of what was written the process ends. It folds its history as a journal is folded.
 */
export class SteppedStore implements SessionStore {
  #state: StoredState;
  /** The snapshot under way: of it and of what was changed since it began. */
  #next: { readonly state: StoredState; readonly slices: Iterator<readonly StoreChange[]> } | undefined;
  #owner: StoreOwner | undefined;
  #pending: Written[] = [];
  #lastTicket = 0;
  #turn = 0;
  #turnIsOver = true;
  #needsSnapshot = false;
  #ended = false;
  readonly saturated = false;

  constructor(state = new StoredState()) {
    this.#state = state;
  }

  async open(owner: StoreOwner): Promise<void> {
    this.#owner = owner;
    for (const change of this.#state.changes()) owner.restore(structuredClone(change));
  }

  write(change: StoreChange): StoreTicket {
    if (this.#ended) throw new SelsynError('log.closed', 'the test ended the store');
    this.#append({ change, ticket: ++this.#lastTicket, next: this.#next?.state, completes: false });
    return this.#lastTicket as StoreTicket;
  }

  /** Makes what was written durable; as the log does, a snapshot is begun where something was rejected. */
  settle(): void {
    const last = this.#take(this.#pending);
    this.#pending = [];
    if (last > 0) this.#owner?.onDurable(last as StoreTicket);
    if (!this.#needsSnapshot) return;
    this.#needsSnapshot = false;
    this.#next = undefined;
    this.snapshot();
    while (this.#next !== undefined) this.snapshot();
  }

  /** Rejects what was written. */
  reject(): void {
    if (this.#pending.length === 0) return;
    this.#pending = [];
    this.#next = undefined;
    this.#needsSnapshot = true;
    this.#owner?.onRejected(this.#lastTicket as StoreTicket, new SelsynError('log.full', 'the test says so'));
  }

  /** Begins a snapshot, or takes its next slice. */
  snapshot(): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    if (this.#next === undefined) {
      this.#next = { state: new StoredState(), slices: owner.snapshot() };
      return;
    }
    const { state: next, slices } = this.#next;
    const slice = slices.next();
    if (slice.done !== true) for (const change of slice.value) this.#append({ change, ticket: 0, next, completes: false });
    else {
      this.#append({ change: NOTHING, ticket: 0, next, completes: true });
      this.#next = undefined;
    }
  }

  /** The process ends when this share (0 to 1) of what was written last has become durable. @returns the store of the next. */
  crash(share: number): SteppedStore {
    const turns = [...new Set(this.#pending.map(({ turn }) => turn))];
    const kept = new Set(turns.slice(0, Math.round(share * turns.length)));
    this.#take(this.#pending.filter(({ turn }) => kept.has(turn)));
    this.#ended = true;
    this.#owner = undefined;
    const state = new StoredState();
    for (const change of this.#state.changes()) state.apply(structuredClone(change));
    return new SteppedStore(state);
  }

  /** What a crash now would leave. */
  durable(): readonly StoreChange[] {
    return [...this.#state.changes()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
  }

  #append(written: Omit<Written, 'turn'>): void {
    if (this.#turnIsOver) {
      this.#turnIsOver = false;
      this.#turn++;
      setImmediate(() => (this.#turnIsOver = true));
    }
    this.#pending.push({ ...written, change: structuredClone(written.change), turn: this.#turn });
  }

  #take(entries: readonly Written[]): number {
    let last = 0;
    for (const { change, ticket, next, completes } of entries) {
      if (ticket === 0) next?.applyOfSnapshot(change);
      else {
        this.#state.apply(change);
        next?.apply(structuredClone(change));
        last = ticket;
      }
      if (!completes || next === undefined) continue;
      next.unpin();
      this.#state = next;
    }
    return last;
  }
}

const NOTHING: StoreChange = { kind: 'retained-removed', topic: 'of nobody' };
