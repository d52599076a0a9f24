import { CodeCounters } from './code-counters.ts';
import { CLOSE_REASONS, type CloseReason } from './close-reasons.ts';

/** Why a message did not reach one subscriber, or was not taken from a publisher. */
export const DROP_REASONS = [
  'slow-subscriber',
  'queue-full',
  'session-ended',
  'too-large-for-client',
  'expired',
  'not-authorized',
  'retained-full',
  'payload-invalid',
  'log-rejected',
  'bus-full',
  'no-member',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** What the broker counts: plain fields, read when the metrics are asked for. Message counts are PUBLISH packets by QoS. */
export class BrokerCounters {
  connections = 0;
  /** With a client. */
  sessions = 0;
  offlineSessions = 0;
  expiredSessions = 0;
  accepted = 0;
  refused = 0;
  connectTimeouts = 0;
  received0 = 0;
  received1 = 0;
  received2 = 0;
  sent0 = 0;
  sent1 = 0;
  sent2 = 0;
  /** Packets of any type. */
  packetsReceived = 0;
  packetsSent = 0;
  /** Of PUBLISH packets. */
  payloadBytesReceived = 0;
  payloadBytesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  subscriptions = 0;
  /** Those of them that are shared. */
  sharedSubscriptions = 0;
  queued = 0;
  queuedBytes = 0;
  /** What sockets have not taken, as of the last sweep. */
  backlogBytes = 0;
  /** Of packets whose rest has not come, as of the last sweep. */
  partialBytes = 0;
  readingPauses = 0;
  /** Sessions that ended because their queue of everybody's messages stayed full. */
  wideSessionsEnded = 0;
  readonly codes = new CodeCounters();
  readonly closed = zeroes(Object.keys(CLOSE_REASONS) as CloseReason[]);
  readonly dropped = zeroes(DROP_REASONS);
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
