import type { PublishProperties, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import type { BrokerCore } from './broker-core.ts';
import { Afterwards, type Completion } from './completion.ts';
import { Message } from './message.ts';
import type { Session } from './session.ts';

/** A message that no client sent. */
export interface OwnMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: PublishProperties | undefined;
}

/** Publishes a message of the platform itself; see Broker.publish. */
export async function publishOwn(core: BrokerCore, own: OwnMessage): Promise<number> {
  if (!isSendable(core, own)) return ReasonCode.topicNameInvalid;
  return await new Promise((resolve) => {
    const completion = new Afterwards(resolve);
    deliverOwn(core, messageOf(core, own), completion);
    completion.started();
  });
}

/** See Broker.announce. */
export function announceOwn(core: BrokerCore, own: OwnMessage): void {
  if (isSendable(core, own)) deliverOwn(core, messageOf(core, own), undefined);
}

/** For somebody who hears what came of it and may publish it again: as a client's, nobody gets it while one has no room for it. */
export function offerOwn(core: BrokerCore, own: OwnMessage, completion: Completion): void {
  const message = messageOf(core, own);
  if (core.haveRoom(core.subscriptions.match(message.topic), message)) deliverOwn(core, message, completion);
  else completion.atLeast(ReasonCode.quotaExceeded);
}

/** Nobody publishes it again: who has no room misses it, and nobody else does. */
function deliverOwn(core: BrokerCore, message: Message, completion: Completion | undefined): void {
  const matches = core.subscriptions.match(message.topic);
  if (matches.list.length === 0) completion?.atLeast(ReasonCode.noMatchingSubscribers);
  if (message.retain && !core.retained.publish(message, completion)) completion?.atLeast(ReasonCode.quotaExceeded);
  const roomy = core.withRoom(matches, message);
  if (roomy !== matches) completion?.atLeast(ReasonCode.quotaExceeded);
  core.deliver(message, roomy, completion);
}

/** See Broker.sendTo. */
export function sendOwnTo(core: BrokerCore, session: Session, own: OwnMessage, acknowledged?: () => void): boolean {
  const { outbound } = session;
  if (!isSendable(core, own)) return false;
  const granted = session.mayReceive(own.topic) ? grantedOf(session, own.topic) : undefined;
  if (granted === undefined || outbound.link === undefined) return false;
  const message = messageOf(core, own);
  if (granted.qos > 0) return outbound.sendOnce(message, granted.identifiers, acknowledged);
  outbound.send(message, 0, false, granted.identifiers);
  // Nobody will ever know more.
  acknowledged?.();
  return true;
}

/** Topics are put together from what clients say: whatever comes of that, it must not end the thread, nor what subscribers read. */
function isSendable({ logLines }: BrokerCore, { topic }: OwnMessage): boolean {
  if (isValidTopicName(topic)) return true;
  logLines.error({ topic: topic.slice(0, 200) }, 'a message was not sent: its topic is none');
  return false;
}

/** What this session subscribes to of a topic, joined; undefined: nothing. Those of shared groups do not count: it is for one client. */
function grantedOf(
  session: Session,
  topic: string,
): { readonly qos: QoS; readonly identifiers: readonly number[] | undefined } | undefined {
  let qos: QoS | undefined;
  const identifiers: number[] = [];
  for (const [filter, options] of session.subscriptions) {
    if (filter.startsWith('$share/') || !filterMatches(filter, topic)) continue;
    qos = qos === undefined || options.qos > qos ? options.qos : qos;
    if (options.identifier !== 0) identifiers.push(options.identifier);
  }
  return qos === undefined ? undefined : { qos, identifiers: identifiers.length === 0 ? undefined : identifiers };
}

export function messageOf(core: BrokerCore, own: OwnMessage): Message {
  const name = new TextEncoder().encode(own.topic);
  const topic = core.topics.intern(name, 0, name.length);
  return new Message(topic, own.payload, own, own.properties, core.clock.monotonicMs());
}
