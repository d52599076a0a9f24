import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import type { PublishPacket } from '@selsyn/wire/mqtt/packets.ts';
import { writePublish } from '@selsyn/wire/mqtt/publish-writer.ts';
import type { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { copyBytes } from './copy-bytes.ts';
import { Message } from './message.ts';

/** A message as an MQTT 5.0 PUBLISH, to cross to another thread or to be stored. Its packet id (1, at QoS 1 and 2) has no meaning. */
export function packetOf(message: Message): Uint8Array {
  const encoded = message.encoding(5, message.qos, message.retain, undefined);
  if (message.qos === 0) return encoded.bytes;
  const bytes = new Uint8Array(encoded.bytes.length);
  writePublish(bytes, 0, encoded, 1);
  return bytes;
}

/** Makes messages of such packets again. */
export class MessageReader {
  readonly #topics: TopicCache;
  #decoder: PacketDecoder | undefined;

  constructor(topics: TopicCache) {
    this.#topics = topics;
  }

  /**
   * The message keeps nothing of `bytes`.
   * @param options.expiresAtMs monotonic; left out: as long after `nowMs` as the packet says.
   * @throws MqttError where the bytes are no packet
   */
  read(bytes: Uint8Array, nowMs: number, options: { readonly origin?: string; readonly expiresAtMs?: number } = {}): Message {
    this.#decoder ??= new PacketDecoder({ maxPacketBytes: MAX_PACKET_BYTES, from: 'server', topics: this.#topics, version: 5 });
    const packet = this.#decode(this.#decoder, bytes);
    const payload = copyBytes(packet.data, packet.start, packet.end);
    return new Message(packet.topic, payload, packet, packet.properties, nowMs, options.origin, options.expiresAtMs);
  }

  #decode(decoder: PacketDecoder, bytes: Uint8Array): PublishPacket {
    try {
      decoder.feed(bytes);
      const packet = decoder.next();
      if (packet?.type === 'publish') return packet;
    } catch (error) {
      this.#decoder = undefined;
      throw error;
    }
    this.#decoder = undefined;
    throw new TypeError('what is kept of a message is a PUBLISH');
  }
}

/** The largest that MQTT knows: the publisher's own limit was checked where it came in. */
const MAX_PACKET_BYTES = 268_435_460;
