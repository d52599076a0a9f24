import type { Session } from './session.ts';

/**
 * What waits for a client and may not be received by it any more goes: to another member where it is of a shared group, else nowhere.
 * What may have reached the client already is not taken back.
 */
export function withdrawDenied(session: Session): void {
  const { outbound } = session;
  for (const delivery of outbound.take(({ sent, message }) => !sent && !session.mayReceive(message.topic.name))) {
    const gone = (): void => outbound.handedOver(delivery, true);
    if (delivery.share === undefined) gone();
    else delivery.share.redeliver(delivery, session, gone);
  }
}
