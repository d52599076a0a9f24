import type { PublishProperties } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { subscribeOf, type TestBroker, type TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import { arrive, BOTH, expectClosed, expectOpen, field, kept, lose, openBroker, packetOf, types } from './conformance.fixture.ts';

async function pair(test: TestBroker, options: object = {}): Promise<[subscriber: TestClient, publisher: TestClient]> {
  const subscriber = await test.connect(5, { clientId: 's', ...options });
  subscriber.send(subscribeOf('a/#', 2));
  await subscriber.take();
  return [subscriber, await test.connect(5, { clientId: 'p' })];
}

describe('a PUBLISH', () => {
  it.each(BOTH)('of QoS 3 closes the connection [MQTT-3.3.1-4] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.sendBytes(packetOf(0x36, field('a'), 0, 1, ...(version === 5 ? [0] : [])));
    await expectClosed(client, 0x81);
  });

  it.each(BOTH)('of QoS 0 with DUP closes the connection [MQTT-3.3.1-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.sendBytes(packetOf(0x38, field('a'), ...(version === 5 ? [0] : [])));
    await expectClosed(client, 0x81);
  });

  it.each(BOTH)(
    'with wildcards in its topic closes the connection [MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT-4.7.1-1 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const topic of ['a/+', 'a/#', '#', '+', 'a+', 'a#b']) {
        const client = await connect(version);
        client.sendBytes(packetOf(0x30, field(topic), ...(version === 5 ? [0] : [])));
        await expectClosed(client, 0x90);
      }
    },
  );

  it.each(BOTH)('has its topic as the first field [MQTT-3.3.2-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    for (const body of [[], [0], [0, 9, 0x61]]) {
      const client = await connect(version);
      client.sendBytes(packetOf(0x30, Uint8Array.from(body)));
      await expectClosed(client, 0x81);
    }
  });

  it.each(BOTH)('is answered as its QoS asks [MQTT-3.3.4-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    for (const qos of [0, 1, 2] as const) client.publish('a', 'x', { qos, packetId: qos });
    expect(await client.take()).toMatchObject([
      { type: 'puback', packetId: 1 },
      { type: 'pubrec', packetId: 2 },
    ]);
  });

  it('that is not allowed ends a 3.1.1 connection unacknowledged [MQTT-3.3.5-2 v3.1.1]', async () => {
    const { connect } = await openBroker();
    for (const qos of [0, 1, 2] as const) {
      const client = await connect(4);
      client.publish('secret', 'x', { qos, packetId: qos });
      await expectClosed(client, 0);
    }
  });
});

