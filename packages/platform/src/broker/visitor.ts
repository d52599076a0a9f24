import { isUtf8 } from 'node:buffer';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import { codeOfIntakeError } from './close-reasons.ts';
import { Afterwards, type Completion } from './completion.ts';
import { copyBytes } from './copy-bytes.ts';
import { offerOwn, type OwnMessage } from './own-message.ts';
import { isReservedTopic } from './reserved-topics.ts';
import { levelsOf } from './topic-levels.ts';

/** A message of somebody who has no connection here: it came by HTTP. Whether it may be published was decided. */
export interface VisitorMessage extends OwnMessage {
  /** Whose it is: the id of a device; or of a program, its kind before it (`access-key/AKSY…`). */
  readonly principalId: string;
}

/** Requests come to the platform as from this client; it has no session, so an answer for it alone goes nowhere. */
const NO_CLIENT = '';
/** Nobody may do anything in its name: it stands for one message. */
const NOTHING = { mayPublish: () => false, maySubscribe: () => false, mayReceive: () => false } as const;

/**
 * Publishes a message as if its sender were a client: telemetry goes to the log, requests to whoever answers them, and everything else
 * to subscribers.
 *
 * @returns a reason code as of PUBACK, once all that must have the message durably have it.
 */
export async function publishVisitor(core: BrokerCore, message: VisitorMessage): Promise<number> {
  const { topic, payload, properties, principalId, retain } = message;
  const { limits, requests, retained } = core;
  if (levelsOf(topic) > limits.maxTopicLevels) return ReasonCode.topicNameInvalid;
  if (isReservedTopic(topic)) return ReasonCode.notAuthorized;
  if (properties?.payloadIsUtf8 === true && !isUtf8(payload)) return ReasonCode.payloadFormatInvalid;
  const principal: Principal = { id: principalId, sessionNamespace: principalId, ...NOTHING };
  if (requests?.handles(topic) === true) {
    const asked = { client: NO_CLIENT, clientId: principalId, principal, remoteAddress: '', topic, payload };
    // Answers that only the one who asked gets: nobody else is told that it was not done.
    const answers = await requests.answer(asked);
    return answers.length === 0 ? ReasonCode.success : ReasonCode.quotaExceeded;
  }
  if (retain && payload.length > 0) {
    const name = new TextEncoder().encode(topic);
    const known = { topic: core.topics.intern(name, 0, name.length), sizeBytes: payload.length + name.length };
    if (!retained.hasRoom(known)) return ReasonCode.quotaExceeded;
  }
  return await new Promise((resolve) => {
    const completion = new Afterwards(resolve);
    if (take(core, message, principal, completion)) offerOwn(core, message, completion);
    completion.started();
  });
}

/** Gives it to the intake, where that wants it. @returns false: it was refused. */
function take(
  { intake, ring, logLines }: BrokerCore,
  message: VisitorMessage,
  principal: Principal,
  completion: Completion,
): boolean {
  const claim = intake?.claim(principal, message.topic);
  if (intake === undefined || claim === undefined) return true;
  try {
    const bytes = copyBytes(message.payload, 0, message.payload.length);
    const ticket = intake.accept(claim, bytes, 0, bytes.length);
    completion.expectElsewhere();
    ring.push(completion, 0, 1, ticket);
    return true;
  } catch (error) {
    if (!isSelsynError(error)) throw error;
    logLines.debug({ err: error, topic: message.topic }, 'the intake refused a message');
    completion.atLeast(codeOfIntakeError(error));
    return false;
  }
}
