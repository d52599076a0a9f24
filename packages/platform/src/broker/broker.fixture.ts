import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type {
  ConnackPacket,
  ConnectPacket,
  OutgoingPacket,
  OutgoingPublish,
  Packet,
  ProtocolVersion,
} from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import type { Bus } from '../bus/bus.ts';
import { SelsynError } from '../kernel/errors.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { SessionStore } from '../session-store/session-store.ts';
import type { PresenceListener } from './client-watch.ts';
import type { TopicWatcher } from './topic-watch.ts';
import type { AudienceListener } from './audience.ts';
import type { Authorizer, Principal } from './authorizer.ts';
import { Broker } from './broker.ts';
import type { Claim, Intake, IntakeListener } from './intake.ts';
import type { BrokerLimits } from './limits.ts';
import type { RequestHandler } from './requests.ts';
import type { Transport, TransportListener } from './transport.ts';

/** Lets everything run that was left for later turns of the event loop. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 8; i++) await new Promise(setImmediate);
}

/** A transport without a network: what was written is kept, and the test says when it is congested or lost. */
export class MemoryTransport implements Transport {
  readonly door = 'tcp';
  readonly remoteAddress = '192.0.2.1';
  readonly certificate = undefined;
  listener: TransportListener | undefined;
  chunks: Uint8Array[] = [];
  backlogBytes = 0;
  congested = false;
  paused = false;
  ended = false;
  destroyed = false;

  write(bytes: Uint8Array): boolean {
    if (!this.ended && !this.destroyed) this.chunks.push(Uint8Array.from(bytes));
    if (this.congested) this.backlogBytes += bytes.length;
    return true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.listener?.onClose();
  }
  attach(listener: TransportListener): void {
    this.listener = listener;
  }
  drain(): void {
    this.congested = false;
    this.backlogBytes = 0;
    this.listener?.onDrain();
  }
}

/** A PUBLISH as a test compares it. */
export interface Got {
  readonly type: 'publish';
  readonly topic: string;
  readonly text: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly packetId: number;
  readonly properties: object | undefined;
}

/** A client that speaks packets over a {@link MemoryTransport}. */
export class TestClient {
  readonly transport = new MemoryTransport();
  readonly version: ProtocolVersion;
  readonly #decoder: PacketDecoder;

  #kept: (Exclude<Packet, { type: 'publish' }> | Got)[] = [];
  /** What CONNECT was answered with. */
  connack: ConnackPacket | undefined;

  constructor(broker: Broker, version: ProtocolVersion) {
    this.version = version;
    this.#decoder = new PacketDecoder({ maxPacketBytes: 1e8, from: 'server', topics: new TopicCache(100), version });
    broker.accept(this.transport);
  }

  /** All packets in one chunk. */
  send(...packets: readonly OutgoingPacket[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  sendBytes(bytes: Uint8Array): void {
    this.transport.listener?.onData(bytes);
  }

  publish(topic: string, text: string, options: Partial<OutgoingPublish> = {}): void {
    this.send(publishOf(topic, text, options));
  }

  /** What came since the last call, after everything has run. */
  async take(): Promise<(Exclude<Packet, { type: 'publish' }> | Got)[]> {
    await settled();
    const taken = this.#kept.splice(0);
    for (const chunk of this.transport.chunks.splice(0)) {
      this.#decoder.feed(chunk);
      for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
        if (packet.type !== 'publish') taken.push(packet);
        else {
          const { topic, qos, retain, packetId, properties, data, start, end } = packet;
          const text = Buffer.from(data.subarray(start, end)).toString();
          taken.push({ type: 'publish', topic: topic.name, text, qos, retain, packetId, properties });
        }
      }
    }
    return taken;
  }

  /** Packets that were taken too early: the next `take` begins with them. */
  putBack(packets: readonly (Exclude<Packet, { type: 'publish' }> | Got)[]): void {
    this.#kept = [...packets];
  }

  /** The texts of the messages that came, other packets left aside. */
  async texts(): Promise<string[]> {
    return (await this.take()).flatMap((packet) => (packet.type === 'publish' ? [packet.text] : []));
  }
}

export function publishOf(topic: string, text: string, options: Partial<OutgoingPublish> = {}): OutgoingPublish {
  const qos = options.qos ?? 0;
  return { type: 'publish', topic, payload: Buffer.from(text), qos, packetId: qos === 0 ? 0 : 1, ...options };
}

export function connectOf(version: ProtocolVersion, options: Partial<ConnectPacket> = {}): ConnectPacket {
  return {
    type: 'connect',
    version,
    clientId: 'c1',
    cleanStart: true,
    keepAliveSec: 0,
    username: undefined,
    password: undefined,
    will: undefined,
    properties: {},
    ...options,
  };
}

export function subscribeOf(
  filter: string,
  qos: 0 | 1 | 2 = 0,
  options: object = {},
  subscriptionIdentifier?: number,
): OutgoingPacket {
  return {
    type: 'subscribe',
    packetId: 77,
    subscriptions: [{ filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0, ...options }],
    ...(subscriptionIdentifier !== undefined && { subscriptionIdentifier }),
  };
}

/** Claims `telemetry/...`, and settles when the test says so. */
export class FakeIntake implements Intake {
  saturated = false;
  readonly accepted: string[] = [];
  readonly claimed: string[] = [];
  listener: IntakeListener | undefined;
  failure: SelsynError | undefined;

