import type { OutgoingPacket } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { openTestBroker, subscribeOf } from './broker.fixture.ts';

describe('SUBSCRIBE', () => {
  it('is answered with a code for each filter, in its version', async () => {
    const { connect } = openTestBroker({ limits: { maxTopicLevels: 4, maxSubscriptionsPerClient: 3 } });
    const subscriptions = ['a', 'secret/x', '$share/g/a', 'a/b/c/d/e', 'b', 'c', 'a'].map((filter) => ({
      filter,
      qos: 1 as const,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0 as const,
    }));
    const modern = await connect(5, { clientId: 'modern' });
    modern.send({ type: 'subscribe', packetId: 3, subscriptions });
    expect(await modern.take()).toEqual([{ type: 'suback', packetId: 3, reasonCodes: [1, 0x87, 1, 0x8f, 1, 0x97, 1] }]);
    const old = await connect(4, { clientId: 'old' });
    old.send({ type: 'subscribe', packetId: 3, subscriptions });
    expect(await old.take()).toEqual([{ type: 'suback', packetId: 3, reasonCodes: [1, 0x80, 1, 0x80, 1, 0x80, 1] }]);
  });

  it('sends one copy at the highest QoS, with all identifiers, for overlapping filters', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    client.send(subscribeOf('a/#', 0, {}, 7), subscribeOf('a/b', 2, {}, 300), subscribeOf('+/b', 1));
    await client.take();
    client.publish('a/b', 'x', { qos: 2, packetId: 1 });
    const got = (await client.take()).filter(({ type }) => type === 'publish');
    expect(got).toMatchObject([{ qos: 2, properties: { subscriptionIdentifiers: [7, 300] } }]);
  });

  it('keeps own messages away with no local', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    const other = await connect(5, { clientId: 'other' });
    client.send(subscribeOf('a', 0, { noLocal: true }));
    client.publish('a', 'own');
    other.publish('a', 'foreign');
    expect(await client.texts()).toEqual(['foreign']);
  });

  it('sends own messages by those that overlap with one with no local, as if that were not there', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    const other = await connect(5, { clientId: 'other' });
    client.send(subscribeOf('#', 1, { noLocal: true, retainAsPublished: true }, 7), subscribeOf('a', 0, {}, 8));
    for (const publisher of [client, other]) publisher.publish('a', 'x', { qos: 1, packetId: 1, retain: true });
    const got = (await client.take()).filter(({ type }) => type === 'publish');
    expect(got).toMatchObject([
      { qos: 0, retain: false, properties: { subscriptionIdentifiers: [8] } },
      { qos: 1, retain: true, properties: { subscriptionIdentifiers: [7, 8] } },
    ]);
  });

  it('keeps the retain flag only where asked to', async () => {
    const { connect } = openTestBroker();
    const plain = await connect(5, { clientId: 'plain' });
    const asPublished = await connect(5, { clientId: 'as-published' });
    plain.send(subscribeOf('a'));
    asPublished.send(subscribeOf('a', 0, { retainAsPublished: true }));
    const publisher = await connect(4, { clientId: 'p' });
    publisher.publish('a', 'x', { retain: true });
    publisher.publish('a', 'y');
    const flags = async (client: typeof plain): Promise<boolean[]> =>
      (await client.take()).flatMap((packet) => (packet.type === 'publish' ? [packet.retain] : []));
    expect(await flags(plain)).toEqual([false, false]);
    expect(await flags(asPublished)).toEqual([true, false]);
  });

  it('is not answered with more than its client takes [MQTT-3.1.2-24]', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5, { properties: { maxPacketBytes: 40 } });
    const of = (count: number): OutgoingPacket => ({
      type: 'subscribe',
      packetId: 1,
      subscriptions: Array.from({ length: count }, (_, i) => ({
        filter: `a/${i}`,
        qos: 0,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      })),
    });
    client.send(of(35));
    expect(await client.take()).toMatchObject([{ type: 'suback' }]);
    client.send(of(36));
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x95 }]);
  });

  it('is undone by UNSUBSCRIBE', async () => {
    const { connect, broker } = openTestBroker();
    const client = await connect(5);
    client.send(subscribeOf('a'), subscribeOf('b'), { type: 'unsubscribe', packetId: 4, filters: ['a', 'never'] });
    expect((await client.take()).at(-1)).toEqual({ type: 'unsuback', packetId: 4, reasonCodes: [0, 0x11] });
    client.publish('a', '1');
    client.publish('b', '2');
    expect(await client.texts()).toEqual(['2']);
    expect(broker.counters.subscriptions).toBe(1);
    client.transport.destroy();
    expect(broker.counters.subscriptions).toBe(0);
  });

  it('is answered by an UNSUBACK without codes in 3.1.1', async () => {
    const { connect } = openTestBroker();
    const client = await connect(4);
    client.send({ type: 'unsubscribe', packetId: 4, filters: ['a'] });
    expect(await client.take()).toMatchObject([{ type: 'unsuback', packetId: 4 }]);
  });
});

