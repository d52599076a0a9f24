import { malformed, protocolError } from './mqtt-error.ts';
import { readPacketId, writePacketId } from './packet-id.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { ProtocolVersion, SubackPacket } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { isReasonCodeOf, ReasonCode } from './reason-codes.ts';
import { writeProperties } from './write-properties.ts';

/*
 *   packet id       2 bytes
 *   properties      5.0
 *   codes           one byte for each filter; an UNSUBACK of 3.1.1 has none
 */

export function readSuback(reader: PacketReader, type: SubackPacket['type'], version: ProtocolVersion): SubackPacket {
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, 'suback') : undefined;
  const reasonCodes: number[] = [];
  if (type === 'suback' || version === 5) {
    while (reader.remaining > 0) reasonCodes.push(checkedCode(type, version, reader.u8()));
    checkCount(type, reasonCodes);
  }
  reader.expectEnd();
  return { type, packetId, reasonCodes, ...properties };
}

/** In 3.1.1 each failure of a SUBACK is sent as 0x80, the only one it knows. */
export function encodeSuback(packet: SubackPacket, version: ProtocolVersion): Uint8Array {
  const withCodes = packet.type === 'suback' || version === 5;
  if (withCodes) checkCount(packet.type, packet.reasonCodes);
  return writePacket(firstByte(packet.type), (writer) => {
    writePacketId(writer, packet.packetId);
    if (version === 5) writeProperties(writer, 'suback', packet);
    if (!withCodes) return;
    for (const code of packet.reasonCodes) {
      writer.u8(checkedCode(packet.type, version, version === 4 && code > 2 ? ReasonCode.unspecifiedError : code));
    }
  });
}

function checkCount(type: SubackPacket['type'], codes: readonly number[]): void {
  if (codes.length === 0) throw malformed(CLAUSES[type], `A ${type.toUpperCase()} has no reason code`);
}

function checkedCode(type: SubackPacket['type'], version: ProtocolVersion, code: number): number {
  const known = version === 5 ? isReasonCodeOf(type, code) : code <= 2 || code === ReasonCode.unspecifiedError;
  if (!known) throw protocolError(CLAUSES[type], `A ${type.toUpperCase()} cannot have the code ${code}`);
  return code;
}

const CLAUSES: Readonly<Record<SubackPacket['type'], string>> = { suback: '[MQTT-3.9.3-2]', unsuback: '[MQTT-3.11.3-2]' };
