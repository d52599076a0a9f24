import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import type { CloseReason } from './close-reasons.ts';

/** A client that came or went, as far as others may know. */
export interface PresentClient {
  readonly clientId: string;
  readonly principalId: string;
  readonly ipAddress: string;
  /** The thread it is in, which numbers its connections: a later one has a larger stamp. */
  readonly thread: number;
  readonly stamp: number;
}

export interface PresenceEvent {
  readonly topic: string;
  /** JSON, as AWS IoT Core documents it for its lifecycle events. */
  readonly payload: Uint8Array;
}

/** Brings an event to whoever subscribes, in all threads. */
export interface PresencePublisher {
  /** Whether anybody subscribes to the topic: one look-up, so that an event nobody wants is never made. */
  isWanted(topic: string): boolean;
  publish(event: PresenceEvent): void;
}

/**
 * Tells who comes, goes, subscribes and unsubscribes, on the topics and in the words of AWS IoT Core:
 *
 * ```
 *   $aws/events/presence/connected/{clientId}            $aws/events/subscriptions/subscribed/{clientId}
 *   $aws/events/presence/disconnected/{clientId}         $aws/events/subscriptions/unsubscribed/{clientId}
 * ```
 * Client ids with a wildcard in them, and those that are too long, cannot stand in a topic: they have no events there, and none here.
 */
export class Presence {
  readonly #publisher: PresencePublisher;

  constructor(publisher: PresencePublisher) {
    this.#publisher = publisher;
  }

  connected(client: PresentClient, atMs: number): void {
    const topic = this.#wanted('presence/connected', client.clientId);
    if (topic === undefined) return;
    const { ipAddress, stamp } = client;
    this.#publish(topic, { ...eventOf(client, 'connected', atMs), ipAddress, versionNumber: stamp });
  }

  disconnected(client: PresentClient, reason: CloseReason, atMs: number): void {
    const topic = this.#wanted('presence/disconnected', client.clientId);
    if (topic === undefined) return;
    const disconnectReason = DISCONNECT_REASONS[reason];
    this.#publish(topic, {
      ...eventOf(client, 'disconnected', atMs),
      clientInitiatedDisconnect: disconnectReason === 'CLIENT_INITIATED_DISCONNECT',
      disconnectReason,
      ipAddress: client.ipAddress,
      versionNumber: client.stamp,
    });
  }

  subscribed(client: PresentClient, filters: readonly string[], atMs: number): void {
    this.#subscriptionsChanged('subscribed', client, filters, atMs);
  }

  unsubscribed(client: PresentClient, filters: readonly string[], atMs: number): void {
    this.#subscriptionsChanged('unsubscribed', client, filters, atMs);
  }

  #subscriptionsChanged(
    kind: 'subscribed' | 'unsubscribed',
    client: PresentClient,
    filters: readonly string[],
    atMs: number,
  ): void {
    if (filters.length === 0) return;
    const topic = this.#wanted(`subscriptions/${kind}`, client.clientId);
    if (topic !== undefined) this.#publish(topic, { ...eventOf(client, kind, atMs), topics: filters });
  }

  #wanted(kind: string, clientId: string): string | undefined {
    const topic = `$aws/events/${kind}/${clientId}`;
    return isValidTopicName(topic) && this.#publisher.isWanted(topic) ? topic : undefined;
  }

  #publish(topic: string, event: object): void {
    this.#publisher.publish({ topic, payload: new TextEncoder().encode(JSON.stringify(event)) });
  }
}

function eventOf(client: PresentClient, eventType: string, timestamp: number): object {
  const { clientId, principalId, stamp, thread } = client;
  const sessionIdentifier = `${stamp.toString(36)}-${thread}`;
  return { clientId, timestamp, eventType, sessionIdentifier, principalIdentifier: principalId };
}

/** The words of AWS IoT Core, "Lifecycle events", table of disconnect reasons. */
type DisconnectReason =
  | 'AUTH_ERROR'
  | 'CLIENT_INITIATED_DISCONNECT'
  | 'CLIENT_ERROR'
  | 'CONNECTION_LOST'
  | 'DUPLICATE_CLIENTID'
  | 'MQTT_KEEP_ALIVE_TIMEOUT'
  | 'SERVER_ERROR'
  | 'SERVER_INITIATED_DISCONNECT'
  | 'API_INITIATED_DISCONNECT'
  | 'THROTTLED';

export const DISCONNECT_REASONS: Readonly<Record<CloseReason, DisconnectReason>> = {
  'client-disconnect': 'CLIENT_INITIATED_DISCONNECT',
  'client-disconnect-with-will': 'CLIENT_INITIATED_DISCONNECT',
  'connection-lost': 'CONNECTION_LOST',
  'taken-over': 'DUPLICATE_CLIENTID',
  'keep-alive': 'MQTT_KEEP_ALIVE_TIMEOUT',
  malformed: 'CLIENT_ERROR',
  'protocol-error': 'CLIENT_ERROR',
  'packet-too-large': 'CLIENT_ERROR',
  'receive-maximum': 'CLIENT_ERROR',
  'topic-alias': 'CLIENT_ERROR',
  'topic-invalid': 'CLIENT_ERROR',
  'not-authorized': 'AUTH_ERROR',
  'slow-subscriber': 'THROTTLED',
  'not-reading': 'THROTTLED',
  'packet-too-slow': 'CLIENT_ERROR',
  'no-room': 'THROTTLED',
  'payload-invalid': 'CLIENT_ERROR',
  'reauthentication-failed': 'AUTH_ERROR',
  'access-withdrawn': 'AUTH_ERROR',
  'log-failed': 'SERVER_ERROR',
  administrative: 'API_INITIATED_DISCONNECT',
  'server-shutdown': 'SERVER_INITIATED_DISCONNECT',
  internal: 'SERVER_ERROR',
};
