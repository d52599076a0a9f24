import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import type { Broker } from './broker.ts';
import { connectOf, type Got, publishOf, subscribeOf, TestClient } from './broker.fixture.ts';

type Came = Awaited<ReturnType<TestClient['take']>>[number];

interface ClientOptions {
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly persistent: boolean;
  readonly receiveMaximum?: number;
}

/** A client that behaves, over connections that come and go. */
abstract class ModelClient {
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly persistent: boolean;
  readonly #receiveMaximum: number | undefined;
  protected link: TestClient | undefined;
  protected open = false;
  /** The next CONNECT asks for a clean start. */
  protected cleanNext = true;
  /** The last CONNECT asked for the session that was there. */
  protected wantsSession = false;

  constructor({ id, version, persistent, receiveMaximum }: ClientOptions) {
    this.id = id;
    this.version = version;
    this.persistent = persistent;
    this.#receiveMaximum = receiveMaximum;
  }

  get isOpen(): boolean {
    return this.open;
  }

  connect(broker: Broker): void {
    if (this.link !== undefined) this.lose();
    this.link = new TestClient(broker, this.version);
    const receiveMaximum = this.#receiveMaximum;
    const properties = { ...(this.persistent && { sessionExpirySec: 1_000_000 }), ...(receiveMaximum && { receiveMaximum }) };
    // A 3.1.1 client that asks for a clean session gets none that lasts.
    const cleanStart = this.cleanNext && !(this.version === 4 && this.persistent);
    this.wantsSession = !cleanStart;
    this.link.send(connectOf(this.version, { clientId: this.id, cleanStart, properties: this.version === 5 ? properties : {} }));
  }

  /** The connection breaks; what was under way to the client is lost. */
  lose(): void {
    const { link } = this;
    this.gone();
    link?.transport.destroy();
  }

  /** The server has ended. */
  gone(): void {
    this.link = undefined;
    this.open = false;
  }

  /** Takes what has come. */
  async pull(): Promise<void> {
    const { link } = this;
    if (link === undefined) return;
    for (const packet of await link.take()) {
      if (this.link !== link) return;
      if (packet.type === 'connack') {
        if (packet.reasonCode !== 0) continue;
        this.open = true;
        this.cleanNext = !this.persistent;
        this.onOpen(packet.sessionPresent);
      } else this.onPacket(packet);
    }
    if (this.link === link && link.transport.ended) this.lose();
  }

  protected abstract onOpen(present: boolean): void;
  protected abstract onPacket(packet: Came): void;
}

export interface Sent {
  readonly text: string;
  readonly topic: string;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** How often PUBLISH went out. */
  tries: number;
  state: 'under way' | 'released' | 'acknowledged' | 'refused' | 'unknown';
}

/** Publishes at QoS 1 and 2, and sends again what was not acknowledged, as the standard says [MQTT-4.4.0-1]. */
export class ModelPublisher extends ModelClient {
  readonly sent: Sent[] = [];
  readonly #underWay = new Map<number, Sent>();
  #lastId = 0;

  publish(topic: string, qos: 1 | 2, retain: boolean): void {
    if (!this.open || this.#underWay.size >= 20) return;
    do this.#lastId = (this.#lastId % 30) + 1;
    while (this.#underWay.has(this.#lastId));
    const sent: Sent = { text: `${this.id}:${this.sent.length}`, topic, qos, retain, tries: 0, state: 'under way' };
    this.sent.push(sent);
    this.#underWay.set(this.#lastId, sent);
    this.#send(this.#lastId, sent);
  }

  get idle(): boolean {
    return this.open && this.#underWay.size === 0;
  }

  protected override onOpen(present: boolean): void {
    for (const [packetId, sent] of this.#underWay) {
      if (sent.state === 'released') {
        if (present) this.link?.send({ type: 'pubrel', packetId, reasonCode: 0 });
        else this.#underWay.delete(packetId);
      } else if (present) this.#send(packetId, sent);
      else {
        // Whether it was taken, nobody can tell.
        sent.state = 'unknown';
        this.#underWay.delete(packetId);
      }
    }
  }

  protected override onPacket(packet: Came): void {
    if (packet.type !== 'puback' && packet.type !== 'pubrec' && packet.type !== 'pubcomp') return;
    const { packetId, reasonCode, type } = packet;
    const sent = this.#underWay.get(packetId);
    if (sent === undefined) throw new Error(`${this.id}: ${type} ${packetId} for nothing`);
    if (type === 'pubcomp') {
      if (sent.state !== 'released') throw new Error(`${this.id}: PUBCOMP ${packetId} before PUBREL`);
      sent.state = 'acknowledged';
      this.#underWay.delete(packetId);
    } else if (reasonCode >= 0x80) {
      sent.state = 'refused';
      this.#underWay.delete(packetId);
    } else if (type === 'puback') {
      sent.state = 'acknowledged';
      this.#underWay.delete(packetId);
    } else {
      sent.state = 'released';
      this.link?.send({ type: 'pubrel', packetId, reasonCode: 0 });
    }
  }

  #send(packetId: number, sent: Sent): void {
    const { topic, text, qos, retain } = sent;
    this.link?.send(publishOf(topic, text, { qos, retain, packetId, dup: sent.tries++ > 0 }));
  }
}

/** Takes messages once, and remembers what QoS 2 asks of it. */
export class ModelSubscriber extends ModelClient {
  readonly filter: string;
  readonly qos: 1 | 2;
  /** Texts of all that came and was not retained, in the order of their coming, since it last began anew. */
  got: { readonly text: string; readonly qos: number }[] = [];
  subscribed = false;
  /** Called when it has been told that it is subscribed. */
  onSubscribed: (() => void) | undefined;
  /** Answers are kept back: the next break loses them. */
  isMute = false;
  readonly #known = new Set<number>();

  constructor(options: ClientOptions & { readonly filter: string; readonly qos: 1 | 2 }) {
    super(options);
    this.filter = options.filter;
    this.qos = options.qos;
  }

  /** Gives up its session: the next begins anew. */
  restart(): void {
    this.cleanNext = true;
    this.lose();
  }

  override gone(): void {
    super.gone();
    this.isMute = false;
    if (!this.persistent) this.#forget();
  }

  protected override onOpen(present: boolean): void {
    if (!present && this.wantsSession && this.subscribed) throw new Error(`${this.id}: the session is lost`);
    if (!present) this.#forget();
    if (!this.subscribed) this.link?.send(subscribeOf(this.filter, this.qos));
  }

  protected override onPacket(packet: Came): void {
    if (packet.type === 'suback') {
      this.subscribed = packet.reasonCodes.every((code) => code < 0x80);
      if (this.subscribed) this.onSubscribed?.();
      else this.link?.send(subscribeOf(this.filter, this.qos));
    } else if (packet.type === 'publish') this.#take(packet);
    else if (packet.type === 'pubrel') {
      this.#known.delete(packet.packetId);
      if (!this.isMute) this.link?.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
    }
  }

  #take({ text, qos, retain, packetId }: Got): void {
    const isNew = qos !== 2 || !this.#known.has(packetId);
    if (qos === 2) this.#known.add(packetId);
    if (isNew && !retain) this.got.push({ text, qos });
    if (!this.isMute) this.link?.send({ type: qos === 2 ? 'pubrec' : 'puback', packetId, reasonCode: 0 });
  }

  #forget(): void {
    this.#known.clear();
    this.got = [];
    this.subscribed = false;
  }
}
