import type { RememberedClient } from './client-history.ts';
import type { ClientWatch } from './client-watch.ts';
import { firstClients } from './client-order.ts';
import type { BrokerCounters } from './counters.ts';
import type {
  ClientDetail,
  ClientList,
  ClientListQuery,
  ClientPlace,
  ClientRecall,
  ClientSummary,
  ClientTakeovers,
  ConnectionFacts,
  CredentialUse,
} from './inspection.ts';
import { type Session, sessionKey } from './session.ts';
import type { Sessions } from './sessions.ts';

/** A place, and who stands there: a session, or what is remembered of a client that has none. */
interface Candidate extends ClientPlace {
  readonly session: Session | undefined;
}

/** Answers what administrators ask about the clients of one thread. Nothing here is on the way of a message. */
export class ClientInspector {
  readonly #sessions: Sessions;
  readonly #watch: ClientWatch;
  readonly #counters: BrokerCounters;

  constructor(options: { readonly sessions: Sessions; readonly watch: ClientWatch; readonly counters: BrokerCounters }) {
    this.#sessions = options.sessions;
    this.#watch = options.watch;
    this.#counters = options.counters;
  }

  /** O(clients of this thread). */
  list(query: ClientListQuery): ClientList {
    const clients = firstClients(this.#candidates(query), query).map(({ session, clientId, namespace }) =>
      session === undefined ? this.#summaryOfGone(keyOf({ clientId, namespace })) : this.#summaryOf(session),
    );
    return {
      clients: clients.filter((client) => client !== undefined),
      connected: this.#counters.sessions,
      offline: this.#counters.offlineSessions,
    };
  }

  /** Clients whose id more than one connection fights for, as far as it can be told by how often they were taken over. */
  takenOver(atLeast: number, nowMs: number): readonly ClientTakeovers[] {
    return this.#watch.takeovers.atLeast(atLeast, nowMs);
  }

  /** Of every connection whose client showed a certificate. O(clients of this thread). */
  credentialUses(): readonly CredentialUse[] {
    const uses: CredentialUse[] = [];
    for (const { connection, principal, clientId } of this.#sessions.values()) {
      const { credentialId, id: principalId } = principal;
      if (connection !== undefined && credentialId !== undefined)
        uses.push({ credentialId, principalId, clientId, remoteAddress: connection.remoteAddress });
    }
    return uses;
  }

  recall(places: readonly ClientPlace[]): ClientRecall[] {
    return places.map((place) => {
      const key = keyOf(place);
      const connected = this.#sessions.get(key)?.connection !== undefined;
      return { connected, lastClose: this.#watch.history.lastClose(key) };
    });
  }

  /** All clients with this id, whatever their namespace, at most {@link MAX_OF_ONE_ID}. O(clients of this thread). */
  find(clientId: string): ClientDetail[] {
    const found = [...this.#withId(clientId)].slice(0, MAX_OF_ONE_ID).map((key) => {
      const session = this.#sessions.get(key);
      return session === undefined ? this.#detailOfGone(this.#watch.history.of(key)) : this.#detailOf(session);
    });
    const stranger = this.#detailOfGone(this.#watch.history.stranger(clientId));
    return [...found, stranger].filter((detail) => detail !== undefined);
  }

  /**
   * Closes what clients with this id have open, and ends their sessions if asked.
   * @param principals only those who signed in as one of these; undefined: all.
   * @param withWill false: their last wills are not published.
   * @returns how many were closed or ended.
   */
  disconnect(clientId: string, discard: boolean, principals?: readonly string[], withWill = true): number {
    let count = 0;
    for (const key of this.#withId(clientId)) {
      const session = this.#sessions.get(key);
      if (session === undefined || (session.connection === undefined && !discard)) continue;
      if (principals !== undefined && !principals.includes(session.principal.id)) continue;
      count++;
      if (!withWill) session.will = undefined;
      session.connection?.close('administrative');
      if (discard) this.#sessions.end(session);
    }
    return count;
  }

