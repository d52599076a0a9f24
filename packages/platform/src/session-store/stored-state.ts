import { StoredMarks } from './stored-marks.ts';
import type {
  Holder,
  MessageMark,
  SessionNumber,
  StoreChange,
  StoredMessage,
  StoredSession,
  StoredSubscription,
} from './session-store.ts';

interface SessionState {
  session: StoredSession;
  readonly subscriptions: Map<string, StoredSubscription>;
  /** By packet id, in the order in which the session gets them. */
  readonly held: Map<number, Held>;
  readonly released: Set<number>;
  readonly received: Set<number>;
}

interface MessageState {
  readonly message: StoredMessage;
  holders: number;
}

interface Held {
  readonly of: MessageState;
  readonly holder: Holder;
}

interface Retained {
  readonly packet: Uint8Array;
  readonly expiresAtMs: number;
}

/**
 * What a row of changes comes to.
 *
 * Invariants: a message is known while a session holds it, or while it is pinned; a packet id of a session is held or
 * released, never both; the order of `held` is that in which the holders were written, so a packet id that is used again
 * goes to the end; marks are about other stores' sessions too, and none depends on a session that is known here.
 */
export class StoredState {
  readonly #sessions = new Map<SessionNumber, SessionState>();
  readonly #messages = new Map<number, MessageState>();
  readonly #retained = new Map<string, Retained>();
  readonly #pinned = new Set<number>();
  readonly #marks = new StoredMarks();

  /** Takes a change, whose byte arrays it keeps. One about a session or a message that is not known changes nothing. */
  apply(change: StoreChange): void {
    switch (change.kind) {
      case 'message':
        this.#markAll(change);
        return this.#hold(this.#messages.get(change.message.number) ?? { message: change.message, holders: 0 }, change.holders);
      case 'held': {
        this.#markAll(change);
        const message = this.#messages.get(change.message);
        return message && this.#hold(message, change.holders);
      }
      case 'released': {
        const session = this.#sessions.get(change.session);
        if (session === undefined) return;
        this.#letGo(session, change.packetId);
        session.released.add(change.packetId);
        return;
      }
      case 'settled': {
        const session = this.#sessions.get(change.session);
        if (session === undefined) return;
        this.#letGo(session, change.packetId);
        session.released.delete(change.packetId);
        return;
      }
      case 'received':
        return void this.#sessions.get(change.session)?.received.add(change.packetId);
      case 'completed':
        return void this.#sessions.get(change.session)?.received.delete(change.packetId);
      case 'session':
        return this.#describe(change.session, change.fresh);
      case 'session-removed':
        this.#empty(this.#sessions.get(change.session));
        return void this.#sessions.delete(change.session);
      case 'subscribed':
        return void this.#sessions.get(change.session)?.subscriptions.set(change.filter, change.options);
      case 'unsubscribed':
        return void this.#sessions.get(change.session)?.subscriptions.delete(change.filter);
      case 'retained':
        return void this.#retained.set(change.topic, { packet: change.packet, expiresAtMs: change.expiresAtMs });
      case 'retained-removed':
        return void this.#retained.delete(change.topic);
      case 'marked':
        return this.#marks.add(change.mark, change.group);
      case 'unmarked':
        return void this.#marks.remove(change.mark);
    }
  }

