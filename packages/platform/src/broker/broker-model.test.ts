import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTestBroker, settled, type TestBroker } from './broker.fixture.ts';
import { ModelPublisher, ModelSubscriber, type Sent } from './model-clients.fixture.ts';
import { SteppedStore } from './stepped-store.fixture.ts';

/** A server that is stopped and started, its clients, and what they may expect of it. */
class World {
  readonly publishers = [
    new ModelPublisher({ id: 'p5', version: 5, persistent: true }),
    new ModelPublisher({ id: 'p4', version: 4, persistent: true }),
    new ModelPublisher({ id: 'pc', version: 5, persistent: false }),
  ];
  readonly subscribers = [
    new ModelSubscriber({ id: 's5', version: 5, persistent: true, receiveMaximum: 2, filter: 't/#', qos: 2 }),
    new ModelSubscriber({ id: 's4', version: 4, persistent: true, filter: 't/+', qos: 2 }),
    new ModelSubscriber({ id: 's1', version: 5, persistent: true, receiveMaximum: 3, filter: 't/a', qos: 1 }),
    new ModelSubscriber({ id: 'sc', version: 5, persistent: false, filter: 't/#', qos: 2 }),
  ];
  readonly members = [
    new ModelSubscriber({ id: 'g1', version: 5, persistent: true, receiveMaximum: 1, filter: '$share/g/t/#', qos: 1 }),
    new ModelSubscriber({ id: 'g2', version: 5, persistent: true, receiveMaximum: 2, filter: '$share/g/t/#', qos: 2 }),
  ];
  readonly clients = [...this.publishers, ...this.subscribers, ...this.members];
  /** How much each publisher had sent when a subscriber was told that it is subscribed. */
  readonly since = new Map<ModelSubscriber, Map<ModelPublisher, number>>();
  store = new SteppedStore();
  server!: TestBroker;

  constructor() {
    for (const subscriber of [...this.subscribers, ...this.members]) {
      subscriber.onSubscribed = () => {
        if (this.since.has(subscriber) && this.members.includes(subscriber)) return;
        this.since.set(subscriber, new Map(this.publishers.map((publisher) => [publisher, publisher.sent.length])));
      };
    }
  }

  async start(): Promise<void> {
    this.server = openTestBroker({ store: this.store, limits: { maxQueuedMessages: 8 } });
    await this.server.broker.restore();
  }

  async crash(share: number): Promise<void> {
    for (const client of this.clients) client.gone();
    this.store = this.store.crash(share);
    await this.start();
  }

  /** Everybody is there and takes what comes, until nobody has anything to do any more. */
  async drain(): Promise<void> {
    for (let quiet = 0, round = 0; quiet < 3; round++) {
      if (round > 200) throw new Error('it never comes to rest');
      for (const client of this.clients) {
        if (client instanceof ModelSubscriber && client.isMute) client.lose();
        if (!client.isOpen) client.connect(this.server.broker);
      }
      const before = this.seen;
      await settled();
      this.store.settle();
      for (const client of this.clients) await client.pull();
      // Some things are looked after once a second.
      this.server.clock.advance(1_000);
      const isIdle = this.publishers.every(({ idle }) => idle) && this.clients.every(({ isOpen }) => isOpen);
      quiet = isIdle && before === this.seen ? quiet + 1 : 0;
    }
  }

  get seen(): number {
    return [...this.subscribers, ...this.members].reduce((sum, { got }) => sum + got.length, 0);
  }

  /** What was acknowledged has come: at QoS 2 once, and in order. */
  check(): void {
    for (const subscriber of this.subscribers.filter(({ persistent }) => persistent)) {
      for (const publisher of this.publishers) this.#checkPair(subscriber, publisher);
    }
    const first = (publisher: ModelPublisher): number =>
      Math.min(...this.members.map((member) => this.since.get(member)?.get(publisher) ?? Infinity));
    const got = new Set(this.members.flatMap((member) => member.got.map(({ text }) => text)));
    for (const publisher of this.publishers) {
      const owed = publisher.sent.slice(first(publisher)).filter(({ state }) => state === 'acknowledged');
      expect({ group: publisher.id, missing: owed.filter(({ text }) => !got.has(text)) }).toEqual({
        group: publisher.id,
        missing: [],
      });
    }
  }

