import type { SubscribePacket, Subscription } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { parseSharedFilter } from '@selsyn/wire/topics/topic-filter.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Session } from './session.ts';
import { levelsOf } from './topic-levels.ts';
import type { SubscriptionOptions } from './topic-trie.ts';
import { isWide } from './wide-subscriptions.ts';

/** What a SUBSCRIBE came to: a code for each of its filters, in their order [MQTT-3.9.3-1], as 5.0 has them. */
export interface Subscribed {
  readonly codes: number[];
  /** The filters whose retained messages are due, once the SUBACK is out. */
  readonly retainedDue: readonly string[];
  /** The filters that were not there before. */
  readonly added: readonly string[];
  /** Of the last change that was stored. */
  readonly ticket: number;
}

export function subscribe(core: BrokerCore, session: Session, packet: SubscribePacket): Subscribed {
  const codes: number[] = [];
  const retainedDue: string[] = [];
  const added: string[] = [];
  let ticket = 0;
  for (const subscription of packet.subscriptions) {
    const { filter, qos, noLocal, retainAsPublished, retainHandling } = subscription;
    const refusal = refusalOf(core, session, subscription);
    codes.push(refusal ?? qos);
    if (refusal !== undefined) {
      core.watch.denied(session, 'subscribe', filter, refusal);
      continue;
    }
    const isNew = !session.subscriptions.has(filter);
    const options = { qos, noLocal, retainAsPublished, identifier: packet.subscriptionIdentifier ?? 0 };
    addSubscription(core, session, filter, options);
    if (session.isPersistent) ticket = core.store.write({ kind: 'subscribed', session: session.number, filter, options });
    if (isNew) added.push(filter);
    // Retain handling: 0 always, 1 for a new subscription, 2 never [MQTT-3.3.1-9, MQTT-3.3.1-10, MQTT-3.3.1-11].
    // A shared subscription gets no retained messages (5.0, section 4.8.2).
    if (isShared(filter)) continue;
    if (retainHandling === 0 || (retainHandling === 1 && isNew)) retainedDue.push(filter);
  }
  return { codes, retainedDue, added, ticket };
}

/** Adds a subscription, or replaces the one that is there without a gap for messages [MQTT-3.8.4-3]. */
export function addSubscription(core: BrokerCore, session: Session, filter: string, options: SubscriptionOptions): void {
  const isNew = !session.subscriptions.has(filter);
  session.subscriptions.set(filter, options);
  if (isShared(filter)) core.groups.join(filter, session, options);
  else {
    core.subscriptions.set(filter, session, options);
    if (isNew) core.bus?.subscribed(filter);
  }
  if (!isNew) return;
  core.counters.subscriptions++;
  if (isWide(innerOf(filter) ?? '')) core.wide.add(session);
  if (isShared(filter)) core.counters.sharedSubscriptions++;
}

/** @returns a code for each filter, in their order [MQTT-3.11.3-1], and the ticket of the last change that was stored. */
export function unsubscribe(
  core: BrokerCore,
  session: Session,
  filters: readonly string[],
): { readonly codes: readonly number[]; readonly ticket: number } {
  let ticket = 0;
  const codes = filters.map((filter) => {
    if (!session.subscriptions.delete(filter)) return ReasonCode.noSubscriptionExisted;
    drop(core, session, filter);
    if (session.isPersistent) ticket = core.store.write({ kind: 'unsubscribed', session: session.number, filter });
    return ReasonCode.success;
  });
  return { codes, ticket };
}

/** Takes back subscriptions that could not be stored. */
export function revoke(core: BrokerCore, session: Session, filters: readonly string[]): void {
  for (const filter of filters) if (session.subscriptions.delete(filter)) drop(core, session, filter);
}

/** The session ends. */
export function unsubscribeAll(core: BrokerCore, session: Session): void {
  for (const filter of session.subscriptions.keys()) drop(core, session, filter);
  session.subscriptions.clear();
}

function drop(core: BrokerCore, session: Session, filter: string): void {
  core.counters.subscriptions--;
  if (isWide(innerOf(filter) ?? '')) core.wide.remove(session);
  if (isShared(filter)) {
    core.counters.sharedSubscriptions--;
    core.groups.leave(filter, session);
    return;
  }
  core.subscriptions.delete(filter, session);
  core.retained.delivery.cancel(session, filter);
  core.bus?.unsubscribed(filter);
}

function refusalOf(core: BrokerCore, session: Session, { filter }: Subscription): number | undefined {
  const inner = innerOf(filter);
  if (inner === undefined || levelsOf(inner) > core.limits.maxTopicLevels) return ReasonCode.topicFilterInvalid;
  if (!session.principal.maySubscribe(filter)) return ReasonCode.notAuthorized;
  const isNew = !session.subscriptions.has(filter);
  const hasRoom = session.subscriptions.size < core.limits.maxSubscriptionsPerClient && (!isWide(inner) || core.wide.hasRoom);
  return isNew && !hasRoom ? ReasonCode.quotaExceeded : undefined;
}

/** Without its `$share/{group}/`. Undefined for a shared one that is none. */
function innerOf(filter: string): string | undefined {
  return isShared(filter) ? parseSharedFilter(filter)?.filter : filter;
}

function isShared(filter: string): boolean {
  return filter.startsWith('$share/');
}
