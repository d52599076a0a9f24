import { isValidTopicName } from '../topics/topic-name.ts';
import { malformed, MqttError, protocolError } from './mqtt-error.ts';
import { zeroPacketId } from './packet-id.ts';
import { PacketType } from './packet-type.ts';
import { packetSize, PacketWriter, writeU16 } from './packet-writer.ts';
import type { AckPacket, OutgoingPublish, ProtocolVersion } from './packets.ts';
import { ReasonCode } from './reason-codes.ts';
import { Topic } from './topic-cache.ts';
import { checkedUtf8Length, writeUtf8 } from './utf8-string.ts';
import { writeVariableByteInteger } from './variable-byte-integer.ts';
import { writeProperties } from './write-properties.ts';

/** A PUBLISH encoded once for every receiver with the same version, QoS, retain flag and properties. */
export interface EncodedPublish {
  /** The whole packet, with the packet id that it was encoded with. */
  readonly bytes: Uint8Array;
  /** Where the two bytes of the packet id stand; -1 at QoS 0. */
  readonly packetIdAt: number;
}

/**
 * Encodes a PUBLISH in one buffer of exactly its size. At QoS 1 and 2 the packet id may be left 0 for {@link writePublish} to fill in.
 * @throws MqttError where it may not be sent: 0x90 for a topic name that is not valid, 0x82 where 5.0 has neither topic nor alias.
 */
export function encodePublish(publish: OutgoingPublish, version: ProtocolVersion): EncodedPublish {
  const { topic, payload, qos } = publish;
  if (qos === 0 && publish.dup === true) throw malformed('[MQTT-3.3.1-2]', 'A PUBLISH of QoS 0 is marked as a duplicate');
  const name = topic instanceof Topic ? topic.name : topic;
  checkTopic(name, topic instanceof Topic, publish, version);
  const topicBytes = topic instanceof Topic ? topic.bytes.length : checkedUtf8Length(topic);
  const properties = version === 5 ? (publish.properties ?? {}) : undefined;
  const propertyBytes = properties === undefined ? 0 : publish.properties === undefined ? 1 : propertySize(properties);
  const remainingLength = 2 + topicBytes + (qos === 0 ? 0 : 2) + propertyBytes + payload.length;

  const bytes = new Uint8Array(packetSize(remainingLength));
  bytes[0] = (PacketType.publish << 4) | (publish.dup === true ? 0b1000 : 0) | (qos << 1) | (publish.retain === true ? 1 : 0);
  let at = writeVariableByteInteger(bytes, 1, remainingLength);
  writeU16(bytes, at, topicBytes);
  at += 2;
  if (topic instanceof Topic) bytes.set(topic.bytes, at);
  else writeUtf8(bytes, at, topic);
  at += topicBytes;
  const packetIdAt = qos === 0 ? -1 : at;
  if (qos !== 0) {
    writeU16(bytes, at, publish.packetId ?? 0);
    at += 2;
  }
  if (propertyBytes > 1 && properties !== undefined) writeProperties(new PacketWriter(bytes, at), 'publish', properties);
  bytes.set(payload, at + propertyBytes);
  return { bytes, packetIdAt };
}

/**
 * Copies an encoded PUBLISH to `into` at `at` under a packet id of its own (not used at QoS 0), and returns where it ends. The caller
 * has seen that it fits.
 */
export function writePublish(into: Uint8Array, at: number, publish: EncodedPublish, packetId: number, dup = false): number {
  into.set(publish.bytes, at);
  if (publish.packetIdAt >= 0) {
    if (packetId === 0) throw zeroPacketId();
    writeU16(into, at + publish.packetIdAt, packetId);
    if (dup) into[at]! |= 0b1000;
  }
  return at + publish.bytes.length;
}

/** Writes the 4 bytes of a successful acknowledgement, the same in both versions, and returns where it ends. */
export function writeAck(into: Uint8Array, at: number, type: AckPacket['type'], packetId: number): number {
  into[at] = ACK_FIRST_BYTES[type];
  into[at + 1] = 2;
  into[at + 2] = packetId >>> 8;
  into[at + 3] = packetId;
  return at + ACK_BYTES;
}

/** The size of what {@link writeAck} writes. */
export const ACK_BYTES = 4;

const ACK_FIRST_BYTES = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

function checkTopic(name: string, checked: boolean, publish: OutgoingPublish, version: ProtocolVersion): void {
  if (name === '' && version === 5) {
    if (publish.properties?.topicAlias !== undefined) return;
    throw protocolError('[MQTT-3.3.2.1]', 'A PUBLISH to be sent has neither a topic name nor a topic alias');
  }
  if ((checked && name !== '') || isValidTopicName(name)) return;
  throw new MqttError(ReasonCode.topicNameInvalid, '[MQTT-3.3.2-2]', 'The topic of a PUBLISH to be sent is not a topic name');
}

function propertySize(properties: NonNullable<OutgoingPublish['properties']>): number {
  const measure = new PacketWriter();
  writeProperties(measure, 'publish', properties);
  return measure.at;
}
