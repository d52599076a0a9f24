import type { BrokerCore } from './broker-core.ts';
import { messageOf, type OwnMessage } from './own-message.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** A message for one client, whether it subscribes or not. */
export interface DirectMessage {
  readonly clientId: string;
  /** Only to one who signed in as one of these; undefined: any. */
  readonly principals: readonly string[] | undefined;
  /** At QoS 1 its acknowledgement is waited for. */
  readonly message: OwnMessage & { readonly qos: 0 | 1; readonly retain: false };
  readonly timeoutMs: number;
}

/**
 * `sent`: it went out, and was acknowledged where that was waited for. `unconfirmed`: the acknowledgement did not come in time; the client
 * may have it. `not-allowed`: the client may not receive on this topic. `busy`: too much waits for the client. `no-client`: it is not
 * connected here.
 */
export type DirectOutcome = 'sent' | 'unconfirmed' | 'not-allowed' | 'busy' | 'no-client';

/** See Broker.sendDirect. O(sessions of the thread). */
export async function sendDirect(core: BrokerCore, sessions: Sessions, direct: DirectMessage): Promise<DirectOutcome> {
  const session = sessionOf(sessions, direct);
  if (session === undefined) return 'no-client';
  const { message, timeoutMs } = direct;
  if (!session.mayReceive(message.topic)) return 'not-allowed';
  const made = messageOf(core, message);
  if (message.qos === 0) {
    session.outbound.send(made, 0, false, undefined);
    return 'sent';
  }
  return await new Promise((resolve) => {
    const cancel = core.clock.after(timeoutMs, () => resolve('unconfirmed'));
    const isOnItsWay = session.outbound.sendOnce(made, undefined, () => {
      cancel();
      resolve('sent');
    });
    if (isOnItsWay) return;
    cancel();
    resolve('busy');
  });
}

function sessionOf(sessions: Sessions, { clientId, principals }: DirectMessage): Session | undefined {
  for (const session of sessions.values()) {
    if (session.clientId !== clientId || session.connection === undefined) continue;
    if (principals === undefined || principals.includes(session.principal.id)) return session;
  }
  return undefined;
}
