import type { ProtocolVersion, Will } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { SessionNumber, StoredSession } from '../session-store/session-store.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import type { WatchedConnection } from './client-watch.ts';
import type { CloseReason } from './close-reasons.ts';
import type { Completion } from './completion.ts';
import type { ConnectionFacts } from './inspection.ts';
import type { Mark } from './mark.ts';
import type { Message } from './message.ts';
import { Outbound } from './outbound.ts';
import type { PendingAnswer } from './pending-answer.ts';
import type { RetainedJobs } from './retained-delivery.ts';
import { lesser, type Subscriber } from './subscriber.ts';
import type { Match, SubscriptionOptions } from './topic-trie.ts';
import { willPacket } from './will-message.ts';

/** The connection of a session, as far as others may act on it. */
export interface SessionConnection extends WatchedConnection {
  readonly facts: ConnectionFacts;
  close(reason: CloseReason): void;
  /** What its client may do is asked anew. */
  accessChanged(): void;
  /** Takes no packets for so long. */
  rest(forMs: number): void;
}

/**
 * A PUBLISH at QoS 2 of a client: PUBREC is still to be sent (the object that will send it), or was; or PUBREL has come, and it is
 * being stored that the packet id is free.
 */
export type ReceivedState = 'taken' | 'answered' | 'completing' | PendingAnswer;

/**
 * What the broker knows of one client id of one namespace: its subscriptions, its will, what it has still to be sent, and which QoS 2
 * messages of it were taken. It lives as long as its connection, or for its expiry longer: then it is persistent, and stored.
 */
export class Session implements Subscriber {
  readonly reach = 'session';
  readonly key: string;
  readonly clientId: string;
  /** 0 where it is not persistent. */
  readonly number: SessionNumber;
  readonly outbound: Outbound;
  principal: Principal;
  version: ProtocolVersion;
  /** Undefined while its client is away. */
  connection: SessionConnection | undefined;
  /** How long it outlives its connection, s. */
  expirySec: number;
  /** Published when its connection ends in any way other than DISCONNECT 0x00. */
  will: Will | undefined;
  /** Wall time at which its connection ended, ms. */
  offlineSinceMs: number | undefined;
  /** Orders it among the sessions of the same key in all threads: a larger stamp is the newer one. */
  stamp = 0;
  /** False once it has ended: it gets and sends nothing any more. */
  open = true;
  /** What is still to be sent of what was retained. */
  readonly retained: RetainedJobs = { jobs: undefined, queued: false };
  /** QoS 2 messages of its client until their PUBREL. */
  #received: Map<number, ReceivedState> | undefined;
  #marks: Map<number, Mark> | undefined;
  /** Made when first asked for: most devices only publish. */
  #subscriptions: Map<string, SubscriptionOptions> | undefined;

  constructor(options: {
    readonly core: BrokerCore;
    readonly number: SessionNumber;
    readonly clientId: string;
    readonly principal: Principal;
    readonly version: ProtocolVersion;
    readonly expirySec: number;
    readonly will: Will | undefined;
  }) {
    this.number = options.number;
    this.clientId = options.clientId;
    this.principal = options.principal;
    this.key = sessionKey(options.principal, options.clientId);
    this.version = options.version;
    this.expirySec = options.expirySec;
    this.outbound = new Outbound(options.core, options.number);
    this.will = options.will;
  }

  get isPersistent(): boolean {
    return this.number !== 0;
  }

  get plain(): boolean {
    return this.number === 0;
  }

  /** By filter, as it was given: a shared one with its `$share/…`. */
  get subscriptions(): Map<string, SubscriptionOptions> {
    return (this.#subscriptions ??= new Map());
  }

  get subscriptionCount(): number {
    return this.#subscriptions?.size ?? 0;
  }

  get received(): Map<number, ReceivedState> {
    return (this.#received ??= new Map());
  }

  /** QoS 2 messages without their PUBREL. */
  get receivedCount(): number {
    return this.#received?.size ?? 0;
  }

  /** Of QoS 2 messages of its client that may be stored somewhere, by packet id; for a persistent session. */
  get marks(): Map<number, Mark> {
    return (this.#marks ??= new Map());
  }

  /** Messages that wait for its client, or for its acknowledgement. */
  get load(): number {
    return this.outbound.queued + this.outbound.inFlight;
  }

  mayReceive(topic: string): boolean {
    return this.principal.mayReceive(topic);
  }

  hasRoom(sizeBytes: number): boolean {
    return this.outbound.hasRoom(sizeBytes);
  }

  deliver(message: Message, match: Match<Subscriber>, completion: Completion | undefined): void {
    if (!this.open) return;
    // Retain stays set only where the subscription asked for it [MQTT-3.3.1-12, MQTT-3.3.1-13].
    const retain = match.retainAsPublished && message.retain;
    const taken = this.outbound.send(message, lesser(match.qos, message.qos), retain, match.identifiers);
    if (!taken) completion?.atLeast(ReasonCode.quotaExceeded);
  }

  /** As it is stored. */
  get stored(): StoredSession {
    const { number, clientId, principal, version, expirySec, offlineSinceMs, will } = this;
    return {
      number,
      clientId,
      namespace: principal.sessionNamespace,
      principalId: principal.id,
      version,
      expirySec,
      offlineSinceMs,
      will: will === undefined ? undefined : { packet: willPacket(will), delaySec: will.properties.willDelayIntervalSec ?? 0 },
    };
  }
}

/** Clients of different namespaces may use the same client id. U+0000 cannot stand in either. */
export function sessionKey(principal: { readonly sessionNamespace: string }, clientId: string): string {
  return `${principal.sessionNamespace}\0${clientId}`;
}

export function clientIdOf(key: string): string {
  return key.slice(key.indexOf('\0') + 1);
}
