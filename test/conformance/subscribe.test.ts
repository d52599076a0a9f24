import type { OutgoingPacket, Subscription } from '@selsyn/wire/mqtt/packets.ts';
import { isReasonCodeOf } from '@selsyn/wire/mqtt/reason-codes.ts';
import { describe, expect, it } from 'vitest';
import { subscribeOf } from '../../packages/platform/src/broker/broker.fixture.ts';
import { BOTH, expectClosed, field, openBroker, packetOf, publishHeads, types } from './conformance.fixture.ts';

const OPTIONS = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

function subscribeToAll(...subscriptions: readonly (readonly [filter: string, qos: 0 | 1 | 2])[]): OutgoingPacket {
  return {
    type: 'subscribe',
    packetId: 9,
    subscriptions: subscriptions.map(([filter, qos]): Subscription => ({ ...OPTIONS, filter, qos })),
  };
}

describe('SUBSCRIBE', () => {
  it.each(BOTH)('is answered with SUBACK of its packet id [MQTT-3.8.4-1] [MQTT-3.8.4-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(subscribeOf('a', 1));
    expect(await client.take()).toMatchObject([{ type: 'suback', packetId: 77, reasonCodes: [1] }]);
  });

  it.each(BOTH)(
    'of several filters is like several, with one SUBACK that has a code for each in their order [MQTT-3.8.4-5 v5.0] [MQTT-3.8.4-6 v5.0] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2 v5.0] [MQTT-3.8.4-4 v3.1.1] [MQTT-3.8.4-5 v3.1.1] [MQTT-3.9.3-2 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(subscribeToAll(['a', 2], ['secret/a', 1], ['b', 0], ['a', 1], ['c', 2]));
      const [suback, ...more] = await client.take();
      const refused = version === 5 ? 0x87 : 0x80;
      expect(suback).toMatchObject({ type: 'suback', packetId: 9, reasonCodes: [2, refused, 0, 1, 2] });
      expect(more).toEqual([]);
      if (suback?.type === 'suback' && version === 5) {
        for (const code of suback.reasonCodes) expect(isReasonCodeOf('suback', code)).toBe(true);
      }
      const publisher = await connect(5, { clientId: 'p' });
      for (const [i, topic] of ['a', 'b', 'c'].entries()) publisher.publish(topic, topic, { qos: 2, packetId: 1 + i });
      expect(await client.take()).toMatchObject([
        { topic: 'a', qos: 1 },
        { topic: 'b', qos: 0 },
        { topic: 'c', qos: 2 },
      ]);
    },
  );

  it.each(BOTH)(
    'that is granted a QoS gets messages at the lower of it and their own [MQTT-3.8.4-8] [MQTT-3.8.4-6 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(subscribeToAll(['q/0', 0], ['q/1', 1], ['q/2', 2]));
      await client.take();
      const publisher = await connect(5, { clientId: 'p' });
      let packetId = 0;
      for (const granted of [0, 1, 2])
        for (const qos of [0, 1, 2] as const) publisher.publish(`q/${granted}`, 'x', { qos, packetId: ++packetId });
      expect((await publishHeads(client)).map(({ qos }) => qos)).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 2]);
    },
  );

  it.each(BOTH)(
    'to overlapping filters gets the highest of their QoS [MQTT-3.3.4-2] [MQTT-3.3.5-1 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(subscribeToAll(['a/#', 0], ['a/+', 2], ['+/b', 1]));
      await client.take();
      const publisher = await connect(5, { clientId: 'p' });
      publisher.publish('a/b', 'x', { qos: 2, packetId: 1 });
      const got = await publishHeads(client);
      expect(Math.max(...got.map(({ qos }) => qos))).toBe(2);
      expect(got.length).toBe(1);
    },
  );

  it.each(BOTH)('again with the same filter replaces the subscription [MQTT-3.8.4-3] (level %i)', async (version) => {
    const { connect, broker } = await openBroker();
    const client = await connect(version);
    for (const qos of [2, 0, 1] as const) {
      client.send(subscribeOf('a', qos));
      await client.take();
      client.publish('a', 'x', { qos: 2, packetId: 3 });
      client.send({ type: 'pubrel', packetId: 3, reasonCode: 0 });
      expect((await publishHeads(client)).map((head) => head.qos)).toEqual([qos]);
    }
    expect(broker.counters.subscriptions).toBe(1);
  });

  it.each(BOTH)(
    'without a filter closes the connection [MQTT-3.8.3-2 v5.0] [MQTT-3.8.3-3 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.sendBytes(packetOf(0x82, 0, 1, ...(version === 5 ? [0] : [])));
      await expectClosed(client, 0x82);
    },
  );

  it.each(BOTH)(
    'with reserved bits, or QoS 3, closes the connection [MQTT-3.8.3-5 v5.0] [MQTT-3.8.3-4 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const [options, code] of version === 5
        ? ([
            [0x40, 0x81],
            [0x80, 0x81],
            [0xc1, 0x81],
            [0x03, 0x82],
            [0x30, 0x82],
          ] as const)
        : ([
            [0x03, 0],
            [0x04, 0],
            [0x08, 0],
            [0x10, 0],
            [0x40, 0],
            [0x80, 0],
          ] as const)) {
        const client = await connect(version);
        client.sendBytes(packetOf(0x82, 0, 1, ...(version === 5 ? [0] : []), field('a'), options));
        await expectClosed(client, code);
      }
    },
  );

  it('with no local does not get what its own client published [MQTT-3.8.3-3 v5.0]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5, { clientId: 'one' });
    const other = await connect(5, { clientId: 'two' });
    client.send(subscribeOf('a', 1, { noLocal: true }));
    await client.take();
    client.publish('a', 'own', { qos: 1, packetId: 1 });
    client.publish('a', 'own', { qos: 0 });
    other.publish('a', 'of another', { qos: 1, packetId: 1 });
    expect(await client.texts()).toEqual(['of another']);
  });

  it('with no local on a shared filter closes the connection [MQTT-3.8.3-4 v5.0]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.sendBytes(packetOf(0x82, 0, 1, 0, field('$share/g/a'), 0x04));
    await expectClosed(client, 0x82);
  });

  it('gives its identifier to what it matches, all of them in one copy [MQTT-3.3.4-3] [MQTT-3.3.4-4]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send(
      subscribeOf('a/#', 1, {}, 1),
      subscribeOf('a/+', 0, {}, 268_435_455),
      subscribeOf('+/b', 1),
      subscribeOf('x', 1, {}, 5),
    );
    await client.take();
    client.publish('a/b', 'x', { qos: 1, packetId: 1 });
    client.publish('c/b', 'y');
    const got = (await client.take()).filter(({ type }) => type === 'publish');
    expect(got.length).toBe(2);
    expect(got[0]).toMatchObject({ properties: { subscriptionIdentifiers: expect.arrayContaining([1, 268_435_455]) } });
    expect(got[1]).not.toHaveProperty('properties.subscriptionIdentifiers');
    // Made again without one, it has none.
    client.send(subscribeOf('a/#', 1));
    await client.take();
    client.publish('a/c/d', 'z');
    expect((await client.take())[0]).not.toHaveProperty('properties.subscriptionIdentifiers');
  });

  it('with the identifier 0, or two of them, closes the connection [MQTT-4.13.1-1]', async () => {
    const { connect } = await openBroker();
    for (const properties of [
      [0x0b, 0],
      [0x0b, 1, 0x0b, 2],
    ]) {
      const client = await connect(5);
      client.sendBytes(packetOf(0x82, 0, 1, properties.length, Uint8Array.from(properties), field('a'), 0));
      await expectClosed(client, 0x82);
    }
  });
});

