import { malformed, protocolError } from './mqtt-error.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { ConnackPacket, ProtocolVersion } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { ConnectReturnCode, isReasonCodeOf } from './reason-codes.ts';
import { writeProperties } from './write-properties.ts';

/*
 *   flags           0 (7 bits) | session present
 *   reason code     5.0; a return code in 3.1.1
 *   properties      5.0
 */

export function readConnack(reader: PacketReader, version: ProtocolVersion): ConnackPacket {
  const flags = reader.u8();
  if (flags > 1) throw malformed('[MQTT-3.2.2-1]', 'Reserved flags of a CONNACK are set');
  const reasonCode = reader.u8();
  const properties = version === 5 ? readProperties(reader, 'connack') : {};
  reader.expectEnd();
  const packet: ConnackPacket = { type: 'connack', sessionPresent: flags === 1, reasonCode, properties };
  checkConnack(packet, version);
  return packet;
}

export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Uint8Array {
  checkConnack(packet, version);
  return writePacket(firstByte('connack'), (writer) => {
    writer.u8(packet.sessionPresent ? 1 : 0);
    writer.u8(packet.reasonCode);
    if (version === 5) writeProperties(writer, 'connack', packet.properties);
  });
}

function checkConnack({ sessionPresent, reasonCode, properties }: ConnackPacket, version: ProtocolVersion): void {
  const known = version === 5 ? isReasonCodeOf('connack', reasonCode) : reasonCode <= ConnectReturnCode.notAuthorized;
  if (!known) throw protocolError('[MQTT-3.2.2-8]', `A CONNACK cannot have the code ${reasonCode}`);
  if (sessionPresent && reasonCode !== 0)
    throw protocolError('[MQTT-3.2.2-6]', 'A CONNACK that refuses says that a session is present');
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw protocolError('[MQTT-3.2.2.3.18]', 'A CONNACK has authentication data but no method');
  }
}
