import { describe, expect, it } from 'vitest';
import { subscribeOf, type TestBroker } from '../../packages/platform/src/broker/broker.fixture.ts';
import { arrive, BOTH, expectOpen, kept, lose, openBroker, type Taken, types } from './conformance.fixture.ts';

const texts = (packets: Taken): string[] => packets.flatMap((packet) => (packet.type === 'publish' ? [packet.text] : []));

/** Leaves a session behind that is subscribed to `a/#` at QoS 2. */
async function leaveSession(test: TestBroker, version: 4 | 5): Promise<void> {
  const { client } = await arrive(test, version, kept(version));
  client.send(subscribeOf('a/#', 2));
  expect(types(await client.take())).toEqual(['suback']);
  await lose(client);
}

describe('a session', () => {
  it.each(BOTH)(
    'that is kept goes on where it was: subscriptions, and what came meanwhile [MQTT-3.1.2-5] [MQTT-3.1.2-23 v5.0] [MQTT-3.1.2-4 v3.1.1] [MQTT-3.1.2-5 v3.1.1] [MQTT-4.1.0-1 v3.1.1] [MQTT-4.5.0-1] (level %i)',
    async (version) => {
      const test = await openBroker();
      await leaveSession(test, version);
      const publisher = await test.connect(5, { clientId: 'p' });
      publisher.publish('a/1', 'one', { qos: 1, packetId: 1 });
      publisher.publish('b', 'not for it', { qos: 1, packetId: 2 });
      publisher.publish('a/2', 'two', { qos: 2, packetId: 3 });
      expect(types(await publisher.take())).toEqual(['puback', 'puback', 'pubrec']);
      const { client, connack, rest } = await arrive(test, version, kept(version));
      expect(connack.sessionPresent).toBe(true);
      expect(rest).toMatchObject([
        { topic: 'a/1', text: 'one', qos: 1 },
        { topic: 'a/2', text: 'two', qos: 2 },
      ]);
      publisher.publish('a/3', 'three');
      expect(texts(await client.take())).toEqual(['three']);
    },
  );

  it.each(BOTH)('is made where there is none [MQTT-3.1.2-6 v5.0] [MQTT-3.1.2-4 v3.1.1] (level %i)', async (version) => {
    const test = await openBroker();
    const { client, connack } = await arrive(test, version, kept(version));
    expect(connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
    client.send(subscribeOf('a'));
    expect(types(await client.take())).toEqual(['suback']);
    client.publish('a', 'x');
    expect(await client.texts()).toEqual(['x']);
  });

  it.each(BOTH)(
    'is discarded by a clean start, with all it had [MQTT-3.1.2-4 v5.0] [MQTT-3.1.4-4 v5.0] [MQTT-3.1.2-6 v3.1.1] [MQTT-3.1.4-3 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      await leaveSession(test, version);
      const publisher = await test.connect(5, { clientId: 'p' });
      publisher.publish('a/1', 'waits', { qos: 1, packetId: 1 });
      await publisher.take();
      const { client, connack, rest } = await arrive(test, version, kept(version, { cleanStart: true }));
      expect([connack.sessionPresent, rest]).toEqual([false, []]);
      publisher.publish('a/1', 'nobody subscribes', { qos: 1, packetId: 2 });
      expect(await publisher.take()).toMatchObject([{ type: 'puback', reasonCode: 0x10 }]);
      expect(await client.take()).toEqual([]);
    },
  );

  it.each(BOTH)('that was clean is never used again [MQTT-3.1.2-6 v3.1.1] [MQTT-4.1.0-2 v5.0] (level %i)', async (version) => {
    const test = await openBroker();
    const { client } = await arrive(test, version, { clientId: 'kept', cleanStart: true });
    client.send(subscribeOf('a', 1));
    await client.take();
    await lose(client);
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', 'x', { qos: 1, packetId: 1 });
    expect(await publisher.take()).toMatchObject([{ reasonCode: 0x10 }]);
    const { connack, rest } = await arrive(test, version, kept(version));
    expect([connack.sessionPresent, rest]).toEqual([false, []]);
  });

  it('lasts as long as its connection, whatever its expiry [MQTT-4.1.0-1 v5.0] [MQTT-4.1.0-2 v3.1.1]', async () => {
    const test = await openBroker();
    const publisher = await test.connect(5, { clientId: 'p' });
    const clients = [
      await test.connect(5, kept(5, { clientId: 'short', properties: { sessionExpirySec: 1 } })),
      await test.connect(5, { clientId: 'none' }),
      await test.connect(4, { clientId: 'clean' }),
      await test.connect(4, kept(4, { clientId: 'old' })),
    ];
    for (const client of clients) {
      client.send(subscribeOf('a', 1));
      await client.take();
    }
    for (let hour = 0; hour < 30; hour++) test.clock.advance(3_600_000);
    publisher.publish('a', 'still there', { qos: 1, packetId: 1 });
    for (const client of clients) expect(await client.texts()).toEqual(['still there']);
  });

  it('is discarded when its expiry has passed after the connection [MQTT-4.1.0-2 v5.0] [MQTT-3.1.2-23 v5.0]', async () => {
    const test = await openBroker();
    const options = kept(5, { properties: { sessionExpirySec: 100 } });
    for (const [offlineMs, present] of [
      [95_000, true],
      [105_000, false],
    ] as const) {
      const { client } = await arrive(test, 5, { ...options, cleanStart: true });
      client.send(subscribeOf('a', 1));
      await client.take();
      // Time with a connection does not count.
      test.clock.advance(200_000);
      await lose(client);
      test.clock.advance(offlineMs);
      const again = await arrive(test, 5, options);
      expect(again.connack.sessionPresent).toBe(present);
    }
  });

  it('with an expiry of 0 ends with its connection, also where it was not a clean start [MQTT-4.1.0-2 v5.0]', async () => {
    const test = await openBroker();
    await leaveSession(test, 5);
    const { client, connack } = await arrive(test, 5, { clientId: 'kept', cleanStart: false });
    expect(connack.sessionPresent).toBe(true);
    await lose(client);
    expect((await arrive(test, 5, kept(5))).connack.sessionPresent).toBe(false);
  });

  it('can be given another expiry by DISCONNECT [MQTT-4.1.0-2 v5.0] [MQTT-3.1.2-23 v5.0]', async () => {
    const test = await openBroker();
    let { client } = await arrive(test, 5, kept(5));
    client.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 0 });
    await client.take();
    let { connack, ...again } = await arrive(test, 5, kept(5, { properties: { sessionExpirySec: 10 } }));
    expect(connack.sessionPresent).toBe(false);
    client = again.client;
    client.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 1_000 });
    await client.take();
    test.clock.advance(100_000);
    ({ connack } = await arrive(test, 5, kept(5)));
    expect(connack.sessionPresent).toBe(true);
  });

  it.each(BOTH)('is named by its client id [MQTT-3.1.3-2] (level %i)', async (version) => {
    const test = await openBroker();
    await leaveSession(test, version);
    const other = await arrive(test, version, kept(version, { clientId: 'Kept' }));
    expect(other.connack.sessionPresent).toBe(false);
    const { connack, client } = await arrive(test, version, kept(version));
    expect(connack.sessionPresent).toBe(true);
    await expectOpen(client);
  });

  it.each(BOTH)('that is taken over keeps what it had [MQTT-3.1.2-5] [MQTT-3.1.2-4 v3.1.1] (level %i)', async (version) => {
    const test = await openBroker();
    const { client: first } = await arrive(test, version, kept(version));
    first.send(subscribeOf('a/#', 2));
    await first.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', 'unacknowledged', { qos: 1, packetId: 1 });
    expect(await first.texts()).toEqual(['unacknowledged']);
    const second = await arrive(test, version, kept(version));
    expect(second.connack.sessionPresent).toBe(true);
    expect(texts(second.rest)).toEqual(['unacknowledged']);
    expect(first.transport.ended).toBe(true);
  });

  it.each(BOTH)('does not take retained messages along when it ends [MQTT-3.1.2-7 v3.1.1] (level %i)', async (version) => {
    const test = await openBroker();
    const client = await test.connect(version, { clientId: 'c' });
    client.publish('r', 'stays', { retain: true });
    await lose(client);
    const reader = await test.connect(5, { clientId: 'r' });
    reader.send(subscribeOf('r'));
    expect(await reader.texts()).toEqual(['stays']);
  });

  it.each(BOTH)('is not sent what expired while it was offline [MQTT-3.3.2-5] (level %i)', async (version) => {
    const test = await openBroker();
    await leaveSession(test, version);
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', 'short', { qos: 1, packetId: 1, properties: { messageExpirySec: 5 } });
    publisher.publish('a', 'long', { qos: 1, packetId: 2, properties: { messageExpirySec: 50 } });
    await publisher.take();
    test.clock.advance(10_000);
    const { rest } = await arrive(test, version, kept(version));
    expect(texts(rest)).toEqual(['long']);
    if (version === 5) expect(rest).toMatchObject([{ properties: { messageExpirySec: 40 } }]);
  });

  it('keeps the options of its subscriptions, and uses the identifiers for what waited too [MQTT-3.1.2-5 v5.0] [MQTT-3.3.4-3] [MQTT-3.8.3-3 v5.0] [MQTT-3.3.1-13 v5.0]', async () => {
    const test = await openBroker();
    const { client } = await arrive(test, 5, kept(5));
    client.send(subscribeOf('a', 1, { retainAsPublished: true, noLocal: true }, 7), subscribeOf('+', 0, {}, 8));
    await client.take();
    await lose(client);
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', 'waited', { qos: 1, packetId: 1, retain: true });
    await publisher.take();
    const { client: again, rest } = await arrive(test, 5, kept(5));
    expect(rest).toMatchObject([{ text: 'waited', qos: 1, retain: true }]);
    publisher.publish('a', 'live', { qos: 1, packetId: 2, retain: true });
    const live = await again.take();
    expect(live).toMatchObject([{ text: 'live', qos: 1, retain: true }]);
    for (const packet of [...rest, ...live]) {
      expect(packet).toMatchObject({ properties: { subscriptionIdentifiers: expect.arrayContaining([7, 8]) } });
    }
    again.send({ type: 'unsubscribe', packetId: 3, filters: ['+'] });
    await again.take();
    again.publish('a', 'own', { qos: 1, packetId: 1 });
    expect(types(await again.take())).toEqual(['puback']);
  });

  it('is served within the limits of its new connection: window and packet size [MQTT-3.3.4-9] [MQTT-3.1.2-24] [MQTT-3.1.2-25] [MQTT-4.9.0-1]', async () => {
    const test = await openBroker();
    await leaveSession(test, 5);
    const publisher = await test.connect(5, { clientId: 'p' });
    for (const [i, size] of [5, 500, 6, 7, 8].entries()) publisher.publish('a', 'x'.repeat(size), { qos: 1, packetId: i + 1 });
    await publisher.take();
    const limits = kept(5, { properties: { sessionExpirySec: 3_600, receiveMaximum: 2, maxPacketBytes: 100 } });
    const { client, rest } = await arrive(test, 5, limits);
    expect(texts(rest).map(({ length }) => length)).toEqual([5, 6]);
    for (const packet of rest) {
      if (packet.type === 'publish') client.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0 });
    }
    expect((await client.texts()).map(({ length }) => length)).toEqual([7, 8]);
    await lose(client);
    // What was too large counts as delivered: it does not come back.
    const { rest: left } = await arrive(test, 5, kept(5));
    expect(texts(left).map(({ length }) => length)).toEqual([7, 8]);
  });
});
