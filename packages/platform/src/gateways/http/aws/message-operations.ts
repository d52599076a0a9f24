import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { isValidTopicName } from '@selsyn/wire/topics/topic-name.ts';
import type { SealedText } from '../../../people/sealed-text.ts';
import type { AwsAccess } from './aws-access.ts';
import { sendJson } from './aws-answers.ts';
import type { AwsCaller } from './aws-caller.ts';
import { AwsError } from './aws-error.ts';
import { type AddOperation, flagOf, numberOf } from './aws-requests.ts';
import { writesBy } from './device-of-topic.ts';
import { encodeUserProperties, messageProperties } from './message-properties.ts';
import type { Messaging, RetainedSummary } from './messaging.ts';
import { parameterOf } from './raw-query.ts';

export interface MessageOperationsDependencies {
  readonly messaging: Messaging;
  readonly access: AwsAccess;
  /** Where a listing goes on may be at what the caller does not see. */
  readonly cursors: Pick<SealedText, 'seal' | 'open'>;
  /** A program has published where things ask for something, or are told: that is a change that somebody made. */
  readonly onProgramRequest: (topic: string, caller: AwsCaller) => Promise<void>;
}

/** AWS's limits of ListRetainedMessages. */
const PAGE = { min: 1, max: 200 };
/** Of a caller who sees few of them: an answer may be empty and have more behind it. */
const MAX_READ_PAGES = 5;
const QOS = { min: 0, max: 1 };

/** Publish, GetRetainedMessage, ListRetainedMessages. */
export function addMessageOperations(add: AddOperation, dependencies: MessageOperationsDependencies): void {
  const { messaging, access, cursors } = dependencies;

  add('POST', '/topics/*', async ({ caller, query, headers, body, path }, reply) => {
    const topic = topicOf(path);
    const qos = numberOf(query, 'qos', QOS) === 1 ? 1 : 0;
    const retain = flagOf(query, 'retain');
    const properties = messageProperties(query, headers);
    await access.ensureTopic(caller, topic, retain ? 'retain' : 'publish');
    if (isDoing(caller, topic)) await dependencies.onProgramRequest(topic, caller);
    // No device id has a slash: nothing takes a program for a device.
    const principalId = caller.kind === 'device' ? caller.access.id : `${caller.actor.kind}/${caller.actor.id}`;
    ensureTaken(await messaging.publish({ topic, payload: body, qos, retain, properties, principalId }));
    return await sendJson(reply, { message: 'OK', traceId: reply.getHeader('x-amzn-RequestId') });
  });

  add('GET', '/retainedMessage', async ({ caller, query }, reply) => {
    const limit = numberOf(query, 'maxResults', PAGE) ?? PAGE.max;
    const token = parameterOf(query, 'nextToken') ?? '';
    let after = token === '' ? undefined : cursors.open(token);
    if (token !== '' && after === undefined) throw new AwsError('InvalidRequestException', 'Invalid nextToken');
    const found: RetainedSummary[] = [];
    let more = true;
    for (let page = 0; page < MAX_READ_PAGES && found.length < limit && more; page++) {
      const read = await messaging.listRetained({ after, limit: limit - found.length });
      const readable = await access.readable(
        caller,
        read.map(({ topic }) => topic),
      );
      more = read.length === limit - found.length;
      after = read.at(-1)?.topic ?? after;
      found.push(...read.filter(({ topic }) => readable.has(topic)));
    }
    return await sendJson(reply, {
      retainedTopics: found.map(({ topic, sizeBytes, qos }) => ({ topic, payloadSize: sizeBytes, qos })),
      ...(more && after !== undefined && { nextToken: cursors.seal(after) }),
    });
  });

  add('GET', '/retainedMessage/*', async ({ caller, path }, reply) => {
    const topic = topicOf(path);
    await access.ensureTopic(caller, topic, 'read');
    const message = await messaging.retained(topic);
    if (message === undefined)
      throw new AwsError('ResourceNotFoundException', `No retained message was found for topic ${topic}`);
    const { payload, qos, userProperties } = message;
    return await sendJson(reply, {
      topic,
      payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64'),
      qos,
      ...(userProperties !== undefined && { userProperties: encodeUserProperties(userProperties) }),
    });
  });
}

/** Whether a program brings something about by it, besides that somebody hears it. */
export function isDoing({ kind }: AwsCaller, topic: string): boolean {
  return kind === 'program' && (topic.startsWith('$') || writesBy(topic) !== undefined);
}

/** What follows the name of the operation: `a%2Fb`, or `a/b` as it is. @throws AwsError InvalidRequestException */
function topicOf(path: string): string {
  let topic: string;
  try {
    topic = decodeURIComponent(path.slice(path.indexOf('/', 1) + 1));
  } catch {
    throw new AwsError('InvalidRequestException', 'The topic is not percent-encoded UTF-8');
  }
  if (!isValidTopicName(topic)) throw new AwsError('InvalidRequestException', 'Invalid topic');
  return topic;
}

/** @throws AwsError by the reason code of a broker that has not taken a message. */
function ensureTaken(code: number): void {
  if (code < 0x80) return;
  switch (code) {
    case ReasonCode.quotaExceeded:
      throw new AwsError('ThrottlingException', 'There is no room for the message: try again later');
    case ReasonCode.notAuthorized:
      throw new AwsError('ForbiddenException', 'Forbidden');
    case ReasonCode.topicNameInvalid:
      throw new AwsError('InvalidRequestException', 'Invalid topic');
    case ReasonCode.payloadFormatInvalid:
      throw new AwsError('InvalidRequestException', 'The payload is not UTF-8');
    default:
      throw new AwsError('InternalFailureException', 'Internal service failure');
  }
}
