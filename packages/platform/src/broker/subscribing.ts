import type { SubscribePacket, Subscription, UnsubscribePacket } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Session } from './session.ts';
import { levelsOf } from './topic-levels.ts';

/** What a SUBSCRIBE came to: a code for each of its filters, in their order [MQTT-3.9.3-1], as 5.0 has them. */
export interface Subscribed {
  readonly codes: readonly number[];
  /** The filters whose retained messages are due, once the SUBACK is out. */
  readonly retainedDue: readonly string[];
}

export function subscribe(core: BrokerCore, session: Session, packet: SubscribePacket): Subscribed {
  const codes: number[] = [];
  const retainedDue: string[] = [];
  for (const subscription of packet.subscriptions) {
    const { filter, qos, noLocal, retainAsPublished, retainHandling } = subscription;
    const refusal = refusalOf(core, session, subscription);
    codes.push(refusal ?? qos);
    if (refusal !== undefined) continue;
    const isNew = !session.subscriptions.has(filter);
    const options = { qos, noLocal, retainAsPublished, identifier: packet.subscriptionIdentifier ?? 0 };
    // One that is there already is replaced, without a gap for messages [MQTT-3.8.4-3].
    session.subscriptions.set(filter, options);
    core.subscriptions.set(filter, session, options);
    if (isNew) {
      core.counters.subscriptions++;
      core.bus?.subscribed(filter);
    }
    // Retain handling: 0 always, 1 for a new subscription, 2 never [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11].
    if (retainHandling === 0 || (retainHandling === 1 && isNew)) retainedDue.push(filter);
  }
  return { codes, retainedDue };
}

/** A code for each filter, in their order [MQTT-3.11.3-1]. */
export function unsubscribe(core: BrokerCore, session: Session, packet: UnsubscribePacket): readonly number[] {
  return packet.filters.map((filter) => {
    if (!session.subscriptions.delete(filter)) return ReasonCode.noSubscriptionExisted;
    drop(core, session, filter);
    return ReasonCode.success;
  });
}

/** The session ends. */
export function unsubscribeAll(core: BrokerCore, session: Session): void {
  for (const filter of session.subscriptions.keys()) drop(core, session, filter);
  session.subscriptions.clear();
}

function drop(core: BrokerCore, session: Session, filter: string): void {
  core.subscriptions.delete(filter, session);
  core.retainedDelivery.cancel(session, filter);
  core.counters.subscriptions--;
  core.bus?.unsubscribed(filter);
}

function refusalOf(core: BrokerCore, session: Session, { filter }: Subscription): number | undefined {
  if (filter.startsWith('$share/')) return ReasonCode.sharedSubscriptionsNotSupported;
  if (levelsOf(filter) > core.limits.maxTopicLevels) return ReasonCode.topicFilterInvalid;
  if (!session.principal.maySubscribe(filter)) return ReasonCode.notAuthorized;
  const isNew = !session.subscriptions.has(filter);
  return isNew && session.subscriptions.size >= core.limits.maxSubscriptionsPerClient ? ReasonCode.quotaExceeded : undefined;
}