describe('properties of a PUBLISH', () => {
  const PROPERTIES: PublishProperties = {
    payloadIsUtf8: true,
    responseTopic: 'answer/to',
    correlationData: Uint8Array.of(0, 255, 1),
    contentType: 'text/plain; charset=\u00fc',
    userProperties: [
      ['z', '1'],
      ['a', '2'],
      ['z', '1'],
      ['', ''],
      ['a', '\u{1f600}'],
    ],
  };

  it('are forwarded as they came, to all [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
    const test = await openBroker();
    const [one, publisher] = await pair(test);
    const two = await test.connect(5, { clientId: 's2' });
    two.send(subscribeOf('+/b', 0));
    await two.take();
    for (const qos of [0, 1, 2] as const) publisher.publish('a/b', 'x', { qos, packetId: qos, properties: PROPERTIES });
    for (const client of [one, two]) expect(await client.take()).toMatchObject([0, 1, 2].map(() => ({ properties: PROPERTIES })));
    publisher.publish('a/b', 'x', { properties: { payloadIsUtf8: false } });
    expect(await one.take()).toMatchObject([{ properties: { payloadIsUtf8: false } }]);
    publisher.publish('a/b', 'kept', { retain: true, properties: PROPERTIES });
    const late = await test.connect(5, { clientId: 'late' });
    late.send(subscribeOf('a/b'));
    expect((await late.take()).at(-1)).toMatchObject({ text: 'kept', properties: PROPERTIES });
  });

  it('are kept while the message waits for a session [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
    const test = await openBroker();
    const { client } = await arrive(test, 5, kept(5));
    client.send(subscribeOf('a', 1));
    await client.take();
    await lose(client);
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', 'x', { qos: 1, packetId: 1, properties: PROPERTIES });
    await publisher.take();
    expect((await arrive(test, 5, kept(5))).rest).toMatchObject([{ text: 'x', properties: PROPERTIES }]);
  });

  it('that stand twice, have no place there or are out of range close the connection [MQTT-4.13.1-1] [MQTT-3.3.2-8]', async () => {
    const { connect } = await openBroker();
    for (const [properties, code] of [
      [[0x01, 1, 0x01, 1], 0x82],
      [[0x01, 2], 0x82],
      [[0x02, 0, 0, 0, 1, 0x02, 0, 0, 0, 1], 0x82],
      [[0x23, 0, 0], 0x94],
      [[0x11, 0, 0, 0, 1], 0x81],
      [[0x23, 0], 0x81],
    ] as const) {
      const client = await connect(5);
      client.sendBytes(packetOf(0x30, field('a'), properties.length, Uint8Array.from(properties)));
      await expectClosed(client, code);
    }
  });

  it('cannot be a response topic with wildcards [MQTT-3.3.2-14]', async () => {
    const { connect } = await openBroker();
    for (const topic of ['a/#', '+']) {
      const client = await connect(5);
      const property = Buffer.concat([Uint8Array.of(0x08), field(topic)]);
      client.sendBytes(packetOf(0x30, field('a'), property.length, property));
      await expectClosed(client, 0x82);
    }
  });

  it('cannot be a subscription identifier, from a client [MQTT-3.3.4-6]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.sendBytes(packetOf(0x30, field('a'), 2, 0x0b, 1));
    await expectClosed(client, 0x82);
  });
});

describe('the expiry of a message', () => {
  it('is forwarded less the time it has waited, and deletes what has waited too long [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const test = await openBroker();
    const [subscriber, publisher] = await pair(test, { properties: { receiveMaximum: 1 } });
    const send = (text: string, messageExpirySec: number): void =>
      publisher.publish('a/b', text, { qos: 1, packetId: 1, properties: { messageExpirySec } });
    send('first', 100);
    send('short', 10);
    send('long', 60);
    const [first] = await subscriber.take();
    expect(first).toMatchObject({ text: 'first', properties: { messageExpirySec: 100 } });
    test.clock.advance(20_000);
    subscriber.send({ type: 'puback', packetId: first?.type === 'publish' ? first.packetId : 0, reasonCode: 0 });
    expect(await subscriber.take()).toMatchObject([{ text: 'long', properties: { messageExpirySec: 40 } }]);
  });

  it('counts for retained messages too [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    const test = await openBroker();
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a/short', 'x', { retain: true, properties: { messageExpirySec: 10 } });
    publisher.publish('a/long', 'y', { retain: true, properties: { messageExpirySec: 60 } });
    await publisher.take();
    test.clock.advance(20_000);
    const client = await test.connect(5, { clientId: 's' });
    client.send(subscribeOf('a/#'));
    expect((await client.take()).slice(1)).toMatchObject([{ text: 'y', properties: { messageExpirySec: 40 } }]);
  });
});

