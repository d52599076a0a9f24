import { describe, expect, it } from 'vitest';
import { subscribeOf, type TestBroker } from '../../packages/platform/src/broker/broker.fixture.ts';
import { BOTH, openBroker, type Taken } from './conformance.fixture.ts';

const publishes = (packets: Taken): Taken => packets.filter(({ type }) => type === 'publish');

/** What a new subscriber to `filter` is sent. */
async function late(test: TestBroker, version: 4 | 5, filter = 'r/#', options: object = {}): Promise<Taken> {
  const client = await test.connect(version, { clientId: 'late' });
  client.send(subscribeOf(filter, 2, options));
  return publishes(await client.take());
}

describe('RETAIN in a PUBLISH', () => {
  it.each(BOTH)('stores the message and its QoS, in place of the one there was [MQTT-3.3.1-5] (level %i)', async (version) => {
    const test = await openBroker();
    const publisher = await test.connect(version, { clientId: 'p' });
    for (const qos of [0, 1, 2] as const) {
      for (const [i, text] of ['old', `at ${qos}`].entries()) {
        publisher.publish('r/a', text, { qos, packetId: i + 1, retain: true });
        await publisher.take();
      }
      expect(await late(test, version)).toMatchObject([{ topic: 'r/a', text: `at ${qos}`, qos, retain: true }]);
    }
  });

  it.each(BOTH)('of QoS 0 discards what was retained [MQTT-3.3.1-7 v3.1.1] [MQTT-3.3.1-5] (level %i)', async (version) => {
    const test = await openBroker();
    const publisher = await test.connect(version, { clientId: 'p' });
    publisher.publish('r/a', 'old', { qos: 1, packetId: 1, retain: true });
    publisher.publish('r/a', 'new', { qos: 0, retain: true });
    expect(await late(test, version)).toMatchObject([{ text: 'new', qos: 0 }]);
  });

  it.each(BOTH)(
    'with no payload removes it, is delivered as usual, and is not stored [MQTT-3.3.1-6 v5.0] [MQTT-3.3.1-7 v5.0] [MQTT-3.3.1-10 v3.1.1] [MQTT-3.3.1-11 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const subscriber = await test.connect(version, { clientId: 's' });
      subscriber.send(subscribeOf('r/#', 1));
      const publisher = await test.connect(version, { clientId: 'p' });
      publisher.publish('r/a', 'x', { retain: true });
      publisher.publish('r/b', 'y', { retain: true });
      await subscriber.take();
      publisher.publish('r/a', '', { qos: 1, packetId: 1, retain: true });
      publisher.publish('r/none', '', { retain: true });
      expect(await subscriber.take()).toMatchObject([
        { topic: 'r/a', text: '', qos: 1, retain: false },
        { topic: 'r/none', text: '', retain: false },
      ]);
      expect(await late(test, version)).toMatchObject([{ topic: 'r/b' }]);
    },
  );

  it.each(BOTH)(
    'that is 0 stores nothing and removes nothing [MQTT-3.3.1-8 v5.0] [MQTT-3.3.1-12 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const publisher = await test.connect(version, { clientId: 'p' });
      publisher.publish('r/a', 'kept', { retain: true });
      for (const text of ['x', '']) {
        publisher.publish('r/a', text, { qos: 1, packetId: 1 });
        publisher.publish('r/b', text, { qos: 1, packetId: 1 });
      }
      await publisher.take();
      expect(await late(test, version)).toMatchObject([{ topic: 'r/a', text: 'kept' }]);
    },
  );
});

