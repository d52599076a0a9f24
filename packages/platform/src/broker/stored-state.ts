import type { Holder, SessionNumber, StoreChange, StoredSession, StoreOwner } from '../session-store/session-store.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Delivery } from './delivery.ts';
import type { Message } from './message.ts';
import type { Outbound } from './outbound.ts';
import { PendingAnswer } from './pending-answer.ts';
import { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { holderOf } from './stored-deliveries.ts';
import { addSubscription } from './subscribing.ts';
import { storedWill } from './will-message.ts';

/** What the session store keeps, as the broker has it: brought back at the start, and told anew when the store asks. */
export class StoredState implements StoreOwner {
  readonly #core: BrokerCore;
  readonly #sessions: Sessions;
  /** While restoring. */
  readonly #byNumber = new Map<SessionNumber, Session>();
  readonly #messages = new Map<number, Message>();
  readonly #superseded: SessionNumber[] = [];
  #snapshots = 0;

  constructor(core: BrokerCore, sessions: Sessions) {
    this.#core = core;
    this.#sessions = sessions;
  }

  restore(change: StoreChange): void {
    switch (change.kind) {
      case 'session':
        this.#restoreSession(change.session);
        return;
      case 'subscribed': {
        const session = this.#byNumber.get(change.session);
        if (session !== undefined) addSubscription(this.#core, session, change.filter, change.options);
        return;
      }
      case 'message':
        this.#restoreMessage(change.message, change.holders);
        return;
      case 'held': {
        const message = this.#messages.get(change.message);
        if (message !== undefined) this.#hold(message, change.holders);
        return;
      }
      case 'released':
        this.#byNumber.get(change.session)?.outbound.restoreReleased(change.packetId);
        return;
      case 'received':
        this.#byNumber.get(change.session)?.received.set(change.packetId, 'answered');
        return;
      case 'marked':
        this.#core.marks.restore(change.mark, change.group);
        return;
      case 'retained':
        this.#core.retained.restore(change.packet, change.expiresAtMs);
        return;
      default:
        // The store hands out what is left, not what has gone.
        throw new TypeError(`${change.kind} does not restore anything`);
    }
  }

  /** All of it was restored: what was needed for that goes. */
  restored(): void {
    for (const session of this.#superseded) this.#core.store.write({ kind: 'session-removed', session });
    this.#byNumber.clear();
    this.#messages.clear();
  }

  onDurable(upTo: number): void {
    this.#core.onStoreSettled(upTo, undefined);
  }

  onRejected(upTo: number, error: Error): void {
    this.#core.onStoreSettled(upTo, error);
  }

  onDrained(): void {
    this.#core.resumeReading();
  }

  *snapshot(): Generator<readonly StoreChange[]> {
    this.#snapshots++;
    for (const session of this.#sessions.values()) {
      if (session.isPersistent && session.open) yield this.#changesOf(session);
    }
    yield* this.#core.marks.snapshot();
    yield* this.#core.retained.snapshot();
  }

  #changesOf(session: Session): readonly StoreChange[] {
    const { number, outbound } = session;
    const changes: StoreChange[] = [{ kind: 'session', session: session.stored, fresh: true }];
    for (const [filter, options] of session.subscriptions) changes.push({ kind: 'subscribed', session: number, filter, options });
    for (const delivery of outbound.kept) changes.push(this.#held(outbound, delivery));
    for (const packetId of outbound.released) changes.push({ kind: 'released', session: number, packetId });
    for (const [packetId, state] of session.received) {
      if (state === 'answered' || (state instanceof PendingAnswer && state.isStored)) {
        changes.push({ kind: 'received', session: number, packetId });
      }
    }
    return changes;
  }

  #held(outbound: Outbound, delivery: Delivery): StoreChange {
    const { message } = delivery;
    const holders = [holderOf(outbound, delivery)];
    if (message.storeNumber === 0) this.#core.stored.number(message);
    if (message.snapshot === this.#snapshots) return { kind: 'held', message: message.storeNumber, holders };
    message.snapshot = this.#snapshots;
    return { kind: 'message', message: this.#core.stored.storable(message), holders };
  }

  #restoreSession(stored: StoredSession): void {
    const { clock } = this.#core;
    const { number, clientId, namespace, principalId, version, expirySec, offlineSinceMs, will } = stored;
    const session = new Session({
      core: this.#core,
      number,
      clientId,
      principal: absent(namespace, principalId),
      version,
      expirySec,
      will: will === undefined ? undefined : storedWill(this.#core, will.packet, will.delaySec),
    });
    // Where it was connected to the end, its connection ended with the server.
    const nowMs = clock.now();
    session.offlineSinceMs = offlineSinceMs ?? nowMs;
    // Of two with one client, the end of the first could not be stored.
    const other = this.#sessions.get(session.key);
    if (other !== undefined && other.number > number) {
      this.#superseded.push(number);
      return;
    }
    if (other !== undefined) {
      this.#superseded.push(other.number);
      this.#byNumber.delete(other.number);
      this.#sessions.discard(other);
    }
    this.#byNumber.set(number, session);
    this.#sessions.restore(session, nowMs - session.offlineSinceMs);
  }

  #restoreMessage(
    { number, packet, expiresAtMs }: { readonly number: number; readonly packet: Uint8Array; readonly expiresAtMs: number },
    holders: readonly Holder[],
  ): void {
    const { clock, messages, stored } = this.#core;
    const nowMs = clock.monotonicMs();
    const message = messages.read(packet, nowMs, { expiresAtMs: nowMs + expiresAtMs - clock.now() });
    message.storeNumber = number;
    stored.numberFrom(number);
    this.#messages.set(number, message);
    this.#hold(message, holders);
  }

  #hold(message: Message, holders: readonly Holder[]): void {
    for (const { session: number, packetId, qos, retain, identifiers, share } of holders) {
      const session = this.#byNumber.get(number);
      if (session === undefined) continue;
      const source = share === undefined ? undefined : this.#core.groups.source(share);
      // It may have reached the client before the server ended.
      session.outbound.restore({ message, qos, retain, identifiers, share: source, packetId, ticket: 0, sent: true });
    }
  }
}

/** A client that was let in by an earlier run: it may see what it subscribed to, and does nothing until it comes back. */
function absent(sessionNamespace: string, id: string): Principal {
  return { id, sessionNamespace, mayPublish: () => true, maySubscribe: () => true, mayReceive: () => true };
}
