import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { SessionNumber } from '../session-store/session-store.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Delivery } from './delivery.ts';
import type { InFlight } from './in-flight.ts';
import type { OutboundLink } from './outbound-link.ts';

/** What sends QoS 2 messages of a session, as far as their second half needs it. */
export interface Releasing {
  readonly core: BrokerCore;
  readonly sessionNumber: SessionNumber;
  readonly isPersistent: boolean;
  readonly link: OutboundLink | undefined;
  readonly packetIds: InFlight;
  keptAs(packetId: number): Delivery | undefined;
  forget(delivery: Delivery): void;
}

/** PUBREC: the client has it. */
export function received(outbound: Releasing, packetId: number): void {
  const { packetIds, link, isPersistent } = outbound;
  const awaited = packetIds.get(packetId);
  const outgoing = link?.sender.outgoing;
  const delivery = outbound.keptAs(packetId);
  // Also for what it was sent on an earlier connection, and is not sent again yet.
  const hadBefore = awaited === undefined && isPersistent && delivery?.qos === 2 && delivery.sent;
  if (awaited === 'pubrec' || hadBefore) {
    if (delivery !== undefined) outbound.forget(delivery);
    if (isPersistent) release(outbound, packetId);
    else {
      packetIds.set(packetId, 'pubcomp');
      outgoing?.ack('pubrel', packetId);
    }
  } else if (awaited === 'pubcomp' || link?.sender.version === 4) outgoing?.ack('pubrel', packetId);
  else if (awaited !== 'release') {
    const reasonCode = ReasonCode.packetIdentifierNotFound;
    outgoing?.packet(encodePacket({ type: 'pubrel', packetId, reasonCode }, 5));
  }
}

/** PUBREL goes out once it is stored that the client has the message: it must never be sent the message again. */
export function release(outbound: Releasing, packetId: number): void {
  const { store } = outbound.core;
  outbound.packetIds.set(packetId, 'release');
  store.after(store.write({ kind: 'released', session: outbound.sessionNumber, packetId }), {
    settle: (_packetId, _qos, code) => {
      // Those of the connection that there is now.
      const { packetIds, link } = outbound;
      if (packetIds.get(packetId) !== 'release') return;
      if (code >= 0x80) {
        link?.host.onStoreFailed();
        return;
      }
      packetIds.set(packetId, 'pubcomp');
      link?.sender.outgoing.ack('pubrel', packetId);
    },
  });
}
