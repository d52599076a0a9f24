import type { ProtocolVersion, Will } from '@selsyn/wire/mqtt/packets.ts';
import type { SessionNumber, StoreChange } from '../session-store/session-store.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import { CLOSE_REASONS } from './close-reasons.ts';
import { Deadlines } from './deadlines.ts';
import type { Delivery } from './delivery.ts';
import { Session, type SessionConnection, sessionKey } from './session.ts';
import { unsubscribe, unsubscribeAll } from './subscribing.ts';
import { publishWill } from './will-message.ts';
import { withdrawDenied } from './withdrawal.ts';

/** What a CONNECT asks for. */
export interface SessionRequest {
  readonly clientId: string;
  readonly principal: Principal;
  readonly version: ProtocolVersion;
  /** 3.1.1: clean session. */
  readonly cleanStart: boolean;
  /** How long the session is to outlive the connection, s, as far as this server keeps one. */
  readonly expirySec: number;
  readonly will: Will | undefined;
  readonly connection: SessionConnection;
}

export interface OpenedSession {
  readonly session: Session;
  /** It was there before [MQTT-3.2.2-2, MQTT-3.2.2-3]. */
  readonly present: boolean;
  /** Of the last change that opening it made. */
  readonly ticket: number;
}

/** The sessions of one thread, connected or waiting for their clients to return. */
export class Sessions {
  readonly #core: BrokerCore;
  readonly #byKey = new Map<string, Session>();
  /** Sessions without a client, by when they end. */
  readonly #expiring = new Deadlines<Session>();
  /** Sessions without a client whose will waits for its delay. */
  readonly #willing = new Deadlines<Session>();
  #lastNumber = 0;

  constructor(core: BrokerCore) {
    this.#core = core;
  }

  get size(): number {
    return this.#byKey.size;
  }

  values(): Iterable<Session> {
    return this.#byKey.values();
  }

