import type { BrokerCore } from './broker-core.ts';
import type { Message } from './message.ts';
import type { PublishSender } from './publish-sender.ts';

/**
 * Sends a message at QoS 0, or drops it where the socket has too much waiting.
 * @returns false where it is not sent.
 */
export function sendNow(
  { limits, memory, counters }: BrokerCore,
  sender: PublishSender,
  message: Message,
  retain: boolean,
  identifiers: readonly number[] | undefined,
): boolean {
  const { backlogBytes, congested } = sender.outgoing;
  if (backlogBytes > limits.maxBacklogBytes || (memory.shedsQos0 && congested)) {
    counters.dropped['slow-subscriber']++;
    return false;
  }
  const encoded = sender.encode(message, 0, retain, identifiers);
  if (encoded === undefined) return false;
  sender.put(encoded, 0, 0, false);
  return true;
}
