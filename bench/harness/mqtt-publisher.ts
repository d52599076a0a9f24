import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';

const WINDOW = 64;
const DEADLINE_MS = 30_000;

/** A QoS 1 publisher for what a bench stores or probes itself: at most 64 messages are unacknowledged. */
export class MqttPublisher implements Disposable {
  readonly #socket: Socket;
  readonly #decoder = new PacketDecoder({ maxPacketBytes: 65_536, from: 'server', topics: new TopicCache(16), version: 4 });
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;
  #packetId = 0;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')));
  }

  static async open(port: number, clientId: string): Promise<MqttPublisher> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const publisher = new MqttPublisher(socket);
    socket.write(
      encodePacket(
        {
          type: 'connect',
          version: 4,
          clientId,
          cleanStart: true,
          keepAliveSec: 0,
          username: undefined,
          password: undefined,
          will: undefined,
          properties: {},
        },
        4,
      ),
    );
    publisher.#inFlight = 1;
    await publisher.acknowledged();
    return publisher;
  }

  /** Resolves as soon as the window has room: not when this message is acknowledged. */
  async publish(topic: string, payload: Uint8Array): Promise<void> {
    while (this.#inFlight >= WINDOW) await this.#nextAcknowledgement();
    if (this.#failure !== undefined) throw this.#failure;
    this.#packetId = (this.#packetId % 65_535) + 1;
    this.#inFlight++;
    this.#socket.write(encodePacket({ type: 'publish', topic, payload, qos: 1, packetId: this.#packetId }, 4));
  }

  /** Resolves when nothing is unacknowledged. */
  async acknowledged(): Promise<void> {
    while (this.#inFlight > 0) await this.#nextAcknowledgement();
  }

  [Symbol.dispose](): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  async #nextAcknowledgement(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const deadline = setTimeout(() => this.#fail(new Error('no acknowledgement within the deadline')), DEADLINE_MS);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    clearTimeout(deadline);
    if (this.#failure !== undefined) throw this.#failure;
  }

  #take(chunk: Buffer): void {
    this.#decoder.feed(chunk);
    for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
      if (packet.type === 'puback' || packet.type === 'connack') this.#inFlight--;
      if (packet.type === 'connack' && packet.reasonCode !== 0) this.#fail(new Error(`CONNACK ${packet.reasonCode}`));
    }
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
