import type { Message } from './message.ts';
import type { Session } from './session.ts';

/** A shared group, as far as a delivery knows where it came from. */
export interface DeliverySource {
  /** `$share/{group}/{filter}` */
  readonly name: string;
  /** Gives its message to another member. `done` hears once whether there is one that has it, as durably as that one keeps it. */
  redeliver(delivery: Delivery, from: Session, done: (taken: boolean) => void): void;
}

/** A QoS 1 or 2 message that one session has still to be sent, or whose client has still to acknowledge it. */
export interface Delivery {
  readonly message: Message;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  readonly identifiers: readonly number[] | undefined;
  /** Of a shared group; undefined for an ordinary subscription. */
  readonly share: DeliverySource | undefined;
  /** Fixed from the start where the session is persistent; else 0 until it is sent. */
  packetId: number;
  /** Of the change that stored it; 0 where it is not stored. */
  ticket: number;
  /** It may have reached the client: sent again, it is marked as a duplicate [MQTT-3.3.1-1]. */
  sent: boolean;
  /** Another member of the group is being found for it: it is kept until that one has it, but not sent. */
  leaving?: boolean;
  /** It is for the connection that there is, and no other, and never kept: called when its client acknowledges it. */
  readonly once?: () => void;
}

/**
 * Whether it goes when its life is over [MQTT-3.3.2-5]. What was sent keeps its right to arrive; of what an earlier run of the server
 * had (it has no ticket) nobody knows, and at QoS 2 the client may wait for it.
 */
export function mayExpire({ qos, sent, ticket }: Delivery): boolean {
  return !sent || (qos === 1 && ticket === 0);
}
