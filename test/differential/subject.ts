import type { ConnectPacket, QoS } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { RawClient, type Received } from '../harness/mqtt-client.ts';
import { CLIENTS, type ClientName, type ConnectStep, type ModelStep, type ModelWill } from './model-step.ts';
import { Observation } from './observation.ts';

const LONG_SEC = 3_600;
/** A mark that is retained. */
const KEPT = 'kept';

export interface Server {
  readonly name: string;
  readonly port: number;
  /** It sends a copy for each of several subscriptions that match. */
  readonly sendsCopies: boolean;
}

interface Place {
  readonly observation: Observation;
  client: RawClient | undefined;
  step: ConnectStep | undefined;
  connections: number;
  muted: boolean;
  lastMark: string;
}

/**
 * One server of two that are compared: the clients of a run on it, and what they see.
 *
 * Every connection has a will: where the model gives it none, one on a topic that only the witness hears. So the end of a
 * connection can be waited for. The witness is a client of its own that subscribes to everything of the run at QoS 2.
 */
export class Subject implements AsyncDisposable {
  readonly name: string;
  readonly #port: number;
  readonly #root: string;
  readonly #marks: string;
  readonly #places = new Map<ClientName, Place>();
  readonly #witness: Observation;
  #witnessClient: RawClient | undefined;
  readonly #gone = new Map<string, () => void>();
  #sharedDeliveries: string[] = [];
  #clock = 0;

