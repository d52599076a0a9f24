import type { BrokerCounters } from './counters.ts';
import type { Message } from './message.ts';

/**
 * Counts a message that a session begins (1) or ceases (-1) to keep for its client. Its bytes are there once, however many keep it.
 * @param persistent Whether it is kept in the store too.
 */
export function account(counters: BrokerCounters, message: Message, change: 1 | -1, persistent: boolean): void {
  counters.queued += change;
  if (change === 1) {
    message.own();
    counters.queuedBytes += DELIVERY_BYTES + (message.keepers++ === 0 ? message.sizeBytes : 0);
  } else counters.queuedBytes -= DELIVERY_BYTES + (--message.keepers === 0 ? message.sizeBytes : 0);
  if (!persistent) return;
  message.holders += change;
  // The store forgets what no persistent session keeps.
  if (message.holders === 0) message.storeNumber = 0;
}

/** What keeping a message costs a session besides the message, about. */
const DELIVERY_BYTES = 160;
