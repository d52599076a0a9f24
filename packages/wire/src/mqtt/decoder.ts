import { readAck } from './ack-codec.ts';
import { readConnack } from './connack-codec.ts';
import { readConnect } from './connect-codec.ts';
import { readAuth, readDisconnect } from './disconnect-codec.ts';
import { HeldBytes } from './held-bytes.ts';
import { malformed, MqttError, protocolError } from './mqtt-error.ts';
import { PacketReader } from './packet-reader.ts';
import { firstByteFault, PacketType, type Sender } from './packet-type.ts';
import type { Packet, PingPacket, ProtocolVersion, PublishPacket } from './packets.ts';
import { PublishReader } from './publish-reader.ts';
import { ReasonCode } from './reason-codes.ts';
import { readSuback } from './suback-codec.ts';
import { readSubscribe, readUnsubscribe } from './subscribe-codec.ts';
import type { TopicCache } from './topic-cache.ts';
import { variableByteIntegerLength } from './variable-byte-integer.ts';

export interface PacketDecoderOptions {
  /** The largest packet taken, its fixed header included. */
  readonly maxPacketBytes: number;
  /** Who sends: packets that only the other side may send are protocol errors. */
  readonly from: Sender;
  /** May be shared by all decoders of a thread. */
  readonly topics: TopicCache;
  /** Left out: the first packet must be a CONNECT, which sets it. */
  readonly version?: ProtocolVersion;
}

/**
 * Decodes the packets of one connection from chunks that are cut anywhere.
 *
 * ```
 *   fixed header    type (4 bits) | flags (4 bits)
 *                   remaining length: variable byte integer
 *   body            as long as that
 * ```
 * A packet that lies in one chunk is decoded in place. One that does not is gathered in a buffer that grows with the bytes that came.
 * Its first byte and its length are checked before anything is gathered, so that no more than `maxPacketBytes` is ever held.
 */
export class PacketDecoder {
  /** Of the connection: 4 until a CONNECT says otherwise. */
  version: ProtocolVersion;

  readonly #maxPacketBytes: number;
  readonly #from: Sender;
  readonly #publish: PublishReader;
  readonly #held = new HeldBytes();
  #connected: boolean;
  #failure: unknown;
  #chunk = NO_CHUNK;
  #at = 0;
  #limit = 0;
  /** Of the packet whose header was read last: where its body begins and ends, from the packet's first byte. */
  #headBytes = 0;
  #packetBytes = 0;

  constructor(options: PacketDecoderOptions) {
    this.version = options.version ?? 4;
    this.#maxPacketBytes = options.maxPacketBytes;
    this.#from = options.from;
    this.#publish = new PublishReader(options.from, options.topics);
    this.#connected = options.from === 'server' || options.version !== undefined;
  }

  /** Bytes that were fed and not given out yet. */
  get bufferedBytes(): number {
    return this.#held.length + this.#limit - this.#at;
  }

  /** The size of the packet that {@link next} gave out last, its fixed header included. */
  get packetBytes(): number {
    return this.#packetBytes;
  }