  *#candidates({ prefix, state }: ClientListQuery): Generator<Candidate> {
    for (const session of this.#sessions.values()) {
      const { clientId, principal, connection } = session;
      if (!clientId.startsWith(prefix) || (state !== undefined && (connection !== undefined) !== (state === 'connected')))
        continue;
      yield { clientId, namespace: principal.sessionNamespace, session };
    }
    if (state === 'connected') return;
    for (const key of this.#watch.history.keys()) {
      if (this.#sessions.get(key) !== undefined) continue;
      const place = placeOf(key);
      if (place.clientId.startsWith(prefix)) yield { ...place, session: undefined };
    }
  }

  /** The keys of all that are there or remembered, each once. A copy: what is done with them may change both. */
  #withId(clientId: string): Set<string> {
    const keys = new Set<string>();
    for (const session of this.#sessions.values()) if (session.clientId === clientId) keys.add(session.key);
    for (const key of this.#watch.history.keys()) if (placeOf(key).clientId === clientId) keys.add(key);
    return keys;
  }

  #summaryOf(session: Session): ClientSummary {
    const { clientId, principal, version, connection, outbound, isPersistent, offlineSinceMs } = session;
    const facts = connection?.facts;
    return {
      clientId,
      namespace: principal.sessionNamespace,
      principalId: principal.id,
      connected: facts !== undefined,
      version,
      door: facts?.door,
      remoteAddress: facts?.remoteAddress,
      sinceMs: facts?.openedAtMs ?? offlineSinceMs,
      persistent: isPersistent,
      subscriptions: session.subscriptionCount,
      queuedMessages: outbound.queued,
      inFlight: facts === undefined ? 0 : outbound.inFlight,
      lastClose: this.#watch.history.lastClose(session.key),
    };
  }

  #detailOf(session: Session): ClientDetail {
    const facts = session.connection?.facts ?? NO_CONNECTION;
    const remembered = this.#watch.history.of(session.key);
    return {
      ...this.#summaryOf(session),
      keepAliveSec: facts.keepAliveSec,
      sessionExpirySec: session.expirySec,
      receiveMaximum: facts.receiveMaximum,
      queuedBytes: session.outbound.bytes,
      willTopic: session.will?.topic,
      filters: [...session.subscriptions].map(([filter, { qos }]) => ({ filter, qos })),
      messagesReceived: facts.messagesReceived,
      messagesSent: facts.messagesSent,
      messagesDropped: facts.messagesDropped,
      closes: remembered?.closes ?? [],
      denials: remembered?.denials ?? [],
    };
  }

  #summaryOfGone(key: string): ClientSummary | undefined {
    return this.#detailOfGone(this.#watch.history.of(key));
  }

  #detailOfGone(remembered: RememberedClient | undefined): ClientDetail | undefined {
    if (remembered === undefined) return undefined;
    const lastClose = remembered.closes.at(-1);
    return { ...NOTHING, ...remembered, lastClose, sinceMs: lastClose?.atMs };
  }
}

/** Devices that use the same client id and are shown. */
const MAX_OF_ONE_ID = 100;

const NO_CONNECTION: Omit<ConnectionFacts, 'door' | 'remoteAddress' | 'openedAtMs'> = {
  keepAliveSec: 0,
  receiveMaximum: 0,
  messagesReceived: 0,
  messagesSent: 0,
  messagesDropped: 0,
};

const NOTHING = {
  ...NO_CONNECTION,
  connected: false,
  version: undefined,
  door: undefined,
  remoteAddress: undefined,
  persistent: false,
  subscriptions: 0,
  queuedMessages: 0,
  inFlight: 0,
  sessionExpirySec: 0,
  queuedBytes: 0,
  willTopic: undefined,
  filters: [],
} as const;

function keyOf({ clientId, namespace }: ClientPlace): string {
  return sessionKey({ sessionNamespace: namespace }, clientId);
}

/** The inverse of `sessionKey`. */
function placeOf(key: string): ClientPlace {
  const end = key.indexOf('\0');
  return { namespace: key.slice(0, end), clientId: key.slice(end + 1) };
}
