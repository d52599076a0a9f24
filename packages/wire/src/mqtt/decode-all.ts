import { PacketDecoder, type PacketDecoderOptions } from './decoder.ts';
import type { OutgoingPacket, Packet } from './packets.ts';
import { TopicCache } from './topic-cache.ts';

/** For tests: what a decoder makes of these chunks, each PUBLISH copied into the form that can be encoded again. */
export function decodeAll(chunks: readonly Uint8Array[], options: Partial<PacketDecoderOptions>): OutgoingPacket[] {
  const decoder = newDecoder(options);
  return chunks.flatMap((chunk) => feed(decoder, chunk));
}

export function newDecoder(options: Partial<PacketDecoderOptions>): PacketDecoder {
  return new PacketDecoder({ maxPacketBytes: 268_435_460, from: 'client', topics: new TopicCache(100), ...options });
}

export function feed(decoder: PacketDecoder, chunk: Uint8Array): OutgoingPacket[] {
  const packets: OutgoingPacket[] = [];
  decoder.feed(chunk);
  for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(kept(packet));
  return packets;
}

/** A copy that stays when the decoder goes on. */
export function kept(packet: Packet): OutgoingPacket {
  if (packet.type !== 'publish') return packet;
  const { type, topic, qos, retain, dup, packetId, properties } = packet;
  return {
    type,
    topic: topic.name,
    qos,
    retain,
    dup,
    packetId,
    properties,
    payload: Uint8Array.from(packet.data.subarray(packet.start, packet.end)),
  };
}