  /**
   * Takes the next chunk without copying it: it must not change until {@link next} has returned undefined, which the previous chunk
   * must have reached before.
   */
  feed(chunk: Uint8Array): void {
    if (this.#at < this.#limit) throw new Error('A chunk was fed before next() had returned undefined');
    if (this.#failure !== undefined) throw this.#failure;
    this.#chunk = chunk;
    this.#at = 0;
    this.#limit = chunk.length;
  }

  /**
   * The next whole packet, or undefined when another chunk is needed. A PUBLISH is the same object each time and is valid, with its
   * payload, until the next call.
   * @throws MqttError where the sender broke the protocol; each later call throws it again.
   */
  next(): Packet | undefined {
    try {
      return this.#held.length > 0 ? this.#nextHeld() : this.#nextInChunk();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #nextInChunk(): Packet | undefined {
    const chunk = this.#chunk;
    const at = this.#at;
    const hasHead = at < this.#limit && this.#readHead(chunk, at, this.#limit);
    if (hasHead && this.#packetBytes <= this.#limit - at) {
      const end = at + this.#packetBytes;
      this.#at = end;
      return this.#readBody(chunk, chunk[at]!, at + this.#headBytes, end);
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#held.trim();
    return this.#holdRest(hasHead ? this.#packetBytes : this.#maxPacketBytes);
  }

  #nextHeld(): Packet | undefined {
    const held = this.#held;
    while (!this.#readHead(held.bytes, 0, held.length)) {
      if (this.#at === this.#limit) return this.#holdRest(this.#maxPacketBytes);
      held.append(this.#chunk, this.#at, ++this.#at, this.#maxPacketBytes);
    }
    const missing = this.#packetBytes - held.length;
    if (missing > this.#limit - this.#at) return this.#holdRest(this.#packetBytes);
    held.append(this.#chunk, this.#at, this.#at + missing, this.#packetBytes);
    this.#at += missing;
    held.clear();
    return this.#readBody(held.bytes, held.bytes[0]!, this.#headBytes, this.#packetBytes);
  }

  /** Keeps what is left of the chunk and lets the chunk go. */
  #holdRest(total: number): undefined {
    if (this.#at < this.#limit) {
      this.#checkFirstByte(this.#held.length > 0 ? this.#held.bytes[0]! : this.#chunk[this.#at]!);
      this.#held.append(this.#chunk, this.#at, this.#limit, total);
    }
    this.#letChunkGo();
    return undefined;
  }

  /**
   * Reads the fixed header of the packet at `at` into the two fields above.
   * @returns false where the header goes on behind `limit`.
   */
  #readHead(bytes: Uint8Array, at: number, limit: number): boolean {
    let position = at + 1;
    let remainingLength = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (position >= limit) return false;
      const byte = bytes[position++]!;
      remainingLength |= (byte & 0x7f) << shift;
      if (byte > 127) continue;
      this.#headBytes = position - at;
      this.#packetBytes = position - at + remainingLength;
      if (this.#packetBytes > this.#maxPacketBytes) throw this.#tooLarge();
      return true;
    }
    throw malformed('[MQTT-1.5.5]', 'A remaining length has more than four bytes');
  }

  #readBody(bytes: Uint8Array, first: number, start: number, end: number): Packet {
    if (first >> 4 === PacketType.publish && this.#connected) {
      if (this.version === 5) this.#checkShortestHead();
      return this.#publish.read(bytes, first, start, end, this.version);
    }
    this.#checkFirstByte(first);
    const packet = this.#readOther(first >> 4, new PacketReader(bytes, start, end));
    if (packet.type === 'connect') {
      this.version = packet.version;
      this.#connected = true;
    }
    if (this.version === 5) this.#checkShortestHead();
    return packet;
  }

  #readOther(type: number, reader: PacketReader): Exclude<Packet, PublishPacket> {
    const version = this.version;
    switch (type) {
      case PacketType.connect:
        return readConnect(reader);
      case PacketType.connack:
        return readConnack(reader, version);
      case PacketType.puback:
        return readAck(reader, 'puback', version);
      case PacketType.pubrec:
        return readAck(reader, 'pubrec', version);
      case PacketType.pubrel:
        return readAck(reader, 'pubrel', version);
      case PacketType.pubcomp:
        return readAck(reader, 'pubcomp', version);
      case PacketType.subscribe:
        return readSubscribe(reader, version);
      case PacketType.suback:
        return readSuback(reader, 'suback', version);
      case PacketType.unsubscribe:
        return readUnsubscribe(reader, version);
      case PacketType.unsuback:
        return readSuback(reader, 'unsuback', version);
      case PacketType.pingreq:
        reader.expectEnd();
        return PINGREQ;
      case PacketType.pingresp:
        reader.expectEnd();
        return PINGRESP;
      case PacketType.disconnect:
        return readDisconnect(reader, version, this.#from);
      default:
        return readAuth(reader);
    }
  }

  #checkFirstByte(byte: number): void {
    const fault = firstByteFault(byte, this.#from, this.#connected ? this.version : 5);
    if (fault !== undefined) throw fault;
    const isConnect = byte >> 4 === PacketType.connect;
    if (!this.#connected && !isConnect) throw protocolError('[MQTT-3.1.0-1]', 'The first packet is not a CONNECT');
    if (this.#connected && isConnect) throw protocolError('[MQTT-3.1.0-2]', 'A client sent a second CONNECT');
  }

  /** 3.1.1 does not ask for it. */
  #checkShortestHead(): void {
    if (this.#headBytes === 2) return;
    if (this.#headBytes === 1 + variableByteIntegerLength(this.#packetBytes - this.#headBytes)) return;
    throw malformed('[MQTT-1.5.5-1]', 'A remaining length is not in its shortest form');
  }

  #tooLarge(): MqttError {
    const clause = this.#from === 'client' ? '[MQTT-3.2.2-15]' : '[MQTT-3.1.2-24]';
    const message = `A packet of ${this.#packetBytes} bytes is larger than the ${this.#maxPacketBytes} allowed`;
    return new MqttError(ReasonCode.packetTooLarge, clause, message);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#held.clear();
    this.#held.trim();
    this.#letChunkGo();
  }

  #letChunkGo(): void {
    this.#chunk = NO_CHUNK;
    this.#at = 0;
    this.#limit = 0;
    this.#publish.letPayloadGo();
  }
}

const NO_CHUNK: Uint8Array = new Uint8Array(0);
const PINGREQ: PingPacket = { type: 'pingreq' };
const PINGRESP: PingPacket = { type: 'pingresp' };
