import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import {
  connectOf,
  openRestored,
  settled,
  subscribeOf,
  type TestBroker,
  type TestBrokerOptions,
  TestClient,
} from './broker.fixture.ts';
import type { Session } from './session.ts';
import { Subscriptions } from './subscriptions.ts';
import { TopicTrie } from './topic-trie.ts';

/** Where other brokers have failed, by their trackers. */

const WILL = { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} } as const;

async function subscribed(
  broker: TestBroker,
  clientId: string,
  filter: string,
  qos: 0 | 1 | 2,
  options = {},
): Promise<TestClient> {
  const client = await broker.connect(5, { clientId, ...options });
  client.send(subscribeOf(filter, qos));
  for (let i = 0; i < 3; i++) await settled();
  await client.take();
  return client;
}

const kept = (clientId: string, sessionExpirySec = 1_000): { clientId: string; cleanStart: boolean; properties: object } => ({
  clientId,
  cleanStart: false,
  properties: { sessionExpirySec },
});

async function publishAll(client: TestClient, topic: string, texts: readonly string[], qos: 1 | 2 = 1): Promise<number[]> {
  for (const [i, text] of texts.entries()) client.publish(topic, text, { qos, packetId: i + 1 });
  for (let i = 0; i < 4; i++) await settled();
  const answers = await client.take();
  return answers.flatMap((packet) => (packet.type === 'puback' || packet.type === 'pubrec' ? [packet.reasonCode] : []));
}

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

describe('a takeover of a session that ends with its connection', () => {
  it.each([
    ['5.0, clean start 0, expiry 0', 5, false],
    ['5.0, clean start 1', 5, true],
    ['3.1.1, clean session', 4, true],
  ] as const)('ends it, publishes its will, and finds no session: %s', async (_what, version, cleanStart) => {
    const broker = await openRestored();
    const watcher = await subscribed(broker, 'watcher', 'w', 1);
    const first = await broker.connect(version, { clientId: 'c', cleanStart, will: WILL });
    first.send(subscribeOf('t', 1));
    await first.take();
    const second = await broker.connect(version, { clientId: 'c', cleanStart });
    expect([first.transport.ended, second.connack?.sessionPresent]).toEqual([true, false]);
    expect(await watcher.texts()).toEqual(['gone']);
    // Nothing of the first is left: no subscription, no session.
    expect([broker.broker.counters.subscriptions, broker.broker.sessions.size]).toEqual([1, 2]);
  });

  it('does so across threads', async () => {
    const { seats, control } = newLocalBus(2);
    const buses = seats.map((seat) => new LocalBus(seat));
    const [one, two] = (await Promise.all(buses.map(async (bus) => await openRestored({ bus })))) as [TestBroker, TestBroker];
    const watcher = await subscribed(two, 'watcher', 'w', 1);
    const first = await one.connect(5, { clientId: 'c', will: WILL });
    const second = await two.connect(5, { clientId: 'c' });
    for (let i = 0; i < 5; i++) await settled();
    expect([first.transport.ended, second.transport.ended, second.connack?.sessionPresent]).toEqual([true, false, false]);
    expect(await watcher.texts()).toEqual(['gone']);
    expect(one.broker.sessions.size).toBe(0);
    for (const bus of buses) await bus[Symbol.asyncDispose]();
    control[Symbol.dispose]();
  });
});

