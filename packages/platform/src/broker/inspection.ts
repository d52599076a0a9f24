import type { ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import type { CloseReason } from './close-reasons.ts';
import type { Door } from './transport.ts';

/** Orders clients, and tells those apart that use the same client id. */
export interface ClientPlace {
  readonly clientId: string;
  /** Principal.sessionNamespace. */
  readonly namespace: string;
}

/** One client, connected or not, in a line. Times are wall times, ms. */
export interface ClientSummary extends ClientPlace {
  /** '' for one that was never let in. */
  readonly principalId: string;
  readonly connected: boolean;
  /** Undefined where it is only remembered. */
  readonly version: ProtocolVersion | undefined;
  readonly door: Door | undefined;
  readonly remoteAddress: string | undefined;
  /** Since when it has been connected, or not. Undefined where that was before the server started. */
  readonly sinceMs: number | undefined;
  /** Whether there is a session that outlives its connection. A client without session or connection is only remembered. */
  readonly persistent: boolean;
  readonly subscriptions: number;
  /** Messages that wait for its window, its socket or its return. */
  readonly queuedMessages: number;
  readonly inFlight: number;
  readonly lastClose: ClientClose | undefined;
}

export interface ClientClose {
  readonly reason: CloseReason;
  /** The reason code that it was, or would have been, told. */
  readonly code: number | undefined;
  readonly atMs: number;
}

/** What a client asked for and was refused; the same again only counts. */
export interface ClientDenial {
  readonly action: 'connect' | 'publish' | 'subscribe';
  /** The topic, the filter, or for `connect` why. */
  readonly subject: string;
  readonly code: number;
  readonly count: number;
  readonly lastAtMs: number;
}

export interface ClientDetail extends ClientSummary {
  readonly keepAliveSec: number;
  readonly sessionExpirySec: number;
  readonly receiveMaximum: number;
  readonly queuedBytes: number;
  readonly willTopic: string | undefined;
  readonly filters: readonly { readonly filter: string; readonly qos: QoS }[];
  /** PUBLISH packets of this connection. */
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Since the session began. */
  readonly messagesDropped: number;
  /** The newest last; a few of each. */
  readonly closes: readonly ClientClose[];
  readonly denials: readonly ClientDenial[];
}

export interface ClientListQuery {
  readonly prefix: string;
  /** `offline`: every one that is not connected. */
  readonly state: 'connected' | 'offline' | undefined;
  /** Only those behind this place. */
  readonly after: ClientPlace | undefined;
  readonly limit: number;
}

/** What one thread knows. */
export interface ClientList {
  /** By client id, then by namespace. */
  readonly clients: readonly ClientSummary[];
  /** All of this thread, whatever was asked for: connected ones, and sessions that wait for their clients. */
  readonly connected: number;
  readonly offline: number;
}

/** What one thread knows of a client that may now be in another. */
export interface ClientRecall {
  readonly connected: boolean;
  readonly lastClose: ClientClose | undefined;
}

/** A client id whose connections were taken over again and again, the pauses between shorter than a day. */
export interface ClientTakeovers {
  readonly clientId: string;
  readonly principalId: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** A connection whose client showed a certificate. */
export interface CredentialUse {
  readonly credentialId: string;
  readonly principalId: string;
  readonly clientId: string;
  readonly remoteAddress: string;
}

/** What is known of a connection that is open. */
export interface ConnectionFacts {
  readonly door: Door;
  readonly remoteAddress: string;
  /** Wall time at which it was let in, ms. */
  readonly openedAtMs: number;
  readonly keepAliveSec: number;
  readonly receiveMaximum: number;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly messagesDropped: number;
}
