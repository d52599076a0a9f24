import { CLOSE_REASONS, type CloseReason } from './close-reasons.ts';

/** Why a message did not reach one subscriber, or was not taken from a publisher. */
export const DROP_REASONS = [
  'slow-subscriber',
  'session-ended',
  'too-large-for-client',
  'expired',
  'not-authorized',
  'retained-full',
  'log-rejected',
  'bus-full',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** What the broker counts: plain fields, read when the metrics are asked for. Message counts are PUBLISH packets by QoS. */
export class BrokerCounters {
  connections = 0;
  sessions = 0;
  accepted = 0;
  refused = 0;
  connectTimeouts = 0;
  received0 = 0;
  received1 = 0;
  received2 = 0;
  sent0 = 0;
  sent1 = 0;
  sent2 = 0;
  bytesReceived = 0;
  bytesSent = 0;
  subscriptions = 0;
  queued = 0;
  queuedBytes = 0;
  readingPauses = 0;
  readonly closed = zeroes(Object.keys(CLOSE_REASONS) as CloseReason[]);
  readonly dropped = zeroes(DROP_REASONS);
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