describe('the QoS of a subscription by wildcard', () => {
  it('is that of the message or its own, the lower, and of overlapping ones the highest', async () => {
    const broker = await openRestored();
    const levels = await Promise.all(([0, 1, 2] as const).map(async (qos) => await subscribed(broker, `q${qos}`, 'a/+/#', qos)));
    const both = await subscribed(broker, 'both', 'a/#', 0);
    both.send(subscribeOf('a/b/c', 1));
    await both.take();
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (const qos of [0, 1, 2] as const) publisher.publish('a/b/c', String(qos), { qos, packetId: qos });
    for (const [granted, client] of [...levels, both].entries()) {
      const got = (await client.take()).flatMap((packet) => (packet.type === 'publish' ? [[packet.text, packet.qos]] : []));
      const most = granted === 3 ? 1 : granted;
      expect(got).toEqual([0, 1, 2].map((qos) => [String(qos), Math.min(qos, most)]));
    }
    // A second subscription takes the place of the first: lower holds too.
    levels[2]?.send(subscribeOf('a/+/#', 0));
    await levels[2]?.take();
    publisher.publish('a/b/c', 'again', { qos: 2, packetId: 9 });
    expect(await levels[2]?.take()).toMatchObject([{ text: 'again', qos: 0 }]);
  });

  it('is the lower for what is queued for a session that is away, and for what is retained', async () => {
    const broker = await openRestored();
    (await subscribed(broker, 'away', '+/b/#', 1, kept('away'))).transport.destroy();
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('a/b', 'x', { qos: 2, packetId: 1, retain: true });
    await settled();
    expect(await (await broker.connect(5, kept('away'))).take()).toMatchObject([{ text: 'x', qos: 1 }]);
    const late = await broker.connect(5, { clientId: 'late' });
    late.send(subscribeOf('+/#', 1));
    expect(await late.take()).toMatchObject([
      { type: 'suback', reasonCodes: [1] },
      { text: 'x', qos: 1, retain: true },
    ]);
  });
});

describe('a shared group', () => {
  const FILTER = '$share/g/t';
  /** Acknowledges nothing; has a window of `receiveMaximum`. */
  const member = async (broker: TestBroker, clientId: string, options = {}): Promise<TestClient> =>
    await subscribed(broker, clientId, FILTER, 1, { clientId, properties: { receiveMaximum: 2 }, ...options });

  const leave = {
    'says goodbye': (client: TestClient) => client.send({ type: 'disconnect', reasonCode: 0 }),
    'is lost': (client: TestClient) => client.transport.destroy(),
    'is taken over': async (_client: TestClient, broker: TestBroker) => void (await broker.connect(5, { clientId: 'a' })),
    'breaks the protocol': (client: TestClient) => client.sendBytes(Uint8Array.of(0xff, 0)),
    'is silent for too long': (_client: TestClient, { clock }: TestBroker) => clock.advance(17_000),
  };
  for (const [what, how] of Object.entries(leave)) {
    it(`loses nothing of a member that ${what}, in flight or queued`, async () => {
      const broker = await openRestored();
      const a = await member(broker, 'a', { keepAliveSec: what === 'is silent for too long' ? 10 : 0 });
      const publisher = await broker.connect(5, { clientId: 'p' });
      expect(await publishAll(publisher, 't', texts(6))).toEqual([0, 0, 0, 0, 0, 0]);
      expect(await a.texts()).toEqual(['m0', 'm1']);
      const b = await subscribed(broker, 'b', FILTER, 1);
      await how(a, broker);
      for (let i = 0; i < 4; i++) await settled();
      expect((await b.texts()).toSorted()).toEqual(texts(6));
    });
  }

  it('loses nothing of a member that unsubscribes and goes', async () => {
    const broker = await openRestored();
    const a = await member(broker, 'a');
    const publisher = await broker.connect(5, { clientId: 'p' });
    await publishAll(publisher, 't', texts(6));
    expect(await a.texts()).toEqual(['m0', 'm1']);
    const b = await subscribed(broker, 'b', FILTER, 1);
    a.send({ type: 'unsubscribe', packetId: 5, filters: [FILTER] });
    await settled();
    expect(await a.take()).toMatchObject([{ type: 'unsuback' }]);
    a.transport.destroy();
    await settled();
    expect((await b.texts()).toSorted()).toEqual(texts(6));
  });

  it('loses nothing of a persistent member whose session expires, nor of one that is away while others are full', async () => {
    const broker = await openRestored({ limits: { maxQueuedMessages: 6, maxInFlight: 100 } });
    const a = await member(broker, 'a', kept('a', 60));
    a.transport.destroy();
    const publisher = await broker.connect(5, { clientId: 'p' });
    expect(await publishAll(publisher, 't', texts(6))).toEqual([0, 0, 0, 0, 0, 0]);
    broker.clock.advance(30_000);
    const b = await subscribed(broker, 'b', FILTER, 1, { clientId: 'b' });
    expect(await b.texts()).toEqual([]);
    broker.clock.advance(33_000);
    for (let i = 0; i < 4; i++) await settled();
    expect((await b.texts()).toSorted()).toEqual(texts(6));
  });
});

