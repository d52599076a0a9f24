import type { PublishProperties, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards } from './completion.ts';
import { Message } from './message.ts';

/** A message that no client sent. */
export interface OwnMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: PublishProperties | undefined;
}

/** Publishes a message of the platform itself, by the same rules as a client's; see Broker.publish. */
export async function publishOwn(core: BrokerCore, own: OwnMessage): Promise<number> {
  const name = new TextEncoder().encode(own.topic);
  const topic = core.topics.intern(name, 0, name.length);
  const message = new Message(topic, own.payload, own, own.properties, core.clock.monotonicMs());
  const matches = core.subscriptions.match(topic);
  return await new Promise((resolve) => {
    const completion = new Afterwards(resolve);
    if (matches.list.length === 0) completion.atLeast(ReasonCode.noMatchingSubscribers);
    if (!core.haveRoom(matches, message)) completion.atLeast(ReasonCode.quotaExceeded);
    else {
      if (own.retain && !core.retained.publish(message, completion)) completion.atLeast(ReasonCode.quotaExceeded);
      core.deliver(message, matches, completion);
    }
    completion.started();
  });
}
