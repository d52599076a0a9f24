import type { Principal } from './authorizer.ts';
import type { Session } from './session.ts';

/** A client that is connected, with subscriptions that somebody wants to hear of. */
export interface Listener {
  /** As {@link ClientRequest.client}. */
  readonly client: string;
  readonly clientId: string;
  readonly principal: Principal;
  /** Those of its filters that are wanted and that it has made now, or came back to. */
  readonly filters: readonly string[];
  /** It came back to a session that had them. */
  readonly resumed: boolean;
}

/** Wants to hear who listens to some topics. */
export interface AudienceListener {
  /** Whether a subscription with this filter is to be heard of. Cheap: it is asked for each. */
  wants(filter: string): boolean;
  /** Called once the client has its SUBACK or CONNACK. Must not throw, nor wait. */
  listening(listener: Listener): void;
  /** One of those has gone, or has no such subscription any more. Must not throw, nor wait. */
  gone(client: string): void;
}

/** Tells a listener which connected clients of one thread subscribe to what it wants. */
export class Audience {
  readonly #listener: AudienceListener;
  /** Sessions that it was told of and that are connected. */
  readonly #told = new Set<Session>();

  constructor(listener: AudienceListener) {
    this.#listener = listener;
  }

  subscribed(session: Session, filters: readonly string[]): void {
    this.#tell(session, filters, false);
  }

  /** Its client came back to a session of before. */
  resumed(session: Session): void {
    if (session.subscriptionCount > 0) this.#tell(session, [...session.subscriptions.keys()], true);
  }

  /** They are not there any more: it unsubscribed, or may not have them now. */
  unsubscribed(session: Session, filters: readonly string[]): void {
    const listener = this.#listener;
    if (!this.#told.has(session)) return;
    const wants = (filter: string): boolean => listener.wants(filter);
    if (filters.some(wants) && ![...session.subscriptions.keys()].some(wants)) this.left(session);
  }

  left(session: Session): void {
    if (this.#told.delete(session)) this.#listener.gone(session.key);
  }

  #tell(session: Session, filters: readonly string[], resumed: boolean): void {
    const listener = this.#listener;
    const wanted = filters.filter((filter) => listener.wants(filter));
    if (wanted.length === 0) return;
    this.#told.add(session);
    const { key: client, clientId, principal } = session;
    listener.listening({ client, clientId, principal, filters: wanted, resumed });
  }
}