  claim(_principal: Principal, topic: string): Claim | undefined {
    if (!topic.startsWith('telemetry/')) return undefined;
    this.claimed.push(topic);
    return {};
  }
  accept(_claim: Claim, data: Uint8Array, start: number, end: number): number {
    if (this.failure !== undefined) throw this.failure;
    return this.accepted.push(Buffer.from(data.subarray(start, end)).toString());
  }
  attach(listener: IntakeListener): void {
    this.listener = listener;
  }
  settle(upTo = this.accepted.length): void {
    this.listener?.onDurable(upTo);
  }
  reject(code: 'log.full' | 'log.failed', upTo = this.accepted.length): void {
    this.listener?.onRejected(upTo, new SelsynError(code, 'the test says so'));
  }
  drain(): void {
    this.saturated = false;
    this.listener?.onDrained();
  }
}

/** Lets everybody in, under the username. Topics with `secret` in them are for nobody. */
export const PERMISSIVE: Authorizer = {
  authenticate: async ({ username, clientId }) => ({
    id: username ?? clientId,
    sessionNamespace: username ?? '',
    mayPublish: (topic) => !topic.includes('secret'),
    maySubscribe: (filter) => !filter.includes('secret'),
    mayReceive: () => true,
  }),
};

export interface TestBroker {
  readonly broker: Broker;
  readonly clock: FakeClock;
  readonly intake: FakeIntake;
  /** A client that has been let in; its CONNACK is taken. */
  connect(version?: ProtocolVersion, options?: Partial<ConnectPacket>): Promise<TestClient>;
}

export interface TestBrokerOptions {
  readonly authorizer?: Authorizer;
  readonly bus?: Bus | undefined;
  /** Opened: the caller calls `broker.restore()` before the first connect. */
  readonly requests?: RequestHandler;
  readonly audience?: AudienceListener;
  readonly watcher?: TopicWatcher;
  readonly presence?: PresenceListener;
  readonly store?: SessionStore;
  readonly limits?: Partial<BrokerLimits>;
  readonly clock?: FakeClock;
}

export function openTestBroker(options: TestBrokerOptions = {}): TestBroker {
  const clock = options.clock ?? new FakeClock();
  const intake = new FakeIntake();
  let ids = 0;
  const broker = new Broker({
    authorizer: options.authorizer ?? PERMISSIVE,
    intake,
    requests: options.requests,
    audiences: options.audience === undefined ? [] : [options.audience],
    watchers: options.watcher === undefined ? [] : [options.watcher],
    presence: options.presence,
    bus: options.bus,
    store: options.store,
    limits: options.limits,
    clock,
    logLines: silentLogLines,
    newClientId: () => `made-${++ids}`,
  });
  broker.start();
  return {
    broker,
    clock,
    intake,
    async connect(version = 5, connect = {}) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version, connect));
      const [connack, ...rest] = await client.take();
      if (connack?.type !== 'connack' || connack.reasonCode !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
      client.connack = connack;
      client.putBack(rest);
      return client;
    },
  };
}

/** A broker that has taken up what its store has: an empty one in memory unless said otherwise. */
export async function openRestored(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const opened = openTestBroker({ store: new MemorySessionStore(), ...options });
  await opened.broker.restore();
  return opened;
}

/** What a 5.0 client connects with whose session outlives its connection. */
export function kept(clientId: string): Partial<ConnectPacket> {
  return { clientId, cleanStart: false, properties: { sessionExpirySec: 1_000 } };
}

/** A 5.0 client that has subscribed, and what came of it taken. */
export async function subscribed(
  broker: TestBroker,
  filter: string,
  qos: 0 | 1 | 2,
  connect: Partial<ConnectPacket>,
): Promise<TestClient> {
  const client = await broker.connect(5, connect);
  client.send(subscribeOf(filter, qos));
  await settled();
  await client.take();
  return client;
}