describe('UNSUBSCRIBE', () => {
  it.each(BOTH)(
    'is answered with UNSUBACK of its packet id, also where nothing is deleted [MQTT-3.10.4-4] [MQTT-3.10.4-5] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(
        subscribeOf('a'),
        { type: 'unsubscribe', packetId: 5, filters: ['a'] },
        { type: 'unsubscribe', packetId: 6, filters: ['a'] },
      );
      expect((await client.take()).slice(1)).toMatchObject([
        { type: 'unsuback', packetId: 5, ...(version === 5 && { reasonCodes: [0] }) },
        { type: 'unsuback', packetId: 6, ...(version === 5 && { reasonCodes: [0x11] }) },
      ]);
    },
  );

  it.each(BOTH)(
    'deletes the filter that is the same in every character, and ends its messages [MQTT-3.10.4-1] [MQTT-3.10.4-2] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(subscribeOf('a/+'), subscribeOf('a/b'), {
        type: 'unsubscribe',
        packetId: 5,
        filters: ['a/#', 'A/+', 'a/+/', '+/b', '#'],
      });
      await client.take();
      client.publish('a/c', 'still');
      expect(await client.texts()).toEqual(['still']);
      client.send({ type: 'unsubscribe', packetId: 6, filters: ['a/+'] });
      await client.take();
      client.publish('a/c', 'no more');
      client.publish('a/b', 'the other');
      expect(await client.texts()).toEqual(['the other']);
    },
  );

  it.each(BOTH)('lets the QoS 1 and 2 deliveries that were begun be completed [MQTT-3.10.4-3] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(subscribeOf('a', 2));
    await client.take();
    const publisher = await connect(5, { clientId: 'p' });
    publisher.publish('a', 'one', { qos: 1, packetId: 1 });
    publisher.publish('a', 'two', { qos: 2, packetId: 2 });
    const ids = (await publishHeads(client)).map(({ packetId }) => packetId);
    client.send({ type: 'unsubscribe', packetId: 5, filters: ['a'] });
    expect(types(await client.take())).toEqual(['unsuback']);
    client.send({ type: 'puback', packetId: ids[0]!, reasonCode: 0 }, { type: 'pubrec', packetId: ids[1]!, reasonCode: 0 });
    expect(await client.take()).toMatchObject([{ type: 'pubrel', packetId: ids[1], reasonCode: 0 }]);
  });

  it.each(BOTH)(
    'of several filters is like several, with one UNSUBACK that has a code for each in their order [MQTT-3.10.4-6] [MQTT-3.11.3-1 v5.0] [MQTT-3.11.3-2 v5.0] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const client = await connect(version);
      client.send(subscribeToAll(['a', 0], ['b', 0], ['c', 0]), {
        type: 'unsubscribe',
        packetId: 5,
        filters: ['x', 'a', 'y', 'c', 'a'],
      });
      const [, unsuback, ...more] = await client.take();
      expect(unsuback).toMatchObject({ type: 'unsuback', packetId: 5 });
      expect(more).toEqual([]);
      if (version === 5) expect(unsuback).toMatchObject({ reasonCodes: [0x11, 0, 0x11, 0, 0x11] });
      for (const topic of ['a', 'b', 'c']) client.publish(topic, topic);
      expect(await client.texts()).toEqual(['b']);
    },
  );

  it.each(BOTH)('without a filter closes the connection [MQTT-3.10.3-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.sendBytes(packetOf(0xa2, 0, 1, ...(version === 5 ? [0] : [])));
    await expectClosed(client, 0x82);
  });
});
