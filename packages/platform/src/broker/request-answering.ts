import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Completion } from './completion.ts';
import { sendOwnTo } from './own-message.ts';
import { type ClientRequest, NOT_TAKEN, type NotTaken } from './requests.ts';
import type { PendingAnswer } from './pending-answer.ts';
import type { Session } from './session.ts';

/**
 * Asks the handler, and sends its answers to the session that asked while it has a connection: what an answer holds may be for this
 * very client alone. `completion` hears when they are on their way, or that it was not taken.
 */
export function answerRequest(core: BrokerCore, session: Session, request: ClientRequest, completion: Completion): void {
  const { requests } = core;
  if (requests === undefined) return;
  const { connection } = session;
  completion.expect();
  void requests
    .answer(request)
    .catch((error: unknown): NotTaken => {
      core.logLines.error({ err: error, client: session.clientId, topic: request.topic }, 'a request could not be answered');
      return NOT_TAKEN;
    })
    .then((answers) => {
      if (answers !== NOT_TAKEN && connection !== undefined && session.connection === connection)
        for (const answer of answers) sendOwnTo(core, session, { ...answer, qos: 1, retain: false });
      completion.answered(answers === NOT_TAKEN ? ReasonCode.quotaExceeded : ReasonCode.success);
    });
}

/** What becomes of a QoS 2 request is kept for when it is sent again: by then the connection may be another one, or none. */
export function keepOutcome({ received }: Session, pending: PendingAnswer): void {
  const { packetId } = pending;
  received.set(packetId, pending);
  pending.onKnown = (code) => {
    if (received.get(packetId) !== pending) return;
    if (code < 0x80) received.set(packetId, 'answered');
    else received.delete(packetId);
  };
}
