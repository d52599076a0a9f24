import { isValidTopicFilter } from '../topics/topic-filter.ts';
import { malformed, MqttError, protocolError } from './mqtt-error.ts';
import { readPacketId, writePacketId } from './packet-id.ts';
import type { PacketReader } from './packet-reader.ts';
import { firstByte } from './packet-type.ts';
import { writePacket } from './packet-writer.ts';
import type { ProtocolVersion, QoS, SubscribePacket, Subscription, UnsubscribePacket } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { ReasonCode } from './reason-codes.ts';
import { writeProperties } from './write-properties.ts';

/*
 *   packet id       2 bytes
 *   properties      5.0
 *   for each filter
 *     filter        string
 *     options       SUBSCRIBE: 0 0 | retain handling (2 bits) | retain as published | no local | QoS (2 bits)
 *                   (3.1.1 has only the QoS)
 */
const QOS = 0x03;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const RETAIN_HANDLING_SHIFT = 4;
const RESERVED_IN_5 = 0xc0;
const RESERVED_IN_4 = 0xfc;

export function readSubscribe(reader: PacketReader, version: ProtocolVersion): SubscribePacket {
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, 'subscribe') : undefined;
  const subscriptions: Subscription[] = [];
  while (reader.remaining > 0) subscriptions.push(readSubscription(reader, version));
  if (subscriptions.length === 0) throw protocolError('[MQTT-3.8.3-2]', 'A SUBSCRIBE has no filter');
  return { type: 'subscribe', packetId, subscriptions, ...properties };
}

export function encodeSubscribe(packet: SubscribePacket, version: ProtocolVersion): Uint8Array {
  if (packet.subscriptions.length === 0) throw protocolError('[MQTT-3.8.3-2]', 'A SUBSCRIBE has no filter');
  return writePacket(firstByte('subscribe'), (writer) => {
    writePacketId(writer, packet.packetId);
    if (version === 5) writeProperties(writer, 'subscribe', packet);
    for (const subscription of packet.subscriptions) {
      checkFilter(subscription.filter);
      checkNoLocal(subscription.filter, subscription.noLocal);
      writer.string(subscription.filter);
      writer.u8(version === 5 ? optionsOf(subscription) : subscription.qos);
    }
  });
}

export function readUnsubscribe(reader: PacketReader, version: ProtocolVersion): UnsubscribePacket {
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, 'unsubscribe') : undefined;
  const filters: string[] = [];
  while (reader.remaining > 0) filters.push(readFilter(reader));
  if (filters.length === 0) throw protocolError('[MQTT-3.10.3-2]', 'An UNSUBSCRIBE has no filter');
  return { type: 'unsubscribe', packetId, filters, ...properties };
}

export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Uint8Array {
  if (packet.filters.length === 0) throw protocolError('[MQTT-3.10.3-2]', 'An UNSUBSCRIBE has no filter');
  return writePacket(firstByte('unsubscribe'), (writer) => {
    writePacketId(writer, packet.packetId);
    if (version === 5) writeProperties(writer, 'unsubscribe', packet);
    for (const filter of packet.filters) {
      checkFilter(filter);
      writer.string(filter);
    }
  });
}

function readSubscription(reader: PacketReader, version: ProtocolVersion): Subscription {
  const filter = readFilter(reader);
  const options = reader.u8();
  if ((options & (version === 5 ? RESERVED_IN_5 : RESERVED_IN_4)) !== 0) {
    throw malformed('[MQTT-3.8.3-5]', 'Reserved bits of a subscription are set');
  }
  const qos = options & QOS;
  if (qos === 3) throw protocolError('[MQTT-3.8.3.1]', 'A subscription asks for QoS 3');
  const retainHandling = (options >> RETAIN_HANDLING_SHIFT) & 3;
  if (retainHandling === 3) throw protocolError('[MQTT-3.8.3.1]', 'A subscription has the retain handling 3');
  const noLocal = (options & NO_LOCAL) !== 0;
  checkNoLocal(filter, noLocal);
  return {
    filter,
    qos: qos as QoS, // 3 is refused above, here and for the retain handling
    noLocal,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

function readFilter(reader: PacketReader): string {
  const filter = reader.string();
  checkFilter(filter);
  return filter;
}

function checkFilter(filter: string): void {
  if (!isValidTopicFilter(filter))
    throw new MqttError(ReasonCode.topicFilterInvalid, '[MQTT-4.7.1-1]', 'A topic filter is not valid');
}

function checkNoLocal(filter: string, noLocal: boolean): void {
  if (noLocal && filter.startsWith('$share/'))
    throw protocolError('[MQTT-3.8.3-4]', 'A shared subscription has the option no local');
}

function optionsOf(subscription: Subscription): number {
  return (
    subscription.qos |
    (subscription.noLocal ? NO_LOCAL : 0) |
    (subscription.retainAsPublished ? RETAIN_AS_PUBLISHED : 0) |
    (subscription.retainHandling << RETAIN_HANDLING_SHIFT)
  );
}
