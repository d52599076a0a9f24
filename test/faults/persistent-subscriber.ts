import type { ProtocolVersion, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { RawClient, type Received, type ReceivedPublish } from '../harness/mqtt-client.ts';
import type { Random } from '../harness/random.ts';

export interface SubscriberOptions {
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly filter: string;
  readonly qos: QoS;
  /** Longest time it takes to acknowledge, ms. */
  readonly slownessMs: number;
  readonly receiveMaximum: number | undefined;
}

/**
 * Subscribes with a persistent session and acknowledges late, in the order in which messages came [MQTT-4.6.0-2]. As a correct
 * client it remembers the packet ids of QoS 2 messages it has, over connections, until they are released.
 */
export class PersistentSubscriber {
  readonly options: SubscriberOptions;
  /** By topic, what was handed to the application, in order. */
  readonly heard = new Map<string, number[]>();
  readonly #random: Random;
  readonly #received = new Set<number>();
  #client: RawClient | undefined;
  #waiting: Received[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isSubscribed = false;
  #slownessMs: number;

  constructor(options: SubscriberOptions, random: Random) {
    this.options = options;
    this.#slownessMs = options.slownessMs;
    this.#random = random;
  }

  get isOnline(): boolean {
    return this.#client?.isOpen === true;
  }

  /** @throws where its session, once opened, is not there any more. */
  async connect(port: number): Promise<void> {
    const { id, version, filter, qos, receiveMaximum } = this.options;
    const client = await RawClient.open({
      port,
      version,
      acknowledges: false,
      onPacket: (packet) => this.#take(client, packet),
    });
    this.#waiting = [];
    this.#client = client;
    const connack = await client.connect({
      clientId: id,
      cleanStart: false,
      properties: version === 5 ? { sessionExpirySec: 3_600, ...(receiveMaximum !== undefined && { receiveMaximum }) } : {},
    });
    if (connack.reasonCode !== 0) throw new Error(`${id} was refused with ${connack.reasonCode}`);
    if (connack.sessionPresent !== this.#isSubscribed) {
      throw new Error(`${id} was told session present ${connack.sessionPresent}`);
    }
    if (this.#isSubscribed) return;
    const { reasonCodes } = await client.subscribe([{ filter, qos }]);
    if (reasonCodes[0] !== qos) throw new Error(`${id} was granted ${reasonCodes.join()}`);
    this.#isSubscribed = true;
  }

  /** Acknowledges without delay from now on. */
  hurry(): void {
    this.#slownessMs = 0;
  }

  /** Goes without a word. */
  drop(): void {
    this.#client?.destroy();
  }

  #take(client: RawClient, packet: Received): void {
    if (client !== this.#client) return;
    if (packet.type === 'publish') this.#hear(packet);
    if (packet.type !== 'pubrel' && (packet.type !== 'publish' || packet.qos === 0)) return;
    this.#waiting.push(packet);
    this.#schedule(client);
  }

  #hear(packet: ReceivedPublish): void {
    if (packet.qos === 2) {
      // The same message again [MQTT-4.3.3-10]: the application has it.
      if (this.#received.has(packet.packetId)) return;
      this.#received.add(packet.packetId);
    }
    const numbers = this.heard.get(packet.topic);
    if (numbers === undefined) this.heard.set(packet.topic, [Number(packet.text)]);
    else numbers.push(Number(packet.text));
  }

  #schedule(client: RawClient): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        if (client !== this.#client || !client.isOpen) return;
        for (let some = 1 + this.#random.below(40); some > 0; some -= 1) {
          const packet = this.#waiting.shift();
          if (packet !== undefined) this.#acknowledge(client, packet);
        }
        if (this.#waiting.length > 0) this.#schedule(client);
      },
      this.#random.below(this.#slownessMs + 1),
    );
  }

  #acknowledge(client: RawClient, packet: Received): void {
    if (packet.type === 'publish') {
      client.send({ type: packet.qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId, reasonCode: 0 });
    } else if (packet.type === 'pubrel') {
      this.#received.delete(packet.packetId);
      client.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
    }
  }
}
