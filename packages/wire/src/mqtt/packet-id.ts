import { malformed } from './mqtt-error.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PacketWriter } from './packet-writer.ts';

/** Reads a packet id, which is never 0 [MQTT-2.2.1-3]. */
export function readPacketId(reader: PacketReader): number {
  const id = reader.u16();
  if (id === 0) throw zeroPacketId();
  return id;
}

export function writePacketId(writer: PacketWriter, packetId: number): void {
  if (packetId === 0) throw zeroPacketId();
  writer.u16(packetId);
}

export function zeroPacketId(): Error {
  return malformed('[MQTT-2.2.1-3]', 'A packet id is 0');
}