  /**
   * Takes a change of a snapshot that is being written. Its messages are kept also while nobody holds them, until `unpin`:
   * the first session that held one may have acknowledged it before the slice of the next, which names it by number, is taken.
   */
  applyOfSnapshot(change: StoreChange): void {
    if (change.kind === 'message') {
      const { number } = change.message;
      this.#pinned.add(number);
      if (!this.#messages.has(number)) this.#messages.set(number, { message: change.message, holders: 0 });
    }
    this.apply(change);
  }

  /** The snapshot is complete: messages that nobody holds go. */
  unpin(): void {
    for (const number of this.#pinned) if (this.#messages.get(number)?.holders === 0) this.#messages.delete(number);
    this.#pinned.clear();
  }

  /**
   * Changes that come to this state, in canonical order: sessions with their subscriptions; messages, once each, with all
   * their holders; released and received packet ids; marks; retained messages.
   *
   * Messages come by their numbers. Where a session has them in another order (one of a shared group got what another had),
   * no order of the messages may suit all: it gets its own after the others, by `held` where the message is known by then.
   */
  *changes(): Generator<StoreChange> {
    const inOrder = new Map<number, Holder[]>();
    const outOfOrder: SessionState[] = [];
    for (const state of this.#sessions.values()) {
      yield { kind: 'session', session: state.session, fresh: true };
      const session = state.session.number;
      for (const [filter, options] of state.subscriptions) yield { kind: 'subscribed', session, filter, options };
      if (isInOrder(state)) collectHolders(state, inOrder);
      else outOfOrder.push(state);
    }
    for (const number of [...inOrder.keys()].toSorted((a, b) => a - b)) {
      yield { kind: 'message', message: this.#messages.get(number)!.message, holders: inOrder.get(number)! };
    }
    const given = new Set<number>();
    for (const state of outOfOrder) {
      for (const { of, holder } of state.held.values()) {
        const { number } = of.message;
        if (inOrder.has(number) || given.has(number)) yield { kind: 'held', message: number, holders: [holder] };
        else yield { kind: 'message', message: of.message, holders: [holder] };
        given.add(number);
      }
    }
    for (const state of this.#sessions.values()) {
      const session = state.session.number;
      for (const packetId of state.released) yield { kind: 'released', session, packetId };
      for (const packetId of state.received) yield { kind: 'received', session, packetId };
    }
    for (const { mark, groups } of this.#marks) for (const group of groups) yield { kind: 'marked', mark, group };
    for (const [topic, { packet, expiresAtMs }] of this.#retained) yield { kind: 'retained', topic, packet, expiresAtMs };
  }

  /** Whether or not its holders are known: a session that has a message must not get it again when it has none any more. */
  #markAll({ mark, holders }: { readonly mark?: MessageMark | undefined; readonly holders: readonly Holder[] }): void {
    if (mark !== undefined) for (const { share = '' } of holders) this.#marks.add(mark, share);
  }

  #hold(message: MessageState, holders: readonly Holder[]): void {
    for (const holder of holders) {
      const session = this.#sessions.get(holder.session);
      if (session === undefined) continue;
      message.holders += 1;
      this.#letGo(session, holder.packetId);
      session.released.delete(holder.packetId);
      session.held.set(holder.packetId, { of: message, holder });
    }
    if (message.holders > 0) this.#messages.set(message.message.number, message);
  }

  #letGo(session: SessionState, packetId: number): void {
    const held = session.held.get(packetId);
    if (held === undefined) return;
    session.held.delete(packetId);
    const message = held.of;
    message.holders -= 1;
    const { number } = message.message;
    if (message.holders === 0 && !this.#pinned.has(number)) this.#messages.delete(number);
  }

  #describe(session: StoredSession, fresh: boolean): void {
    const known = this.#sessions.get(session.number);
    if (known === undefined) {
      this.#sessions.set(session.number, {
        session,
        subscriptions: new Map(),
        held: new Map(),
        released: new Set(),
        received: new Set(),
      });
      return;
    }
    known.session = session;
    if (fresh) this.#empty(known);
  }

  #empty(session: SessionState | undefined): void {
    if (session === undefined) return;
    for (const packetId of session.held.keys()) this.#letGo(session, packetId);
    session.subscriptions.clear();
    session.released.clear();
    session.received.clear();
  }
}

function isInOrder({ held }: SessionState): boolean {
  let last = -1;
  for (const { of } of held.values()) {
    if (of.message.number < last) return false;
    last = of.message.number;
  }
  return true;
}

function collectHolders({ held }: SessionState, into: Map<number, Holder[]>): void {
  for (const { of, holder } of held.values()) {
    const holders = into.get(of.message.number);
    if (holders === undefined) into.set(of.message.number, [holder]);
    else holders.push(holder);
  }
}
