import { Audience, type AudienceListener } from './audience.ts';
import type { BrokerCore } from './broker-core.ts';
import { ClientHistory } from './client-history.ts';
import type { CloseReason } from './close-reasons.ts';
import { publishOwn } from './own-message.ts';
import { Presence, type PresenceEvent, type PresentClient } from './presence.ts';
import type { Session } from './session.ts';
import { Takeovers } from './takeovers.ts';
import type { Tracing } from './trace.ts';

/** Hears who is connected. */
export interface PresenceListener {
  /** A connection of this principal was let in (1), or such a one has ended (-1), for this reason. Must not throw, nor wait. */
  presenceChanged(principalId: string, change: 1 | -1, atMs: number, reason?: CloseReason): void;
  /** The connection of a client, as TopicWatcher names it, has ended. Must not throw, nor wait. */
  connectionEnded(client: string, atMs: number): void;
}

/** A connection, as far as others are told of it. */
export interface WatchedConnection {
  readonly remoteAddress: string;
  /** Of {@link ClientWatch.stamp}, taken when it was let in. */
  readonly stamp: number;
}

/** Everything that is told about the clients of one thread: to administrators, to subscribers of events, to traces. */
export class ClientWatch {
  readonly history = new ClientHistory();
  readonly takeovers = new Takeovers();
  /** Undefined while nobody traces, so that each hook costs a comparison. */
  tracing: Tracing | undefined;
  readonly #core: BrokerCore;
  readonly #presence: Presence;
  readonly #listener: PresenceListener | undefined;
  readonly #audiences: readonly Audience[];
  #lastStamp = 0;

  constructor(core: BrokerCore, listener?: PresenceListener, audiences: readonly AudienceListener[] = []) {
    this.#core = core;
    this.#listener = listener;
    this.#audiences = audiences.map((audience) => new Audience(audience));
    this.#presence = new Presence({
      isWanted: (topic) => core.subscriptions.isWanted(topic),
      publish: (event) => this.#publish(event),
    });
  }

  /** Numbers a connection: larger than any before in this thread, and, unless the clock was set back, in earlier runs. */
  stamp(): number {
    this.#lastStamp = Math.max(this.#core.clock.now() * STAMPS_PER_MS, this.#lastStamp + 1);
    return this.#lastStamp;
  }

  opened(session: Session, connection: WatchedConnection): void {
    const atMs = this.#core.clock.now();
    this.#listener?.presenceChanged(session.principal.id, 1, atMs);
    this.#presence.connected(this.#presentOf(session, connection), atMs);
    for (const audience of this.#audiences) audience.resumed(session);
  }

  /** @param code what the client was told, where it can be told. */
  closed(session: Session, connection: WatchedConnection, reason: CloseReason, code: number | undefined): void {
    const atMs = this.#core.clock.now();
    this.history.closed(session, { reason, code, atMs });
    this.tracing?.closed(session, reason);
    if (reason === 'taken-over') this.takeovers.add(session, atMs);
    // One that was never open did not come either.
    if (connection.stamp === 0) return;
    this.#listener?.presenceChanged(session.principal.id, -1, atMs, reason);
    this.#listener?.connectionEnded(session.key, atMs);
    this.#presence.disconnected(this.#presentOf(session, connection), reason, atMs);
    for (const audience of this.#audiences) audience.left(session);
  }

  /** @param reason for the operator */
  refused(clientId: string, reason: string, code: number): void {
    this.history.refused(clientId, reason, code, this.#core.clock.now());
  }

  denied(session: Session, action: 'publish' | 'subscribe', subject: string, code: number): void {
    this.history.denied(session, action, subject, code, this.#core.clock.now());
  }

  subscribed(session: Session, connection: WatchedConnection, filters: readonly string[]): void {
    this.#presence.subscribed(this.#presentOf(session, connection), filters, this.#core.clock.now());
    for (const audience of this.#audiences) audience.subscribed(session, filters);
  }

  unsubscribed(session: Session, connection: WatchedConnection, filters: readonly string[]): void {
    this.#presence.unsubscribed(this.#presentOf(session, connection), filters, this.#core.clock.now());
    for (const audience of this.#audiences) audience.unsubscribed(session, filters);
  }

  #presentOf({ clientId, principal }: Session, { remoteAddress, stamp }: WatchedConnection): PresentClient {
    return { clientId, principalId: principal.id, ipAddress: remoteAddress, thread: this.#core.bus?.self ?? 0, stamp };
  }

  #publish({ topic, payload }: PresenceEvent): void {
    publishOwn(this.#core, { topic, payload, qos: 1, retain: false }).catch((error: unknown) => {
      this.#core.logLines.error({ err: error, topic }, 'an event could not be published');
    });
  }
}

/** When a connection with this stamp was let in, wall time, ms. */
export function stampedAtMs(stamp: number): number {
  return Math.floor(stamp / STAMPS_PER_MS);
}

/** Room for as many connections in a millisecond without running ahead of the clock. */
const STAMPS_PER_MS = 1_000;