describe('a subscription', () => {
  it.each(BOTH)(
    'is sent every retained message that it matches, with RETAIN 1 [MQTT-3.3.1-9 v5.0] [MQTT-3.3.1-6 v3.1.1] [MQTT-3.3.1-8 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const publisher = await test.connect(version, { clientId: 'p' });
      for (const topic of ['r', 'r/a', 'r/a/b', 'r/b', 's/a', '$r/a']) publisher.publish(topic, topic, { retain: true });
      await publisher.take();
      for (const [filter, topics] of [
        ['r/#', ['r', 'r/a', 'r/a/b', 'r/b']],
        ['r/+', ['r/a', 'r/b']],
        ['+/a', ['r/a', 's/a']],
        ['r/a', ['r/a']],
        ['#', ['r', 'r/a', 'r/a/b', 'r/b', 's/a']],
        ['$r/#', ['$r/a']],
        ['r/a/b/c', []],
      ] as const) {
        const got = await late(test, version, filter);
        expect(new Set(got.map((packet) => 'topic' in packet && packet.topic))).toEqual(new Set(topics));
        expect(got.length).toBe(topics.length);
        for (const packet of got) expect(packet).toMatchObject({ retain: true });
      }
    },
  );

  it.each(BOTH)(
    'that is there gets what is published with RETAIN 0 [MQTT-3.3.1-12 v5.0] [MQTT-3.3.1-9 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const client = await test.connect(version, { clientId: 'c' });
      client.send(subscribeOf('r/#', 1));
      await client.take();
      const publisher = await test.connect(5, { clientId: 'p' });
      for (const retain of [true, false]) publisher.publish('r/a', 'x', { retain, qos: 1, packetId: 1 });
      expect(await client.take()).toMatchObject([{ retain: false }, { retain: false }]);
    },
  );

  it('with retain as published gets the RETAIN that the message came with [MQTT-3.3.1-13 v5.0]', async () => {
    const test = await openBroker();
    const client = await test.connect(5, { clientId: 'c' });
    client.send(subscribeOf('r/#', 1, { retainAsPublished: true }));
    await client.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    for (const retain of [true, false]) publisher.publish('r/a', 'x', { retain, qos: 1, packetId: 1 });
    expect(await client.take()).toMatchObject([{ retain: true }, { retain: false }]);
  });

  it('with retain handling 1 is sent them only when it is new [MQTT-3.3.1-10 v5.0]', async () => {
    const test = await openBroker();
    const client = await test.connect(5, { clientId: 'c' });
    client.publish('r/a', 'x', { retain: true });
    client.send(subscribeOf('r/#', 1, { retainHandling: 1 }));
    expect(publishes(await client.take())).toMatchObject([{ text: 'x', retain: true }]);
    client.send(subscribeOf('r/#', 2, { retainHandling: 1 }));
    expect(publishes(await client.take())).toEqual([]);
    client.send({ type: 'unsubscribe', packetId: 1, filters: ['r/#'] }, subscribeOf('r/#', 0, { retainHandling: 1 }));
    expect(publishes(await client.take())).toMatchObject([{ text: 'x', retain: true, qos: 0 }]);
  });

  it('with retain handling 2 is not sent them [MQTT-3.3.1-11 v5.0]', async () => {
    const test = await openBroker();
    const client = await test.connect(5, { clientId: 'c' });
    client.publish('r/a', 'x', { retain: true });
    for (let i = 0; i < 2; i++) client.send(subscribeOf('r/#', 1, { retainHandling: 2 }));
    expect(publishes(await client.take())).toEqual([]);
  });

  it.each(BOTH)(
    'that is made again is sent them again, and loses nothing that is published [MQTT-3.8.4-3] [MQTT-3.8.4-4 v5.0] [MQTT-3.3.1-9 v5.0] (level %i)',
    async (version) => {
      const test = await openBroker();
      const client = await test.connect(version, { clientId: 'c' });
      const publisher = await test.connect(5, { clientId: 'p' });
      publisher.publish('r/a', 'kept', { retain: true, qos: 1, packetId: 1 });
      client.send(subscribeOf('r/#', 0));
      expect(publishes(await client.take())).toMatchObject([{ text: 'kept', qos: 0 }]);
      const taken: Taken = [];
      for (let i = 0; i < 20; i++) {
        publisher.publish('r/b', String(i), { qos: 1, packetId: i + 1 });
        if (i % 5 !== 0) continue;
        client.send(subscribeOf('r/#', 1));
        publisher.publish('r/b', `${i} again`, { qos: 1, packetId: 50 + i });
        taken.push(...(await client.take()));
      }
      taken.push(...(await client.take()));
      const got = taken.flatMap((packet) => (packet.type === 'publish' ? [packet] : []));
      expect(got.filter(({ topic }) => topic === 'r/b').map(({ text }) => text)).toEqual(
        Array.from({ length: 20 }, (_, i) => (i % 5 === 0 ? [String(i), `${i} again`] : [String(i)])).flat(),
      );
      expect(got.filter(({ topic, retain }) => topic === 'r/a' && retain).length).toBe(4);
      // One subscription, of the new QoS.
      publisher.publish('r/b', 'last', { qos: 2, packetId: 99 });
      expect(await client.take()).toMatchObject([{ text: 'last', qos: 1 }]);
    },
  );
});
