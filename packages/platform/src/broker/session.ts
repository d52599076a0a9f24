import type { ProtocolVersion, Will } from '@selsyn/wire/mqtt/packets.ts';
import type { Principal } from './authorizer.ts';
import type { CloseReason } from './close-reasons.ts';
import type { Message } from './message.ts';
import type { Outbound } from './outbound.ts';
import type { RetainedJobs } from './retained-delivery.ts';
import type { Subscriber } from './subscriber.ts';
import type { Match, SubscriptionOptions } from './topic-trie.ts';

/** The connection of a session, as far as others may act on it. */
export interface SessionConnection {
  close(reason: CloseReason): void;
}

/**
 * What the broker knows of one client id of one namespace: its subscriptions, its will, and what it has still to be sent.
 * A session lives as long as its connection.
 */
export class Session implements Subscriber {
  readonly remote = false;
  readonly key: string;
  readonly clientId: string;
  readonly principal: Principal;
  readonly version: ProtocolVersion;
  readonly connection: SessionConnection;
  readonly outbound: Outbound;
  /** Made when first asked for: most devices only publish. */
  #subscriptions: Map<string, SubscriptionOptions> | undefined;
  /** Published when the session ends in any way other than DISCONNECT 0x00. */
  will: Will | undefined;
  /** Orders it among the sessions of the same key in all threads: a larger stamp is the newer one. */
  stamp = 0;
  /** False once it has ended: it gets and sends nothing any more. */
  open = true;
  /** What is still to be sent of what was retained. */
  readonly retained: RetainedJobs = { jobs: undefined, queued: false };

  constructor(options: {
    readonly clientId: string;
    readonly principal: Principal;
    readonly version: ProtocolVersion;
    readonly connection: SessionConnection;
    readonly outbound: Outbound;
    readonly will: Will | undefined;
  }) {
    this.clientId = options.clientId;
    this.principal = options.principal;
    this.key = sessionKey(options.principal, options.clientId);
    this.version = options.version;
    this.connection = options.connection;
    this.outbound = options.outbound;
    this.will = options.will;
  }

  /** By filter. */
  get subscriptions(): Map<string, SubscriptionOptions> {
    return (this.#subscriptions ??= new Map());
  }

  deliver(message: Message, match: Match<Subscriber>): void {
    if (!this.open) return;
    const qos = match.qos < message.qos ? match.qos : message.qos;
    // Retain stays set only where the subscription asked for it [MQTT-3.3.1-12, MQTT-3.3.1-13].
    this.outbound.send(message, qos, match.retainAsPublished && message.retain, match.identifiers);
  }
}

/** Clients of different namespaces may use the same client id. U+0000 cannot stand in either. */
export function sessionKey(principal: Principal, clientId: string): string {
  return `${principal.sessionNamespace}\0${clientId}`;
}