  get(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  /** Resumes the session of this client, or makes one. A connection that it has ends first [MQTT-3.1.4-3]. */
  open(request: SessionRequest): OpenedSession {
    const { principal, clientId, cleanStart } = request;
    const key = sessionKey(principal, clientId);
    this.#byKey.get(key)?.connection?.close('taken-over');
    const found = this.#byKey.get(key);
    let ticket = 0;
    if (found !== undefined && cleanStart) ticket = this.end(found); // [MQTT-3.1.2-4]
    const resumed = cleanStart ? undefined : found;
    const session = resumed ?? this.#make(request);
    if (resumed !== undefined) this.#resume(resumed, request);
    session.connection = request.connection;
    session.offlineSinceMs = undefined;
    this.#core.counters.sessions++;
    if (session.isPersistent) ticket = this.#store(session, resumed === undefined);
    this.#core.groups.changed(session);
    if (this.#core.bus !== undefined) session.stamp = this.#core.bus.openSession(key);
    return { session, present: resumed !== undefined, ticket };
  }

  /**
   * The connection of a session has ended. The will goes out, unless `withWill` is false or its delay has still to pass; a session
   * that does not outlive its connection ends.
   */
  leave(session: Session, withWill: boolean): void {
    const { clock, counters } = this.#core;
    counters.sessions--;
    session.connection = undefined;
    if (!withWill) session.will = undefined;
    if (!session.isPersistent || session.expirySec === 0) {
      this.end(session);
      return;
    }
    session.outbound.detach();
    counters.offlineSessions++;
    const nowMs = clock.monotonicMs();
    session.offlineSinceMs = clock.now();
    this.#expiring.add(session, nowMs + session.expirySec * 1_000);
    this.#core.groups.changed(session);
    this.#delayWill(session, nowMs);
    this.#store(session, false);
    this.#handOver(session);
  }

  /** Ends a session without a connection. @returns the ticket of its removal. */
  end(session: Session): number {
    if (!session.open) return 0;
    this.discard(session);
    session.retained.jobs = undefined;
    if (session.isPersistent) this.#core.marks.endSession(session);
    this.#handOver(session);
    session.outbound.close();
    const ticket = session.isPersistent ? this.#core.store.write({ kind: 'session-removed', session: session.number }) : 0;
    this.#publishWill(session);
    return ticket;
  }

  /** What was to be published when its connection ends is not. */
  withdrawWill(session: Session): void {
    session.will = undefined;
    if (session.open && session.isPersistent) this.#store(session, false);
  }

  /** Numbers of sessions to come are larger than this. */
  numberFrom(last: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, last);
  }

  /** Ends a session whose queue of everybody's messages has stayed full: its publishers are not refused any more. */
  endFull(session: Session): void {
    const { counters, watch, clock, logLines } = this.#core;
    const { clientId, connection } = session;
    logLines.warn(
      { client: clientId, queued: session.outbound.queued },
      'a session was ended: it subscribes to everything and its queue stayed full',
    );
    counters.wideSessionsEnded++;
    if (connection === undefined)
      watch.history.closed(session, { reason: 'slow-subscriber', code: CLOSE_REASONS['slow-subscriber'], atMs: clock.now() });
    else connection.close('slow-subscriber');
    this.end(session);
  }

  /**
   * Ends sessions that have waited long enough for their clients, and publishes wills that are due, some at a time.
   * @returns true where more is due.
   */
  sweep(nowMs: number): boolean {
    const moreWills = this.#willing.due(nowMs, (session) => this.#publishWill(session)); // [MQTT-3.1.3-9]
    const moreSessions = this.#expiring.due(nowMs, (session) => {
      this.#core.counters.expiredSessions++;
      this.end(session);
    });
    return moreWills || moreSessions;
  }

  /** A session that an earlier run of the server had; its client has to come back first. */
  restore(session: Session, offlineForMs: number): void {
    const nowMs = this.#core.clock.monotonicMs();
    this.numberFrom(session.number);
    this.#byKey.set(session.key, session);
    this.#core.counters.offlineSessions++;
    this.#expiring.add(session, nowMs + Math.max(0, session.expirySec * 1_000 - offlineForMs));
    if (session.will === undefined) return;
    // Not before all are back that may subscribe to it.
    const delayMs = (session.will.properties.willDelayIntervalSec ?? 0) * 1_000;
    this.#willing.add(session, nowMs + Math.max(0, delayMs - offlineForMs));
  }

  /** Takes out a session that holds no messages. */
  discard(session: Session): void {
    session.open = false;
    this.#byKey.delete(session.key);
    if (session.offlineSinceMs !== undefined) this.#core.counters.offlineSessions--;
    this.#expiring.remove(session);
    this.#willing.remove(session);
    unsubscribeAll(this.#core, session);
  }

  #make(request: SessionRequest): Session {
    const { clientId, principal, version, expirySec, will } = request;
    const isPersistent = expirySec > 0 && this.#core.store.exists;
    const number = (isPersistent ? ++this.#lastNumber : 0) as SessionNumber;
    const session = new Session({ core: this.#core, number, clientId, principal, version, expirySec, will });
    this.#byKey.set(session.key, session);
    return session;
  }

  #resume(session: Session, request: SessionRequest): void {
    if (session.offlineSinceMs !== undefined) this.#core.counters.offlineSessions--;
    this.#expiring.remove(session);
    this.#willing.remove(session);
    session.principal = request.principal;
    session.version = request.version;
    session.expirySec = request.expirySec;
    session.will = request.will;
    // What it may see may have changed since it subscribed.
    const denied = [...session.subscriptions.keys()].filter((filter) => !request.principal.maySubscribe(filter));
    if (denied.length > 0) unsubscribe(this.#core, session, denied);
    withdrawDenied(session);
    if (session.subscriptionCount > 0) this.#core.subscriptions.reconsider();
  }

  #store(session: Session, fresh: boolean): number {
    return this.#core.store.write({ kind: 'session', session: session.stored, fresh } satisfies StoreChange);
  }

  #delayWill(session: Session, nowMs: number): void {
    const delaySec = session.will?.properties.willDelayIntervalSec ?? 0;
    if (delaySec === 0) this.#publishWill(session);
    else this.#willing.add(session, nowMs + delaySec * 1_000);
  }

  #publishWill(session: Session): void {
    const { will } = session;
    if (will === undefined) return;
    session.will = undefined;
    publishWill(this.#core, session, will);
    if (session.open && session.isPersistent) this.#store(session, false);
  }

  /** What its client has not acknowledged of shared groups goes to other members, where there are any. */
  #handOver(session: Session): void {
    const { groups } = this.#core;
    const { outbound } = session;
    const isFor = ({ share }: Delivery) => share !== undefined && (!session.open || groups.hasOtherMember(share.name, session));
    for (const delivery of outbound.take(isFor)) {
      delivery.share?.redeliver(delivery, session, (taken) => outbound.handedOver(delivery, taken));
    }
  }
}
