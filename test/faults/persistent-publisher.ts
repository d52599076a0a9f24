import type { OutgoingPublish, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { RawClient, type Received } from '../harness/mqtt-client.ts';

export interface PublisherOptions {
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly qos: 1 | 2;
  /** Keeps its session, and sends again what was not acknowledged. */
  readonly persistent: boolean;
  readonly topic: string;
  /** Messages that it sends in one connection at most. */
  readonly perConnection: number;
}

interface InFlight {
  readonly n: number;
  /** The server has it (PUBREC); it is told to release it. */
  released: boolean;
}

const WINDOW = 16;

/**
 * Publishes the numbers 0, 1, 2 … to one topic, as a correct client over connections that break: it keeps what is not
 * acknowledged, and, where its session is persistent, sends it again, marked DUP, in the order of before [MQTT-4.4.0-1].
 */
export class PersistentPublisher {
  readonly options: PublisherOptions;
  /** Acknowledged to it: PUBACK, or PUBREC, without an error. */
  readonly acknowledged = new Set<number>();
  sent = 0;
  refused = 0;
  readonly #inFlight = new Map<number, InFlight>();
  #wasConnected = false;
  #lastPacketId = 0;

  constructor(options: PublisherOptions) {
    this.options = options;
  }

  /** Connects and publishes until the connection breaks or it has sent as much as it is to send in one. */
  async run(port: number): Promise<void> {
    const client = await this.#connect(port);
    if (client === undefined) return;
    const left = this.sent + this.options.perConnection;
    while (client.isOpen && (this.sent < left || this.#inFlight.size > 0)) {
      if (this.sent < left && this.#inFlight.size < WINDOW) this.#publish(client, this.sent++);
      else await Promise.race([client.closed, pause(2)]);
    }
    if (client.isOpen) await Promise.race([client.closed, pause(5_000)]);
    client.destroy();
  }

  /** Connects, has everything acknowledged and goes. */
  async finish(port: number): Promise<void> {
    const client = await this.#connect(port);
    if (client === undefined) throw new Error(`${this.options.id} could not connect`);
    const end = performance.now() + 20_000;
    while (this.#inFlight.size > 0) {
      if (!client.isOpen || performance.now() > end) throw new Error(`${this.options.id}: ${this.#inFlight.size} unacknowledged`);
      await pause(2);
    }
    await client.disconnect();
  }

  async #connect(port: number): Promise<RawClient | undefined> {
    const { id, version, persistent } = this.options;
    let client: RawClient;
    try {
      client = await RawClient.open({ port, version });
      const connack = await client.connect({
        clientId: id,
        cleanStart: !persistent,
        properties: version === 5 && persistent ? { sessionExpirySec: 3_600 } : {},
      });
      if (connack.reasonCode !== 0) throw new Error(`${id} was refused with ${connack.reasonCode}`);
      if (connack.sessionPresent !== (persistent && this.#wasConnected)) {
        throw new Error(`${id} was told session present ${connack.sessionPresent}`);
      }
    } catch (error) {
      // The server was killed under the attempt.
      if (error instanceof Error && /ECONN|closed|EPIPE/.test(error.message)) return undefined;
      throw error;
    }
    this.#wasConnected = true;
    client.onPacket = (packet) => this.#take(client, packet);
    if (persistent) this.#sendAgain(client);
    else this.#inFlight.clear();
    return client;
  }

  #sendAgain(client: RawClient): void {
    for (const [packetId, { n, released }] of this.#inFlight) {
      if (released) client.send({ type: 'pubrel', packetId, reasonCode: 0 });
      else client.send(this.#packet(n, packetId, true));
    }
  }

  #publish(client: RawClient, n: number): void {
    do this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    while (this.#inFlight.has(this.#lastPacketId));
    this.#inFlight.set(this.#lastPacketId, { n, released: false });
    client.send(this.#packet(n, this.#lastPacketId, false));
  }

  #packet(n: number, packetId: number, dup: boolean): OutgoingPublish {
    const { topic, qos } = this.options;
    return { type: 'publish', topic, payload: Buffer.from(String(n)), qos, packetId, dup };
  }

  #take(client: RawClient, packet: Received): void {
    if (packet.type !== 'puback' && packet.type !== 'pubrec' && packet.type !== 'pubcomp') return;
    const { packetId, reasonCode, type } = packet;
    const message = this.#inFlight.get(packetId);
    if (message === undefined) throw new Error(`${this.options.id}: ${type} for ${packetId}, which is not in flight`);
    if (type !== 'pubcomp') {
      if (reasonCode >= 0x80) this.refused += 1;
      else this.acknowledged.add(message.n);
    }
    if (type === 'pubrec' && reasonCode < 0x80) {
      message.released = true;
      client.send({ type: 'pubrel', packetId, reasonCode: 0 });
    } else this.#inFlight.delete(packetId);
  }
}
