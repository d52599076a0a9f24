import { connect as openSocket, type Socket } from 'node:net';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type {
  AckPacket,
  ConnackPacket,
  ConnectPacket,
  DisconnectPacket,
  OutgoingPacket,
  OutgoingPublish,
  Packet,
  ProtocolVersion,
  PublishPacket,
  PublishProperties,
  QoS,
  SubackPacket,
  SubscribePacket,
  Subscription,
} from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

/** A PUBLISH that came in, with a payload of its own. */
export interface ReceivedPublish {
  readonly type: 'publish';
  readonly topic: string;
  readonly text: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetId: number;
  readonly properties: PublishProperties | undefined;
}

export type Received = Exclude<Packet, PublishPacket> | ReceivedPublish;

export interface RawClientOptions {
  readonly port: number;
  readonly version?: ProtocolVersion;
  /** Acknowledges what comes in by itself, at once. Default true. */
  readonly acknowledges?: boolean;
  /** Sees every packet that comes in, in order. */
  readonly onPacket?: (packet: Received) => void;
}

interface Waiter {
  resolve(packet: Received): void;
  reject(error: Error): void;
}

/** How long an answer may take before a test has failed. */
const ANSWER_DEADLINE_MS = 30_000;

/** The server has closed a connection on which something was still awaited. */
export class ConnectionClosed extends Error {
  /** Of the server. */
  readonly port: number;

  constructor(port: number) {
    super('the connection was closed');
    this.port = port;
  }
}

/**
 * One network connection of an MQTT client, of which a test controls everything: packet ids, acknowledgements, when it reads.
 *
 * It holds no session: what a client must remember from one connection to the next is for the caller to keep.
 */
export class RawClient implements Disposable {
  readonly version: ProtocolVersion;
  /** Settled when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  /** The DISCONNECT that the server sent before it closed. */
  disconnected: DisconnectPacket | undefined;
  isOpen = true;
  acknowledges: boolean;
  onPacket: (packet: Received) => void;
  readonly socket: Socket;
  readonly #decoder: PacketDecoder;
  readonly #waiters = new Map<string, Waiter>();
  #lastPacketId = 0;

