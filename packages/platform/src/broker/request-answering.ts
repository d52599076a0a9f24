import type { QoS } from '@selsyn/wire/mqtt/packets.ts';
import { filterMatches } from '@selsyn/wire/topics/topic-filter.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import { Message } from './message.ts';
import type { ClientRequest, RequestAnswer } from './requests.ts';
import type { Session } from './session.ts';
import { lesser } from './subscriber.ts';
import type { Match } from './topic-trie.ts';

/**
 * Asks the handler, and sends its answers to the session that asked while it has a connection: what an answer holds may be for this
 * very client alone. `completion` hears when they are on their way.
 */
export function answerRequest(core: BrokerCore, session: Session, request: ClientRequest, completion: Completion): void {
  const { requests } = core;
  if (requests === undefined) return;
  const { connection } = session;
  completion.expect();
  requests
    .answer(request)
    .then((answers) => {
      if (connection !== undefined && session.connection === connection)
        for (const answer of answers) sendAnswer(core, session, answer, completion);
    })
    .catch((error: unknown) => {
      core.logLines.error({ err: error, client: session.clientId, topic: request.topic }, 'a request could not be answered');
    })
    .finally(() => completion.answered(0));
}

/**
 * To a session that outlives its connection it goes at QoS 0: at any other it would be kept for the next connection, and written to disk,
 * and it may hold a private key.
 */
function sendAnswer(core: BrokerCore, session: Session, answer: RequestAnswer, completion: Completion): void {
  if (!session.mayReceive(answer.topic)) return;
  const answerQos = session.isPersistent ? 0 : 1;
  const match = ownMatch(session, answer.topic, answerQos);
  if (match === undefined) return;
  const name = new TextEncoder().encode(answer.topic);
  const topic = core.topics.intern(name, 0, name.length);
  const flags = { qos: answerQos, retain: false } as const;
  const message = new Message(topic, answer.payload, flags, answer.properties, core.clock.monotonicMs());
  session.deliver(message, match, completion);
  core.stored.write(message, completion);
}

/** What this session subscribes to of a topic, joined; undefined: nothing. Shared groups get no answers: they are for one client. */
function ownMatch(session: Session, topic: string, answerQos: QoS): Match<Session> | undefined {
  let qos: QoS | undefined;
  const identifiers: number[] = [];
  for (const [filter, options] of session.subscriptions) {
    if (filter.startsWith('$share/') || !filterMatches(filter, topic)) continue;
    qos = qos === undefined || options.qos > qos ? options.qos : qos;
    if (options.identifier !== 0) identifiers.push(options.identifier);
  }
  if (qos === undefined) return undefined;
  return {
    subscriber: session,
    qos: lesser(qos, answerQos),
    noLocal: false,
    own: undefined,
    retainAsPublished: false,
    identifiers: identifiers.length === 0 ? undefined : identifiers,
  };
}
