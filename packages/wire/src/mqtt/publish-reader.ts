import { malformed, protocolError } from './mqtt-error.ts';
import { zeroPacketId } from './packet-id.ts';
import { PacketReader } from './packet-reader.ts';
import { firstByteFault, type Sender } from './packet-type.ts';
import type { ProtocolVersion, PublishPacket, PublishProperties, QoS } from './packets.ts';
import { readProperties } from './read-properties.ts';
import { EMPTY_TOPIC, isTopic, type Topic, type TopicCache } from './topic-cache.ts';

/**
 * Reads PUBLISH packets into one object that is overwritten by the next.
 *
 * ```
 *   first byte      3 (4 bits) | dup | QoS (2 bits) | retain
 *   topic name      string; empty only where a topic alias stands for it (5.0)
 *   packet id       2 bytes, at QoS 1 and 2
 *   properties      5.0
 *   payload         the rest
 * ```
 * A topic equal to that of the packet before is found by comparing its bytes, so that a device that keeps to its topic costs neither a
 * hash nor an allocation.
 */
export class PublishReader {
  readonly #from: Sender;
  readonly #topics: TopicCache;
  readonly #packet = new DecodedPublish();
  #lastTopic: Topic = EMPTY_TOPIC;

  constructor(from: Sender, topics: TopicCache) {
    this.#from = from;
    this.#topics = topics;
  }

  /** The packet whose body is `bytes[start, end)`. Its payload is not copied. */
  read(bytes: Uint8Array, first: number, start: number, end: number, version: ProtocolVersion): PublishPacket {
    const qos = (first >> 1) & 3;
    if (qos === 3 || (first & 0b1110) === 0b1000) throw firstByteFault(first, this.#from, version);
    if (start + 2 > end) throw cut();
    const topicEnd = start + 2 + ((bytes[start]! << 8) | bytes[start + 1]!);
    let at = qos === 0 ? topicEnd : topicEnd + 2;
    if (at > end) throw cut();
    let packetId = 0;
    if (qos !== 0) {
      packetId = (bytes[topicEnd]! << 8) | bytes[topicEnd + 1]!;
      if (packetId === 0) throw zeroPacketId();
    }
    const packet = this.#packet;
    packet.properties = undefined;
    packet.topic = this.#topic(bytes, start + 2, topicEnd, version);
    if (version === 5) at = this.#readProperties(bytes, at, end, packet);
    packet.qos = qos as QoS; // 3 is refused above
    packet.retain = (first & 0b0001) !== 0;
    packet.dup = (first & 0b1000) !== 0;
    packet.packetId = packetId;
    packet.data = bytes;
    packet.start = at;
    packet.end = end;
    return packet;
  }

  /** The packet given out last ends here: its chunk need not stay in memory for it. */
  letPayloadGo(): void {
    this.#packet.data = EMPTY_TOPIC.bytes;
    this.#packet.start = 0;
    this.#packet.end = 0;
  }

  #topic(bytes: Uint8Array, start: number, end: number, version: ProtocolVersion): Topic {
    if (isTopic(this.#lastTopic, bytes, start, end) && start < end) return this.#lastTopic;
    if (start === end && version === 5) return EMPTY_TOPIC;
    this.#lastTopic = this.#topics.intern(bytes, start, end);
    return this.#lastTopic;
  }

  /** @returns where the payload begins. */
  #readProperties(bytes: Uint8Array, at: number, end: number, packet: DecodedPublish): number {
    if (at >= end) throw cut();
    let payloadAt = at + 1;
    if (bytes[at] !== 0) {
      const reader = new PacketReader(bytes, at, end);
      packet.properties = readProperties(reader, 'publish');
      payloadAt = reader.at;
      if (this.#from === 'client' && packet.properties.subscriptionIdentifiers !== undefined) {
        throw protocolError('[MQTT-3.3.4-6]', 'A PUBLISH of a client has a subscription identifier');
      }
    }
    if (packet.topic === EMPTY_TOPIC && packet.properties?.topicAlias === undefined) {
      throw protocolError('[MQTT-3.3.2.1]', 'A PUBLISH has neither a topic name nor a topic alias');
    }
    return payloadAt;
  }
}

/** The object that is given out as a PublishPacket. */
class DecodedPublish implements PublishPacket {
  readonly type = 'publish';
  topic: Topic = EMPTY_TOPIC;
  qos: QoS = 0;
  retain = false;
  dup = false;
  packetId = 0;
  properties: PublishProperties | undefined = undefined;
  data: Uint8Array = EMPTY_TOPIC.bytes;
  start = 0;
  end = 0;
}

function cut(): Error {
  return malformed('[MQTT-2.1.4]', 'A PUBLISH ends within a field');
}