  private constructor(socket: Socket, options: RawClientOptions) {
    this.version = options.version ?? 5;
    this.acknowledges = options.acknowledges ?? true;
    this.onPacket = options.onPacket ?? (() => {});
    this.socket = socket;
    this.#decoder = new PacketDecoder({
      maxPacketBytes: 268_435_460,
      from: 'server',
      topics: new TopicCache(64),
      version: this.version,
    });
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      socket.once('close', () => {
        this.isOpen = false;
        this.#giveUp(new ConnectionClosed(options.port));
        resolve();
      }),
    );
  }

  /** A TCP connection; nothing is sent yet. @throws where the server does not take it. */
  static async open(options: RawClientOptions): Promise<RawClient> {
    const socket = openSocket({ port: options.port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve();
      });
      socket.once('error', reject);
    });
    return new RawClient(socket, options);
  }

  /** Opens a connection and is let in. @throws where it is refused. */
  static async connect(
    options: RawClientOptions & { readonly connect?: Partial<ConnectPacket> },
  ): Promise<RawClient & { readonly connack: ConnackPacket }> {
    const client = await RawClient.open(options);
    const connack = await client.connect(options.connect);
    if (connack.reasonCode !== 0) {
      client.destroy();
      throw new Error(`CONNECT was refused with ${connack.reasonCode}`);
    }
    return Object.assign(client, { connack });
  }

  send(...packets: readonly OutgoingPacket[]): void {
    for (const packet of packets) this.socket.write(encodePacket(packet, this.version));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  async connect(options: Partial<ConnectPacket> = {}): Promise<ConnackPacket> {
    const answer = this.answer('connack');
    this.send({
      type: 'connect',
      version: this.version,
      clientId: '',
      cleanStart: true,
      keepAliveSec: 0,
      username: undefined,
      password: undefined,
      will: undefined,
      properties: {},
      ...options,
    });
    return (await answer) as ConnackPacket; // the waiter is found by its type
  }

  async subscribe(
    subscriptions: readonly (Partial<Subscription> & { readonly filter: string })[],
    options: Partial<SubscribePacket> = {},
  ): Promise<SubackPacket> {
    const packetId = this.nextPacketId();
    this.send({
      type: 'subscribe',
      packetId,
      subscriptions: subscriptions.map((one) => ({
        qos: 0,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
        ...one,
      })),
      ...options,
    });
    return (await this.answer('suback', packetId)) as SubackPacket; // the waiter is found by its type
  }

  async unsubscribe(...filters: readonly string[]): Promise<SubackPacket> {
    const packetId = this.nextPacketId();
    const answer = this.answer('unsuback', packetId);
    this.send({ type: 'unsubscribe', packetId, filters });
    return (await answer) as SubackPacket; // the waiter is found by its type
  }

  /**
   * Publishes, with the whole exchange of its QoS.
   * @returns the reason code of PUBACK or PUBREC; 0 at QoS 0.
   * @throws where the connection ends before.
   */
  async publish(topic: string, text: string, options: Partial<OutgoingPublish> = {}): Promise<number> {
    const qos = options.qos ?? 0;
    const packetId = qos === 0 ? 0 : (options.packetId ?? this.nextPacketId());
    const packet: OutgoingPublish = { type: 'publish', topic, payload: Buffer.from(text), ...options, qos, packetId };
    if (qos === 0) {
      this.send(packet);
      return 0;
    }
    const answer = this.answer(qos === 1 ? 'puback' : 'pubrec', packetId);
    this.send(packet);
    const { reasonCode } = (await answer) as AckPacket; // the waiter is found by its type
    if (qos === 2 && reasonCode < 0x80) await this.release(packetId);
    return reasonCode;
  }

  /** PUBREL, until its PUBCOMP. */
  async release(packetId: number): Promise<void> {
    const answer = this.answer('pubcomp', packetId);
    this.send({ type: 'pubrel', packetId, reasonCode: 0 });
    await answer;
  }

  async ping(): Promise<void> {
    const answer = this.answer('pingresp');
    this.send({ type: 'pingreq' });
    await answer;
  }

  /** DISCONNECT, and waits until the server has closed [MQTT-3.14.4-1]. */
  async disconnect(options: Partial<DisconnectPacket> = {}): Promise<void> {
    this.send({ type: 'disconnect', reasonCode: 0, ...options });
    const deadline = setTimeout(() => this.socket.destroy(), ANSWER_DEADLINE_MS);
    await this.closed;
    clearTimeout(deadline);
  }

  /** The next packet of a type, with this packet id where it has one. @throws after a deadline, or where the connection ends. */
  async answer(type: Received['type'], packetId = 0): Promise<Received> {
    const key = `${type}:${packetId}`;
    if (!this.isOpen) throw new Error(`no ${key}: the connection is closed`);
    if (this.#waiters.has(key)) throw new Error(`${key} is awaited already`);
    return await new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#waiters.delete(key);
        reject(new Error(`no ${key} within ${ANSWER_DEADLINE_MS} ms`));
      }, ANSWER_DEADLINE_MS);
      this.#waiters.set(key, {
        resolve: (packet) => (clearTimeout(deadline), resolve(packet)),
        reject: (error) => (clearTimeout(deadline), reject(new Error(`no ${key}: ${error.message}`, { cause: error }))),
      });
    });
  }

  /** One that is not awaited at the moment. */
  nextPacketId(): number {
    this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    return this.#lastPacketId;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** As a cable that is pulled would: no DISCONNECT. */
  destroy(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    try {
      this.#decoder.feed(chunk);
      for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) this.#receive(packet);
    } catch (error) {
      this.#giveUp(new Error('the server sent what no client can read', { cause: error }));
      this.socket.destroy();
    }
  }

  #receive(packet: Packet): void {
    const received = packet.type === 'publish' ? copyOf(packet) : packet;
    if (this.acknowledges) this.#acknowledge(received);
    if (received.type === 'disconnect') this.disconnected = received;
    const key = `${received.type}:${'packetId' in received && received.type !== 'publish' ? received.packetId : 0}`;
    const waiter = this.#waiters.get(key);
    this.#waiters.delete(key);
    waiter?.resolve(received);
    this.onPacket(received);
  }

  #acknowledge(packet: Received): void {
    if (packet.type === 'publish' && packet.qos > 0) {
      this.send({ type: packet.qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId, reasonCode: 0 });
    } else if (packet.type === 'pubrel') this.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
  }

  #giveUp(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.reject(error);
  }
}

function copyOf(packet: PublishPacket): ReceivedPublish {
  const { type, topic, qos, retain, dup, packetId, properties, data, start, end } = packet;
  const text = Buffer.from(data.buffer, data.byteOffset + start, end - start).toString();
  return { type, topic: topic.name, text, qos, retain, dup, packetId, properties };
}