  #checkPair(subscriber: ModelSubscriber, publisher: ModelPublisher): void {
    const pair = `${publisher.id} to ${subscriber.id}`;
    const places = new Map<string, number>();
    const twice: string[] = [];
    for (const [place, { text }] of subscriber.got.entries()) {
      if (places.has(text)) twice.push(text);
      else places.set(text, place);
    }
    const since = this.since.get(subscriber)?.get(publisher) ?? Infinity;
    const wanted = publisher.sent.filter(({ topic }) => subscriber.filter !== 't/a' || topic === 't/a');
    const owed = publisher.sent.slice(since).filter((sent) => wanted.includes(sent) && sent.state === 'acknowledged');
    expect({ pair, missing: owed.filter(({ text }) => !places.has(text)) }).toEqual({ pair, missing: [] });
    const isOnce = (sent: Sent): boolean => sent.qos === 2 && subscriber.qos === 2;
    expect({ pair, twice: wanted.filter((sent) => isOnce(sent) && twice.includes(sent.text)) }).toEqual({ pair, twice: [] });
    for (const topic of ['t/a', 't/b']) {
      for (const qos of [1, 2]) {
        const row = wanted.filter(
          (sent) =>
            sent.topic === topic && Math.min(sent.qos, subscriber.qos) === qos && sent.tries === 1 && places.has(sent.text),
        );
        const texts = row.map(({ text }) => text);
        expect({ pair, row: texts.toSorted((a, b) => places.get(a)! - places.get(b)!) }).toEqual({ pair, row: texts });
      }
    }
  }

  /** Nobody wants anything any more: nothing is left of anybody. */
  async end(): Promise<void> {
    const { broker, clock } = this.server;
    const expiring = [...this.subscribers, ...this.members, ...this.publishers];
    for (const client of expiring) client.lose();
    await settled();
    for (const session of broker.sessions.values()) broker.takeOver(session.key, Infinity);
    for (let i = 0; i < 4; i++) {
      await settled();
      this.store.settle();
      clock.advance(3_000);
    }
    const { connections, sessions, offlineSessions, subscriptions, sharedSubscriptions, queued, queuedBytes } = broker.counters;
    expect({ connections, sessions, offlineSessions, subscriptions, sharedSubscriptions, queued, queuedBytes }).toEqual({
      connections: 0,
      sessions: 0,
      offlineSessions: 0,
      subscriptions: 0,
      sharedSubscriptions: 0,
      queued: 0,
      queuedBytes: 0,
    });
    expect(broker.sessions.size).toBe(0);
    expect(this.store.durable().filter(({ kind }) => kind !== 'retained')).toEqual([]);
  }
}

const qos = fc.constantFrom(1 as const, 2 as const);
const topic = fc.constantFrom('t/a', 't/b');
const any = fc.nat({ max: 99 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('publish' as const), any, qos, topic, retain: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('pull' as const), any }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('settle' as const, 'pull all' as const, 'connect all' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('connect' as const, 'lose' as const, 'mute' as const), any }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('snapshot' as const, 'tick' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('reject' as const, 'restart' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(world: World, next: Step): Promise<void> {
  const { clients, publishers, subscribers, server } = world;
  const of = <T>(list: readonly T[], at: number): T => list[at % list.length]!;
  switch (next.kind) {
    case 'publish':
      of(publishers, next.any).publish(next.topic, next.qos, next.retain);
      return;
    case 'pull':
      await of(clients, next.any).pull();
      return;
    case 'pull all':
      for (const client of clients) await client.pull();
      return;
    case 'connect all':
      for (const client of clients) if (!client.isOpen) client.connect(server.broker);
      await settled();
      world.store.settle();
      for (const client of clients) await client.pull();
      return;
    case 'connect':
      of(clients, next.any).connect(server.broker);
      return;
    case 'lose':
      of(clients, next.any).lose();
      return;
    case 'mute':
      of([...subscribers, ...world.members], next.any).isMute = true;
      return;
    case 'restart':
      subscribers[0]!.restart();
      return;
    case 'tick':
      server.clock.advance(1_000);
      return;
    case 'crash':
      await world.crash(next.share);
      return;
    default:
      await settled();
      world.store[next.kind]();
      await settled();
  }
}

/** More in a long run: each takes some tens of ms. */
const RUNS = Number(process.env['SELSYN_MODEL_RUNS'] ?? 30);

describe('a broker', () => {
  it(
    'delivers what it acknowledged, at QoS 2 once, whatever becomes of connections, store and process',
    { timeout: 180_000 + RUNS * 1_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120, size: 'max' }), async (steps) => {
          const world = new World();
          await world.start();
          await take(world, { kind: 'connect all' });
          await take(world, { kind: 'connect all' });
          for (const next of steps) await take(world, next);
          await world.drain();
          world.check();
          // What is settled is settled after a crash too.
          const { seen } = world;
          const clean = world.subscribers.find(({ persistent }) => !persistent)?.got.length ?? 0;
          await world.crash(1);
          await world.drain();
          expect(world.seen).toBe(seen - clean);
          await world.end();
        }),
        {
          numRuns: RUNS,
          interruptAfterTimeLimit: 45_000 + RUNS * 1_000,
          markInterruptAsFailure: true,
        },
      );
    },
  );
});