describe('topic aliases', () => {
  it('of a client are taken up to the maximum that it was told [MQTT-3.3.2-12] [MQTT-3.2.2-17] [MQTT-3.3.2-9]', async () => {
    const test = await openBroker({ limits: { topicAliasMaximum: 5 } });
    const [subscriber] = await pair(test);
    const { client, connack } = await arrive(test, 5, { clientId: 'p' });
    expect(connack.properties.topicAliasMaximum).toBe(5);
    for (let topicAlias = 1; topicAlias <= 5; topicAlias++)
      client.publish(`a/${topicAlias}`, 'x', { properties: { topicAlias } });
    for (let topicAlias = 1; topicAlias <= 5; topicAlias++) client.publish('', 'x', { properties: { topicAlias } });
    const topics = [1, 2, 3, 4, 5].map((i) => `a/${i}`);
    expect((await subscriber.take()).map((packet) => 'topic' in packet && packet.topic)).toEqual([...topics, ...topics]);
    client.publish('a/6', 'x', { properties: { topicAlias: 6 } });
    await expectClosed(client, 0x94);
  });

  it('are refused where the maximum is 0 [MQTT-3.2.2-18]', async () => {
    const test = await openBroker({ limits: { topicAliasMaximum: 0 } });
    const { client, connack } = await arrive(test, 5, {});
    expect(connack.properties.topicAliasMaximum ?? 0).toBe(0);
    client.publish('a', 'x', { properties: { topicAlias: 1 } });
    await expectClosed(client, 0x94);
  });

  it('of a client end with its connection, also where its session goes on [MQTT-3.3.2-7]', async () => {
    const test = await openBroker();
    const { client } = await arrive(test, 5, kept(5));
    client.publish('a/b', 'x', { properties: { topicAlias: 1 } });
    await expectOpen(client);
    await lose(client);
    const again = await arrive(test, 5, kept(5));
    again.client.publish('', 'x', { properties: { topicAlias: 1 } });
    await expectClosed(again.client, 0x82);
  });

  /** The topics that the client sees, with its own table of aliases. */
  function resolver(): (packets: Awaited<ReturnType<TestClient['take']>>, maximum: number) => string[] {
    const table = new Map<number, string>();
    return (packets, maximum) =>
      packets.flatMap((packet) => {
        if (packet.type !== 'publish') return [];
        const { topicAlias: alias } = (packet.properties ?? {}) as PublishProperties;
        if (alias === undefined) return [packet.topic];
        expect(alias).toBeGreaterThan(0);
        expect(alias).toBeLessThanOrEqual(maximum);
        if (packet.topic !== '') table.set(alias, packet.topic);
        return [table.get(alias) ?? 'unknown'];
      });
  }

  it.each([
    ['none without a maximum [MQTT-3.1.2-27]', undefined],
    ['none with a maximum of 0 [MQTT-3.1.2-27]', 0],
    ['no higher than a maximum of 1 [MQTT-3.1.2-26] [MQTT-3.3.2-11] [MQTT-3.3.2-8] [MQTT-3.3.2-10]', 1],
    ['no higher than a maximum of 3 [MQTT-3.1.2-26] [MQTT-3.3.2-11] [MQTT-3.3.2-8] [MQTT-3.3.2-10]', 3],
  ] as const)('of the server are: %s', async (_name, topicAliasMaximum) => {
    const test = await openBroker();
    const [subscriber, publisher] = await pair(test, {
      properties: topicAliasMaximum === undefined ? {} : { topicAliasMaximum },
    });
    const resolve = resolver();
    for (let round = 0; round < 5; round++) {
      const topics = Array.from({ length: 12 }, (_, i) => `a/${(i * (round + 1)) % 7}`);
      for (const [i, topic] of topics.entries()) publisher.publish(topic, 'x', { qos: i % 2 === 0 ? 0 : 1, packetId: i });
      const got = await subscriber.take();
      expect(resolve(got, topicAliasMaximum ?? 0)).toEqual(topics);
      for (const packet of got) {
        if (packet.type === 'publish' && packet.qos === 1) {
          subscriber.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0 });
        }
      }
    }
  });

  it('of the server end with the connection [MQTT-3.3.2-7]', async () => {
    const test = await openBroker();
    const options = kept(5, { properties: { topicAliasMaximum: 10 } });
    const { client } = await arrive(test, 5, options);
    client.send(subscribeOf('a/#', 1));
    await client.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    const send = (): void => {
      for (let i = 0; i < 6; i++) publisher.publish(`a/${i % 2}`, 'x', { qos: 1, packetId: 1 });
    };
    send();
    const topics = ['a/0', 'a/1', 'a/0', 'a/1', 'a/0', 'a/1'];
    expect(resolver()(await client.take(), 10)).toEqual(topics);
    await lose(client);
    send();
    const { rest, client: again } = await arrive(test, 5, options);
    expect(resolver()(rest, 10)).toEqual([...topics, ...topics]);
    expect(types(rest)).not.toContain('disconnect');
    await expectOpen(again);
  });
});
