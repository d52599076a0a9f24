import { encodeAck } from './ack-codec.ts';
import { encodeConnack } from './connack-codec.ts';
import { encodeConnect } from './connect-codec.ts';
import { encodeAuth, encodeDisconnect } from './disconnect-codec.ts';
import { zeroPacketId } from './packet-id.ts';
import { firstByte } from './packet-type.ts';
import type { OutgoingPacket, OutgoingPublish, ProtocolVersion } from './packets.ts';
import { encodePublish } from './publish-writer.ts';
import { encodeSuback } from './suback-codec.ts';
import { encodeSubscribe, encodeUnsubscribe } from './subscribe-codec.ts';

/**
 * Encodes a packet in one buffer of exactly its size. What 3.1.1 cannot say (properties, reasons) is left out there. A CONNECT is
 * written in its own version.
 * @throws MqttError where the packet would break the protocol.
 */
export function encodePacket(packet: OutgoingPacket, version: ProtocolVersion): Uint8Array {
  switch (packet.type) {
    case 'connect':
      return encodeConnect(packet);
    case 'connack':
      return encodeConnack(packet, version);
    case 'publish':
      return encodeWholePublish(packet, version);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAck(packet, version);
    case 'subscribe':
      return encodeSubscribe(packet, version);
    case 'suback':
    case 'unsuback':
      return encodeSuback(packet, version);
    case 'unsubscribe':
      return encodeUnsubscribe(packet, version);
    case 'pingreq':
    case 'pingresp':
      return Uint8Array.of(firstByte(packet.type), 0);
    case 'disconnect':
      return encodeDisconnect(packet, version);
    case 'auth':
      return encodeAuth(packet, version);
  }
}

function encodeWholePublish(packet: OutgoingPublish, version: ProtocolVersion): Uint8Array {
  if (packet.qos !== 0 && (packet.packetId ?? 0) === 0) throw zeroPacketId();
  return encodePublish(packet, version).bytes;
}
