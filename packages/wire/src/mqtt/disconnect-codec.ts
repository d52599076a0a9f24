import { malformed, protocolError } from './mqtt-error.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte, type Sender } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { AuthPacket, DisconnectPacket, ProtocolVersion } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { isReasonCodeOf } from './reason-codes.ts';
import { hasProperties, writeProperties } from './write-properties.ts';

/*
 * DISCONNECT and AUTH; a DISCONNECT of 3.1.1 is empty, AUTH exists in 5.0 only.
 *
 *   reason code     left out with the properties where it is 0 and there are none
 *   properties      may be left out where there are none
 */

export function readDisconnect(reader: PacketReader, version: ProtocolVersion, from: Sender): DisconnectPacket {
  if (version === 4 || reader.remaining === 0) {
    reader.expectEnd();
    return { type: 'disconnect', reasonCode: 0 };
  }
  const reasonCode = reader.u8();
  if (!isReasonCodeOf('disconnect', reasonCode)) {
    throw protocolError('[MQTT-3.14.2-1]', `A DISCONNECT cannot have the reason code ${reasonCode}`);
  }
  const properties = reader.remaining > 0 ? readProperties(reader, 'disconnect') : undefined;
  reader.expectEnd();
  const packet: DisconnectPacket = { type: 'disconnect', reasonCode, ...properties };
  if (from === 'server' && packet.sessionExpirySec !== undefined) {
    throw protocolError('[MQTT-3.14.2-2]', 'A DISCONNECT of a server has a session expiry interval');
  }
  return packet;
}

/** In 3.1.1 it is empty, whatever the reason. */
export function encodeDisconnect(packet: DisconnectPacket, version: ProtocolVersion): Uint8Array {
  if (!isReasonCodeOf('disconnect', packet.reasonCode)) {
    throw protocolError('[MQTT-3.14.2-1]', `A DISCONNECT cannot have the reason code ${packet.reasonCode}`);
  }
  const withProperties = version === 5 && hasProperties('disconnect', packet);
  return writePacket(firstByte('disconnect'), (writer) => {
    if (version === 5 && (packet.reasonCode !== 0 || withProperties)) writer.u8(packet.reasonCode);
    if (withProperties) writeProperties(writer, 'disconnect', packet);
  });
}

export function readAuth(reader: PacketReader): AuthPacket {
  if (reader.remaining === 0) return { type: 'auth', reasonCode: 0 };
  const reasonCode = reader.u8();
  const properties = reader.remaining > 0 ? readProperties(reader, 'auth') : undefined;
  reader.expectEnd();
  const packet: AuthPacket = { type: 'auth', reasonCode, ...properties };
  checkAuth(packet);
  return packet;
}

export function encodeAuth(packet: AuthPacket, version: ProtocolVersion): Uint8Array {
  if (version === 4) throw malformed('[MQTT-2.1.2]', 'MQTT 3.1.1 has no AUTH');
  const empty = packet.reasonCode === 0 && !hasProperties('auth', packet);
  if (!empty) checkAuth(packet);
  return writePacket(firstByte('auth'), (writer) => {
    if (empty) return;
    writer.u8(packet.reasonCode);
    writeProperties(writer, 'auth', packet);
  });
}

function checkAuth(packet: AuthPacket): void {
  if (!isReasonCodeOf('auth', packet.reasonCode)) {
    throw protocolError('[MQTT-3.15.2-1]', `An AUTH cannot have the reason code ${packet.reasonCode}`);
  }
  if (packet.authenticationMethod === undefined)
    throw protocolError('[MQTT-3.15.2.2.2]', 'An AUTH names no authentication method');
}
