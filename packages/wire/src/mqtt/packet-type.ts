import { malformed, protocolError, type MqttError } from './mqtt-error.ts';
import type { Packet, ProtocolVersion } from './packets.ts';

/** The upper four bits of the first byte [MQTT-2.1.2]. */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const satisfies Record<Packet['type'], number>;

export type Sender = 'client' | 'server';

/** The first byte of a packet other than PUBLISH, with the flags that it must have [MQTT-2.1.3-1]. */
export function firstByte(type: Exclude<Packet['type'], 'publish'>): number {
  return (PacketType[type] << 4) | flagsOf(PacketType[type]);
}

/**
 * What is wrong with a first byte, seen before the packet is buffered: an unknown type, the wrong direction, the wrong flags.
 * Undefined where nothing is.
 */
export function firstByteFault(byte: number, from: Sender, version: ProtocolVersion): MqttError | undefined {
  const type = byte >> 4;
  const flags = byte & 0x0f;
  if (type === 0 || (type === PacketType.auth && version === 4))
    return malformed('[MQTT-2.1.2]', `No packet has the type ${type}`);
  if (!maySend(from, type, version)) return protocolError('[MQTT-2.1.2]', `A ${from} may not send a packet of type ${type}`);
  if (type === PacketType.publish) return publishFlagsFault(flags);
  if (flags !== flagsOf(type))
    return malformed(FLAG_CLAUSES[type] ?? '[MQTT-2.1.3-1]', `The flags of packet type ${type} are ${flags}`);
  return undefined;
}

function publishFlagsFault(flags: number): MqttError | undefined {
  if ((flags & 0b0110) === 0b0110) return malformed('[MQTT-3.3.1-4]', 'A PUBLISH has QoS 3');
  if ((flags & 0b1110) === 0b1000) return malformed('[MQTT-3.3.1-2]', 'A PUBLISH of QoS 0 is marked as a duplicate');
  return undefined;
}

function maySend(from: Sender, type: number, version: ProtocolVersion): boolean {
  switch (type) {
    case PacketType.connect:
    case PacketType.subscribe:
    case PacketType.unsubscribe:
    case PacketType.pingreq:
      return from === 'client';
    case PacketType.connack:
    case PacketType.suback:
    case PacketType.unsuback:
    case PacketType.pingresp:
      return from === 'server';
    case PacketType.disconnect:
      return from === 'client' || version === 5;
    default:
      return true;
  }
}

function flagsOf(type: number): number {
  return type === PacketType.pubrel || type === PacketType.subscribe || type === PacketType.unsubscribe ? 0b0010 : 0;
}

const FLAG_CLAUSES: Readonly<Record<number, string>> = {
  [PacketType.pubrel]: '[MQTT-3.6.1-1]',
  [PacketType.subscribe]: '[MQTT-3.8.1-1]',
  [PacketType.unsubscribe]: '[MQTT-3.10.1-1]',
  [PacketType.disconnect]: '[MQTT-3.14.1-1]',
  [PacketType.auth]: '[MQTT-3.15.1-1]',
};