describe('retained messages', () => {
  const COUNT = 100_000;

  async function withRetained(count: number, options: TestBrokerOptions = {}, qos: 0 | 1 = 0): Promise<TestBroker> {
    const broker = await openRestored(options);
    const publisher = await broker.connect(4, { clientId: 'publisher' });
    const packets: OutgoingPacket[] = [];
    for (let i = 0; i < count; i++)
      packets.push({
        type: 'publish',
        topic: `r/${i % 100}/${i}`,
        payload: Buffer.from('x'),
        qos,
        retain: true,
        packetId: qos === 0 ? 0 : (i % 65_535) + 1,
      });
    publisher.send(...packets);
    await settled();
    return broker;
  }

  it('come all of them, 100,000, in slices beside other traffic', async () => {
    const broker = await withRetained(COUNT);
    const client = await broker.connect(4, { clientId: 'c' });
    const pinging = await broker.connect(4, { clientId: 'pinging' });
    client.send(subscribeOf('#'));
    let most = 0;
    let turns = 0;
    let pongs = 0;
    for (let got = 0; got < COUNT; turns++) {
      expect(turns).toBeLessThan(5_000);
      pinging.send({ type: 'pingreq' });
      await new Promise(setImmediate);
      const sent = broker.broker.counters.sent0;
      most = Math.max(most, sent - got);
      got = sent;
      pongs += pinging.transport.chunks.splice(0).length;
    }
    // Never much in one turn, and the other is answered in each of them.
    expect([most <= 1_024, turns > 90, pongs >= turns - 2]).toEqual([true, true, true]);
    expect((await client.texts()).length).toBe(COUNT);
  });

  it('go on for a persistent session whose client was cut off in their midst, and whose queue is small', async () => {
    const count = 3_000;
    const broker = await withRetained(count, { limits: { maxQueuedMessages: 10, maxInFlight: 20 } }, 1);
    const got = new Set<string>();
    let client = await broker.connect(5, kept('c'));
    client.send(subscribeOf('r/#', 1));
    for (let round = 0; got.size < count && round < 2_000; round++) {
      const packets = await client.take();
      for (const packet of packets) if (packet.type === 'publish') got.add(packet.topic);
      if (round % 7 === 6) {
        // With all that it was sent unacknowledged: nothing is under way to it.
        client.transport.destroy();
        await settled();
        client = await broker.connect(5, kept('c'));
        continue;
      }
      for (const packet of packets) {
        if (packet.type === 'publish' && packet.qos > 0)
          client.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0 });
      }
    }
    expect(got.size).toBe(count);
  });

  it('wait while the memory of all is full, and come when it is not', async () => {
    const broker = await withRetained(500, { limits: { maxMemoryBytes: 20_000, maxInFlight: 10 } });
    const hog = await subscribed(broker, 'hog', 'hog', 1, kept('hog'));
    hog.transport.destroy();
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('hog', 'x'.repeat(21_000), { qos: 1, packetId: 1 });
    for (let i = 0; i < 3; i++) publisher.publish('r/0/0', 'y', { qos: 1, packetId: 2, retain: true });
    await settled();
    const client = await broker.connect(5, kept('c'));
    client.send(subscribeOf('r/#', 1));
    await settled();
    expect(await client.texts()).toEqual([]);
    broker.broker.sessions.end([...broker.broker.sessions.values()].find(({ clientId }) => clientId === 'hog') as Session);
    broker.clock.advance(2_000);
    expect((await client.texts()).length).toBeGreaterThan(0);
    expect(broker.broker.counters.dropped['queue-full']).toBe(0);
  });
});