describe('retained messages', () => {
  it('of its own are kept away from a subscription with no local', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    const other = await connect(5, { clientId: 'other' });
    client.publish('r/1', 'own', { retain: true });
    other.publish('r/2', 'foreign', { retain: true });
    client.send(subscribeOf('r/+', 0, { noLocal: true }));
    expect(await client.texts()).toEqual(['foreign']);
  });

  it('come with a new subscription, by its retain handling, and are cleared by an empty one', async () => {
    const { connect, broker } = openTestBroker();
    const publisher = await connect(4, { clientId: 'p' });
    publisher.publish('a/1', 'one', { retain: true, qos: 1, packetId: 1 });
    publisher.publish('a/2', 'two', { retain: true });
    publisher.publish('b', 'other', { retain: true });
    publisher.publish('a/2', '', { retain: true });
    const client = await connect(5);
    client.send(subscribeOf('a/#', 2, {}, 9));
    expect((await client.take()).slice(1)).toMatchObject([
      { topic: 'a/1', text: 'one', qos: 1, retain: true, properties: { subscriptionIdentifiers: [9] } },
    ]);
    client.send(subscribeOf('a/#', 0, { retainHandling: 1 }), subscribeOf('b', 0, { retainHandling: 2 }));
    expect(await client.texts()).toEqual([]);
    client.send(subscribeOf('a/#', 0, { retainHandling: 0 }), subscribeOf('+', 0, { retainHandling: 1 }));
    expect((await client.texts()).toSorted()).toEqual(['one', 'other']);
    expect(broker.retained.count).toBe(2);
  });

  it('come after the SUBACK, all of them, in slices that let others work', async () => {
    const { connect } = openTestBroker();
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 5_000; i++) publisher.publish(`r/${i}`, String(i), { retain: true });
    const clients = await Promise.all([1, 2, 3].map((i) => connect(4, { clientId: `s${i}` })));
    for (const client of clients) client.send(subscribeOf('r/+', 0), { type: 'pingreq' });
    const first = await Promise.all(clients.map((client) => client.take()));
    for (const got of first) {
      expect(got.slice(0, 2).map(({ type }) => type)).toEqual(['suback', 'pingresp']);
      expect(got.length).toBeLessThan(2_000);
    }
    const counts = first.map((got) => got.length - 2);
    for (let i = 0; i < 100; i++) {
      for (const [which, client] of clients.entries()) counts[which] = (counts[which] ?? 0) + (await client.take()).length;
    }
    expect(counts).toEqual([5_000, 5_000, 5_000]);
  });

  it('wait for a client that is slow, and for its window', async () => {
    const { connect, broker } = openTestBroker();
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 100; i++) publisher.publish(`r/${i}`, String(i), { retain: true, qos: 1, packetId: 1 });
    const client = await connect(5, { properties: { receiveMaximum: 10 } });
    client.send(subscribeOf('r/+', 1));
    let got = 0;
    for (let round = 0; round < 10; round++) {
      const packets = (await client.take()).filter((packet) => packet.type === 'publish');
      expect(packets.length).toBe(10);
      got += packets.length;
      for (const { packetId } of packets) client.send({ type: 'puback', packetId, reasonCode: 0 });
    }
    expect(got).toBe(100);
    expect(broker.counters.queued).toBe(0);
    const blocked = await connect(4, { clientId: 'blocked' });
    blocked.transport.congested = true;
    blocked.send(subscribeOf('r/+', 0));
    expect((await blocked.texts()).length).toBe(0);
    blocked.transport.drain();
    expect((await blocked.texts()).length).toBe(100);
  });

  it('are gone after their expiry, and say how long they have', async () => {
    const { connect, clock, broker } = openTestBroker();
    const publisher = await connect(5, { clientId: 'p' });
    publisher.publish('r/short', 'x', { retain: true, properties: { messageExpirySec: 10 } });
    publisher.publish('r/long', 'y', { retain: true, properties: { messageExpirySec: 100 } });
    clock.advance(30_000);
    const client = await connect(5);
    client.send(subscribeOf('r/#'));
    expect((await client.take()).slice(1)).toMatchObject([{ text: 'y', properties: { messageExpirySec: 70 } }]);
    expect(broker.retained.count).toBe(1);
  });

  it('are refused where their bounds are reached', async () => {
    const { connect, broker } = openTestBroker({ limits: { maxRetainedMessages: 1 } });
    const client = await connect(5);
    client.publish('a', 'x', { retain: true, qos: 1, packetId: 1 });
    client.publish('b', 'x', { retain: true, qos: 1, packetId: 2 });
    client.publish('a', 'y', { retain: true, qos: 1, packetId: 3 });
    const codes = (await client.take()).map((packet) => ('reasonCode' in packet ? packet.reasonCode : -1));
    expect(codes).toEqual([0x10, 0x97, 0x10]);
    expect([broker.retained.count, broker.counters.dropped['retained-full']]).toEqual([1, 1]);
  });
});
