import { protocolError } from './mqtt-error.ts';
import { readPacketId, writePacketId } from './packet-id.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { AckPacket, ProtocolVersion } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { isReasonCodeOf } from './reason-codes.ts';
import { hasProperties, writeProperties } from './write-properties.ts';

/*
 *   packet id       2 bytes
 *   reason code     5.0; left out with the properties where it is 0 and there are none
 *   properties      5.0; may be left out where there are none
 */

export function readAck(reader: PacketReader, type: AckPacket['type'], version: ProtocolVersion): AckPacket {
  const packetId = readPacketId(reader);
  if (version === 4 || reader.remaining === 0) {
    reader.expectEnd();
    return { type, packetId, reasonCode: 0 };
  }
  const reasonCode = checkedReasonCode(type, reader.u8());
  if (reader.remaining === 0) return { type, packetId, reasonCode };
  const properties = readProperties(reader, 'ack');
  reader.expectEnd();
  return { type, packetId, reasonCode, ...properties };
}

/** In 3.1.1 only the packet id is sent. */
export function encodeAck(packet: AckPacket, version: ProtocolVersion): Uint8Array {
  const reasonCode = checkedReasonCode(packet.type, packet.reasonCode);
  const withProperties = version === 5 && hasProperties('ack', packet);
  return writePacket(firstByte(packet.type), (writer) => {
    writePacketId(writer, packet.packetId);
    if (version === 5 && (reasonCode !== 0 || withProperties)) writer.u8(reasonCode);
    if (withProperties) writeProperties(writer, 'ack', packet);
  });
}

function checkedReasonCode(type: AckPacket['type'], code: number): number {
  const place = type === 'puback' || type === 'pubrec' ? 'received' : 'released';
  if (!isReasonCodeOf(place, code))
    throw protocolError(CLAUSES[type], `A ${type.toUpperCase()} cannot have the reason code ${code}`);
  return code;
}

const CLAUSES: Readonly<Record<AckPacket['type'], string>> = {
  puback: '[MQTT-3.4.2-1]',
  pubrec: '[MQTT-3.5.2-1]',
  pubrel: '[MQTT-3.6.2-1]',
  pubcomp: '[MQTT-3.7.2-1]',
};