describe('a dead session', () => {
  it('ends when its time is over, also across a restart, and keeps nothing', async () => {
    const store = new MemorySessionStore();
    const clock = new FakeClock();
    const before = await openRestored({ store, clock });
    const client = await subscribed(before, 'c', 't', 1, kept('c', 60));
    const publisher = await before.connect(5, { clientId: 'p' });
    client.transport.destroy();
    await publishAll(publisher, 't', texts(10));
    clock.advance(40_000);
    const second = store.reopen();
    const after = await openRestored({ store: second, clock });
    expect([after.broker.sessions.size, after.broker.counters.queued]).toEqual([1, 10]);
    clock.advance(22_000);
    await settled();
    const { counters } = after.broker;
    expect([after.broker.sessions.size, counters.queued, counters.queuedBytes, counters.subscriptions]).toEqual([0, 0, 0, 0]);
    await settled();
    expect((await openRestored({ store: second.reopen(), clock })).broker.sessions.size).toBe(0);
  });

  it('takes the place of no living one: their number is bounded, and who has one comes in', async () => {
    const broker = await openRestored({ limits: { maxSessions: 3 } });
    for (const clientId of ['a', 'b', 'c']) (await broker.connect(5, kept(clientId))).transport.destroy();
    for (const version of [5, 4] as const) {
      const client = new TestClient(broker.broker, version);
      client.send(connectOf(version, { clientId: 'd' }));
      expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: version === 5 ? 0x97 : 3 }]);
    }
    expect((await broker.connect(5, kept('b'))).connack?.sessionPresent).toBe(true);
    broker.clock.advance(1_002_000);
    await broker.connect(5, { clientId: 'd' });
  });
});

describe('a restart', () => {
  it('neither repeats what was done nor stalls on what was under way', async () => {
    const store = new MemorySessionStore();
    const before = await openRestored({ store });
    const narrow = { ...kept('c'), properties: { sessionExpirySec: 1_000, receiveMaximum: 2 } };
    const client = await subscribed(before, 'c', 't', 2, narrow);
    const publisher = await before.connect(5, { clientId: 'p' });
    await publishAll(publisher, 't', texts(6), 2);
    const [m0, m1] = (await client.take()) as { packetId: number }[];
    // The first is done, the second received and not completed.
    client.send({ type: 'pubrec', packetId: m0?.packetId ?? 0, reasonCode: 0 });
    await client.take();
    client.send(
      { type: 'pubcomp', packetId: m0?.packetId ?? 0, reasonCode: 0 },
      { type: 'pubrec', packetId: m1?.packetId ?? 0, reasonCode: 0 },
    );
    await client.take();

    const after = await openRestored({ store: store.reopen() });
    const back = await after.connect(5, narrow);
    const got: string[] = [];
    for (let round = 0; round < 20; round++) {
      for (const packet of await back.take()) {
        if (packet.type === 'publish') got.push(packet.text);
        if (packet.type === 'publish') back.send({ type: 'pubrec', packetId: packet.packetId, reasonCode: 0 });
        if (packet.type === 'pubrel') back.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
      }
    }
    expect(got.filter((text) => text !== 'm2')).toEqual(['m3', 'm4', 'm5']);
    // What had gone out before the crash may come again, marked so; QoS 2 makes it one for the client.
    expect(got.filter((text) => text === 'm2').length).toBe(1);
    const second = await after.connect(5, { clientId: 'p' });
    expect(await publishAll(second, 't', ['live'])).toEqual([0]);
    expect(await back.texts()).toEqual(['live']);
  });
});

describe('matching', () => {
  it('looks at as many nodes among 100,000 subscriptions as among 10', () => {
    const visits = [10, 1_000, 100_000].map((count) => {
      const trie = new TopicTrie<number>();
      const options = { qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
      for (let i = 0; i < count; i++) trie.set(i % 2 === 0 ? `site/${i}/+/temp` : `site/${i}/#`, i, options);
      expect(trie.match('site/4/x/temp').length).toBe(1);
      return trie.visits;
    });
    expect(visits).toEqual([5, 5, 5]);
  });

  it('is done once for a topic that is published again while nobody subscribes anew', () => {
    const subscriptions = new Subscriptions();
    const topic = new TopicCache(10).intern(Buffer.from('a/b'), 0, 3);
    for (let i = 0; i < 1_000; i++) subscriptions.match(topic);
    expect(subscriptions.visits).toBe(1);
  });
});