  constructor({ name, port, sendsCopies }: Server, run: string) {
    this.name = name;
    this.#port = port;
    this.#root = `${run}/`;
    this.#marks = `marks-${run}/`;
    this.#witness = new Observation(sendsCopies);
    for (const client of CLIENTS) {
      this.#places.set(client, {
        observation: new Observation(sendsCopies),
        client: undefined,
        step: undefined,
        connections: 0,
        muted: false,
        lastMark: '',
      });
    }
  }

  async open(): Promise<void> {
    const witness = await RawClient.connect({ port: this.#port, version: 5, connect: { clientId: `${this.#root}witness` } });
    this.#witnessClient = witness;
    witness.onPacket = (packet) => {
      if (packet.type !== 'publish') return;
      if (packet.topic.startsWith(this.#root)) this.#witness.delivery(1, packet.topic.slice(this.#root.length), packet);
      // The text of a will names the connection that ended.
      this.#gone.get(packet.text)?.();
    };
    await witness.subscribe([
      { filter: `${this.#root}#`, qos: 2, retainAsPublished: true },
      { filter: `${this.#marks}gone`, qos: 1 },
    ]);
    await witness.publish(this.#marks + KEPT, KEPT, { qos: 1, retain: true });
  }

  isConnected(name: ClientName): boolean {
    return this.#place(name).client?.isOpen === true;
  }

  /** Does a step and waits until the server has taken it. */
  async apply(step: ModelStep, payload: string): Promise<void> {
    const place = this.#place(step.client);
    this.#witness.nextStep(step.kind);
    for (const { observation } of this.#places.values()) observation.nextStep(step.kind);
    try {
      if (step.kind === 'connect') await this.#connect(place, step);
      else await this.#act(place, step, payload);
    } catch (error) {
      place.observation.answer(`${step.kind} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    await this.#quiet(place);
  }

  /** By client what it has seen, and for the messages of shared subscriptions how often they were delivered to anybody. */
  observed(): ReadonlyMap<string, string> {
    return new Map([
      ...CLIENTS.map((name) => [name, this.#place(name).observation.toString()] as const),
      ['the witness', this.#witness.toString()],
      ['shared subscriptions', this.#sharedDeliveries.toSorted().join(', ')],
    ]);
  }

  /** Ends all sessions of the run and removes its retained messages. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client } of this.#places.values()) client?.destroy();
    this.#witnessClient?.destroy();
    for (const name of CLIENTS) {
      const client = await RawClient.connect({ port: this.#port, version: 4, connect: { clientId: this.#root + name } });
      client.destroy();
    }
    const cleaner = await RawClient.connect({ port: this.#port, version: 5 });
    const retained: string[] = [];
    cleaner.onPacket = (packet) => void (packet.type === 'publish' && retained.push(packet.topic));
    await cleaner.subscribe([this.#root, `shared/${this.#root}`, this.#marks].map((root) => ({ filter: `${root}#` })));
    await cleaner.ping();
    for (const topic of new Set(retained)) await cleaner.publish(topic, '', { qos: 1, retain: true });
    cleaner.destroy();
  }

  async #connect(place: Place, step: ConnectStep): Promise<void> {
    const old = place.client;
    const number = ++place.connections;
    const client = await RawClient.open({
      port: this.#port,
      version: step.version,
      onPacket: (packet) => this.#see(place, number, packet),
    });
    place.muted = false;
    place.step = step;
    place.client = client;
    const connack = await client.connect(this.#connectPacket(step, number));
    place.observation.answer(`#${number} CONNACK ${connack.reasonCode}${connack.sessionPresent ? ' session present' : ''}`);
    if (old?.isOpen === true) await old.closed;
    await client.subscribe([{ filter: `${this.#marks}${step.client}`, qos: 0 }]);
  }

  #connectPacket(step: ConnectStep, number: number): Partial<ConnectPacket> {
    const expirySec = step.outlives ? LONG_SEC : 0;
    const will: ModelWill = step.will ?? { topic: 'gone', qos: 1, retain: false };
    return {
      clientId: this.#root + step.client,
      cleanStart: step.cleanStart,
      will: {
        topic: step.will === undefined ? `${this.#marks}gone` : this.#root + will.topic,
        payload: Buffer.from(willText(step.client, number)),
        qos: will.qos,
        retain: will.retain,
        properties: {},
      },
      properties:
        step.version === 4
          ? {}
          : { sessionExpirySec: expirySec, ...(step.receiveMaximum !== undefined && { receiveMaximum: step.receiveMaximum }) },
    };
  }

  async #act(place: Place, step: Exclude<ModelStep, ConnectStep>, payload: string): Promise<void> {
    const { client, observation } = place;
    if (client === undefined) return;
    const root = this.#root;
    switch (step.kind) {
      case 'subscribe': {
        const isFive = client.version === 5;
        const subscriptions = step.subscriptions.map((one) => ({
          ...(isFive ? one : { qos: one.qos }),
          filter: rooted(root, one.filter),
        }));
        const identified = isFive && step.identifier !== undefined ? { subscriptionIdentifier: step.identifier } : {};
        observation.answer(`SUBACK ${(await client.subscribe(subscriptions, identified)).reasonCodes.join(' ')}`);
        await this.#retainedSent(place, client);
        return;
      }
      case 'unsubscribe': {
        const filters = step.filters.map((filter) => rooted(root, filter));
        observation.answer(`UNSUBACK ${(await client.unsubscribe(...filters)).reasonCodes.join(' ')}`);
        return;
      }
      case 'publish': {
        const { qos, retain, properties } = step;
        const code = await client.publish(rooted(root, step.topic), step.empty ? '' : payload, { qos, retain, properties });
        // That nobody subscribes may be said or not (MQTT 5.0, 3.4.2.1).
        observation.answer(`published ${code === 0x10 ? 0 : code}`);
        return;
      }
      case 'broken-qos2':
        await this.#breakQos2(place, root + step.topic, payload, step.sentAgain);
        return;
      case 'disconnect':
        await this.#disconnect(place, client, step);
        return;
      case 'drop':
        await this.#ended(place, async () => client.destroy());
        return;
      case 'mute':
        place.muted = true;
        client.acknowledges = false;
    }
  }

  async #disconnect(place: Place, client: RawClient, step: ModelStep & { readonly kind: 'disconnect' }): Promise<void> {
    const withWill = step.withWill && client.version === 5;
    const options = {
      reasonCode: withWill ? 4 : 0,
      ...(client.version === 5 && step.endsSession && place.step?.outlives === true && { sessionExpirySec: 0 }),
    };
    if (withWill) await this.#ended(place, async () => await client.disconnect(options));
    else await client.disconnect(options);
  }

  async #breakQos2(place: Place, topic: string, payload: string, sentAgain: boolean): Promise<void> {
    const { client, step } = place;
    if (client === undefined || step === undefined) return;
    const packetId = 60_000;
    const message = { type: 'publish', topic, payload: Buffer.from(payload), qos: 2, packetId } as const;
    const received = client.answer('pubrec', packetId);
    client.send(message);
    await received;
    await this.#ended(place, async () => client.destroy());
    await this.#connect(place, { ...step, cleanStart: false });
    const again = place.client;
    if (again === undefined) return;
    if (sentAgain) {
      const once = again.answer('pubrec', packetId);
      again.send({ ...message, dup: true });
      await once;
    }
    await again.release(packetId);
  }

  /** Ends the connection of a place by `end`, and waits for its will. */
  async #ended(place: Place, end: () => Promise<void>): Promise<void> {
    const name = place.step?.client;
    if (name === undefined) return;
    const will = willText(name, place.connections);
    const heard = new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(() => reject(new Error('no will was published')), 30_000);
      this.#gone.set(will, () => (clearTimeout(deadline), resolve()));
    });
    await end();
    await heard;
    this.#gone.delete(will);
  }

  #see(place: Place, connection: number, packet: Received): void {
    if (packet.type === 'disconnect' && packet.reasonCode !== ReasonCode.sessionTakenOver) {
      place.observation.answer(`#${connection} DISCONNECT ${packet.reasonCode}`);
    }
    if (packet.type !== 'publish') return;
    if (packet.topic.startsWith(this.#marks)) place.lastMark = packet.text;
    else if (packet.topic.startsWith('shared/')) {
      this.#sharedDeliveries.push(`${packet.text} QoS ${packet.qos}`);
    } else place.observation.delivery(connection, packet.topic.slice(this.#root.length), packet);
  }

  /**
   * All retained messages that are due to a new subscription have come: Selsyn sends those of each in turn, and what it has not sent
   * when the client goes it sends on the next connection, as it is then.
   */
  async #retainedSent(place: Place, client: RawClient): Promise<void> {
    place.lastMark = '';
    await client.subscribe([{ filter: this.#marks + KEPT, qos: 0 }]);
    await this.#marked(place, KEPT);
  }

  /** Every connected client has had a mark that the acting client, and then the witness, published after the step. */
  async #quiet(actor: Place): Promise<void> {
    for (const publisher of [actor.client, this.#witnessClient]) {
      if (publisher?.isOpen !== true) continue;
      const mark = `mark ${++this.#clock}`;
      const waiting = CLIENTS.filter((name) => this.isConnected(name));
      const qos: QoS = 1;
      await Promise.all(waiting.map(async (name) => await publisher.publish(this.#marks + name, mark, { qos })));
      for (const name of waiting) await this.#marked(this.#place(name), mark);
    }
  }

  async #marked(place: Place, mark: string): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (place.lastMark !== mark && place.client?.isOpen === true) {
      if (performance.now() > deadline) throw new Error(`${this.name}: ${place.step?.client} was not sent ${mark}`);
      await new Promise(setImmediate);
    }
  }

  #place(name: ClientName): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new Error(`no client ${name}`);
    return place;
  }
}

function willText(client: ClientName, connection: number): string {
  return `will of ${client}#${connection}`;
}

/** A topic or filter of the run: below its root, or, of shared subscriptions, below `shared` and the root. */
function rooted(root: string, name: string): string {
  return name.includes('shared/') ? name.replace('shared/', `shared/${root}`) : root + name;
}
