import type { SharedStrategy } from './share-group.ts';

/** Every bound of the broker. Sizes in bytes, times in ms unless the name says otherwise. */
export interface BrokerLimits {
  /** Clients of this thread; one more is answered with Server busy, unless it takes over a session that has a client. */
  readonly maxConnections: number;
  /** Sessions with and without a client; a CONNECT that would make one more is refused with Quota exceeded. */
  readonly maxSessions: number;
  readonly maxPacketBytes: number;
  readonly maxWillBytes: number;
  readonly maxTopicLevels: number;
  readonly maxSubscriptionsPerClient: number;
  /** Subscriptions to everybody's messages (`#`, `+/#`, …), of all clients together. */
  readonly maxWideSubscriptions: number;
  /** How long the full queue of a persistent session with such a subscription may have publishers refused, before the session ends. */
  readonly wideFullMs: number;
  /** QoS 1 and 2 messages that a 5.0 client may have unacknowledged towards the broker. */
  readonly receiveMaximum: number;
  /** Highest topic alias that a client may use. */
  readonly topicAliasMaximum: number;
  /** QoS 1 and 2 messages unacknowledged by a client; a smaller receive maximum of the client counts. */
  readonly maxInFlight: number;
  /**
   * QoS 1 and 2 messages that one subscriber may have waiting for its window, its socket or its return; one more ends a session that
   * ends with its connection, and is refused to its publisher by one that does not. Common clients have a window of 20, and
   * publishers of more in flight fill the queue as fast as they send: it must hold a burst.
   */
  readonly maxQueuedMessages: number;
  /** Should be several times `maxPacketBytes`. */
  readonly maxQueuedBytes: number;
  /**
   * What one subscriber's socket may have waiting; above it QoS 0 is dropped. Each byte of it is that subscriber's own. A client
   * that lets its answers come to much more is not read until it has read some.
   */
  readonly maxBacklogBytes: number;
  readonly maxRetainedMessages: number;
  readonly maxRetainedBytes: number;
  /** Longest keep-alive in s; 0 leaves the choice to the client. Only a 5.0 client can be told another than it asked for. */
  readonly keepAliveMaxSec: number;
  /** Longest time that a session is kept after its connection, s; 0: none outlives it. */
  readonly sessionExpiryMaxSec: number;
  /** Bytes of waiting messages of all sessions together, at which no more is queued; QoS 0 is shed before. */
  readonly maxMemoryBytes: number;
  /** CONNECT packets let in a second, with a burst of as many; 0: no bound. */
  readonly acceptPerSec: number;
  /** PUBLISH packets and bytes a second of one client, which is read more slowly when it is faster; 0: no bound. */
  readonly maxMessagesPerSec: number;
  readonly maxBytesPerSec: number;
  readonly sharedStrategy: SharedStrategy;
  /** Where 5.0 clients are sent when this server is full or stops; '': nowhere. */
  readonly serverReference: string;
  /** A connection whose CONNECT has not come in, or has not been decided, by then is closed. */
  readonly connectDeadlineMs: number;
  /** A packet that has begun to come in has so long, and a millisecond for each byte that came. */
  readonly packetDeadlineMs: number;
  /** A client that reads nothing of what it was answered, while that is over the bound, is closed after this and a time for each byte. */
  readonly unreadDeadlineMs: number;
  /** A connection that was told to go is destroyed after this. */
  readonly closeGraceMs: number;
  /** Acknowledgements that may wait for the intake, of all connections together. */
  readonly maxWaitingAcks: number;
  /** Topic names that are kept interned. */
  readonly topicCacheSize: number;
}

export const DEFAULT_LIMITS: BrokerLimits = {
  maxConnections: 100_000,
  maxSessions: 1_000_000,
  maxPacketBytes: 1_048_576,
  maxWillBytes: 65_536,
  maxTopicLevels: 32,
  maxSubscriptionsPerClient: 1_000,
  maxWideSubscriptions: 1_000,
  wideFullMs: 60_000,
  receiveMaximum: 1_024,
  topicAliasMaximum: 32,
  maxInFlight: 4_096,
  maxQueuedMessages: 10_000,
  maxQueuedBytes: 8_388_608,
  maxBacklogBytes: 1_048_576,
  maxRetainedMessages: 1_000_000,
  maxRetainedBytes: 268_435_456,
  keepAliveMaxSec: 0,
  sessionExpiryMaxSec: 604_800,
  maxMemoryBytes: 1_073_741_824,
  acceptPerSec: 0,
  maxMessagesPerSec: 0,
  maxBytesPerSec: 0,
  sharedStrategy: 'round-robin',
  serverReference: '',
  connectDeadlineMs: 10_000,
  packetDeadlineMs: 60_000,
  unreadDeadlineMs: 60_000,
  closeGraceMs: 2_000,
  maxWaitingAcks: 1_048_576,
  topicCacheSize: 200_000,
};
