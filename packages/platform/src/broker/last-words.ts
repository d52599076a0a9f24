import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { CloseReason } from './close-reasons.ts';
import { connackCode } from './connect-codes.ts';
import type { BrokerLimits } from './limits.ts';

/** The last packet of a connection, and the code that it says. */
export interface LastWords {
  readonly bytes: Uint8Array;
  readonly code: number;
}

/** The DISCONNECT that tells a 5.0 client why; undefined where it takes no packet of that size. */
export function goodbyeOf(options: {
  readonly reason: CloseReason;
  readonly code: number;
  readonly words: string | undefined;
  readonly limits: BrokerLimits;
  readonly maxPacketBytes: number;
}): LastWords | undefined {
  const { reason, code: reasonCode, words, maxPacketBytes } = options;
  const { serverReference } = options.limits;
  const isMoving = reason === 'server-shutdown' && serverReference !== '';
  const code = isMoving ? ReasonCode.useAnotherServer : reasonCode;
  const bare = encodePacket(
    isMoving ? { type: 'disconnect', reasonCode: code, serverReference } : { type: 'disconnect', reasonCode: code },
    5,
  );
  const told = words === undefined || isMoving ? bare : encodePacket({ type: 'disconnect', reasonCode, reasonString: words }, 5);
  // A reason string is left out where it would make the packet too large [MQTT-3.14.2-3].
  const bytes = told.length <= maxPacketBytes ? told : bare;
  return bytes.length <= maxPacketBytes ? { bytes, code } : undefined;
}

/** The CONNACK that refuses; undefined where the version has no code for it [MQTT-3.2.2-7], or the client takes none of that size [MQTT-3.1.2-24]. */
export function refusalOf(options: {
  readonly code: number;
  readonly version: ProtocolVersion;
  readonly limits: BrokerLimits;
  readonly maxPacketBytes: number;
}): LastWords | undefined {
  const { version, maxPacketBytes } = options;
  const { serverReference } = options.limits;
  const isFull = options.code === ReasonCode.serverBusy && version === 5 && serverReference !== '';
  const code = isFull ? ReasonCode.useAnotherServer : connackCode(options.code, version);
  if (code === undefined) return undefined;
  const properties = isFull ? { serverReference } : {};
  const bytes = encodePacket({ type: 'connack', sessionPresent: false, reasonCode: code, properties }, version);
  return bytes.length <= maxPacketBytes ? { bytes, code } : undefined;
}
