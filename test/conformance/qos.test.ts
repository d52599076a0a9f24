import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { connectOf, subscribeOf, TestClient, type TestBroker } from '../../packages/platform/src/broker/broker.fixture.ts';
import { arrive, BOTH, kept, lose, openBroker, publishHeads, types } from './conformance.fixture.ts';

/** A kept session that is subscribed to `a` at QoS 2, and a publisher. */
async function subscribed(test: TestBroker, version: ProtocolVersion): Promise<{ client: TestClient; publisher: TestClient }> {
  const { client } = await arrive(test, version, kept(version));
  client.send(subscribeOf('a', 2));
  await client.take();
  return { client, publisher: await test.connect(5, { clientId: 'p' }) };
}

/** A connection to the kept session, from which nothing was taken yet. */
function back(test: TestBroker, version: ProtocolVersion): TestClient {
  const client = new TestClient(test.broker, version);
  client.send(connectOf(version, kept(version)));
  return client;
}

describe('QoS 0', () => {
  it.each(BOTH)('is sent with QoS 0 and DUP 0 [MQTT-4.3.1-1] [MQTT-3.3.1-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(subscribeOf('a', 2));
    await client.take();
    client.publish('a', 'x', { qos: 0 });
    expect(await publishHeads(client)).toEqual([{ dup: false, qos: 0, retain: false, packetId: 0 }]);
  });
});

describe('QoS 1 towards a client', () => {
  it.each(BOTH)(
    'is sent with a free packet id, QoS 1 and DUP 0, whatever DUP it came with [MQTT-4.3.2-1] [MQTT-4.3.2-2 v5.0] [MQTT-4.3.2-1 v3.1.1] [MQTT-3.3.1-3] (level %i)',
    async (version) => {
      const { client, publisher } = await subscribed(await openBroker(), version);
      for (const packetId of [1, 2, 3]) publisher.publish('a', 'x', { qos: 1, packetId, dup: true });
      const heads = await publishHeads(client);
      expect(heads).toMatchObject([1, 2, 3].map(() => ({ dup: false, qos: 1 })));
      expect(new Set(heads.map(({ packetId }) => packetId)).size).toBe(3);
    },
  );

  it.each(BOTH)(
    'is unacknowledged until PUBACK: sent again after a reconnection, with DUP and its packet id, in order [MQTT-4.3.2-3 v5.0] [MQTT-4.3.2-1 v3.1.1] [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const { client, publisher } = await subscribed(test, version);
      for (let i = 1; i <= 4; i++) publisher.publish('a', String(i), { qos: 1, packetId: i });
      const first = await publishHeads(client);
      const acknowledged = first[1]?.packetId ?? 0;
      client.send({ type: 'puback', packetId: acknowledged, reasonCode: 0 });
      await lose(client);
      const again = await publishHeads(back(test, version));
      expect(again).toEqual(first.filter(({ packetId }) => packetId !== acknowledged).map((head) => ({ ...head, dup: true })));
    },
  );

  it.each(BOTH)('is not sent again at any other time [MQTT-4.4.0-1] (level %i)', async (version) => {
    const test = await openBroker();
    const { client, publisher } = await subscribed(test, version);
    publisher.publish('a', '1', { qos: 1, packetId: 1 });
    publisher.publish('a', '2', { qos: 2, packetId: 2 });
    expect((await publishHeads(client)).length).toBe(2);
    for (let minute = 0; minute < 60; minute++) test.clock.advance(60_000);
    expect(await client.take()).toEqual([]);
  });

  it('that was refused counts as acknowledged [MQTT-4.4.0-2]', async () => {
    const test = await openBroker();
    const { client, publisher } = await subscribed(test, 5);
    publisher.publish('a', '1', { qos: 1, packetId: 1 });
    publisher.publish('a', '2', { qos: 2, packetId: 2 });
    publisher.publish('a', '3', { qos: 1, packetId: 3 });
    const [one, two] = await publishHeads(client);
    client.send(
      { type: 'puback', packetId: one?.packetId ?? 0, reasonCode: 0x80 },
      { type: 'pubrec', packetId: two?.packetId ?? 0, reasonCode: 0x97 },
    );
    expect(await client.take()).toEqual([]);
    await lose(client);
    expect(await back(test, 5).texts()).toEqual(['3']);
  });
});

describe('QoS 2 towards a client', () => {
  it.each(BOTH)(
    'is PUBLISH with DUP 0, PUBREC, PUBREL of the same packet id, PUBCOMP [MQTT-4.3.3-1] [MQTT-4.3.3-2 v5.0] [MQTT-4.3.3-4] [MQTT-4.3.3-1 v3.1.1] (level %i)',
    async (version) => {
      const { client, publisher } = await subscribed(await openBroker(), version);
      publisher.publish('a', 'x', { qos: 2, packetId: 1, dup: true });
      const [head] = await publishHeads(client);
      expect(head).toMatchObject({ dup: false, qos: 2 });
      const packetId = head?.packetId ?? 0;
      client.send({ type: 'pubrec', packetId, reasonCode: 0 });
      expect(await client.take()).toMatchObject([{ type: 'pubrel', packetId, reasonCode: 0 }]);
      client.send({ type: 'pubcomp', packetId, reasonCode: 0 });
      expect(await client.take()).toEqual([]);
    },
  );

  it.each(BOTH)(
    'is sent again until PUBREC, then only its PUBREL until PUBCOMP [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.3.3-1 v3.1.1] [MQTT-4.4.0-1] [MQTT-3.3.1-1] (level %i)',
    async (version) => {
      const test = await openBroker();
      let { client, publisher } = await subscribed(test, version);
      publisher.publish('a', 'x', { qos: 2, packetId: 1 });
      const [head] = await publishHeads(client);
      const packetId = head?.packetId ?? 0;
      await lose(client);
      client = back(test, version);
      expect(await publishHeads(client)).toEqual([{ ...head, dup: true }]);
      client.send({ type: 'pubrec', packetId, reasonCode: 0 });
      expect(types(await client.take())).toEqual(['pubrel']);
      for (let round = 0; round < 2; round++) {
        await lose(client);
        client = back(test, version);
        expect(await client.take()).toMatchObject([{ type: 'connack' }, { type: 'pubrel', packetId }]);
      }
      client.send({ type: 'pubcomp', packetId, reasonCode: 0 });
      await client.take();
      await lose(client);
      expect(types(await back(test, version).take())).toEqual(['connack']);
    },
  );

  it('does not expire once its PUBLISH was sent [MQTT-4.3.3-7]', async () => {
    const test = await openBroker();
    const { client, publisher } = await subscribed(test, 5);
    publisher.publish('a', 'x', { qos: 2, packetId: 1, properties: { messageExpirySec: 5 } });
    expect((await publishHeads(client)).length).toBe(1);
    await lose(client);
    test.clock.advance(60_000);
    expect(await back(test, 5).texts()).toEqual(['x']);
  });

  it('does not make room in a full queue by expiring once its PUBLISH was sent [MQTT-4.3.3-7]', async () => {
    const test = await openBroker({ limits: { maxQueuedMessages: 3 } });
    const { client, publisher } = await subscribed(test, 5);
    const send = (text: string, packetId: number): void =>
      publisher.publish('a', text, { qos: 2, packetId, properties: { messageExpirySec: 5 } });
    send('sent', 1);
    expect((await publishHeads(client)).length).toBe(1);
    await lose(client);
    for (let i = 2; i <= 5; i++) send('expires', i);
    await publisher.take();
    test.clock.advance(60_000);
    for (let i = 6; i <= 9; i++) publisher.publish('a', 'new', { qos: 1, packetId: i });
    await publisher.take();
    const [first, ...more] = await back(test, 5).texts();
    expect(first).toBe('sent');
    expect(new Set(more)).toEqual(new Set(['new']));
  });

  it.each(BOTH)('tells a client that knows a packet id we do not that we do not [MQTT-4.3.3-4] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send({ type: 'pubrec', packetId: 99, reasonCode: 0 });
    expect(await client.take()).toMatchObject([{ type: 'pubrel', packetId: 99, reasonCode: version === 5 ? 0x92 : 0 }]);
  });
});

describe('QoS 1 from a client', () => {
  it.each(BOTH)(
    'is answered with PUBACK of its packet id once the message is ours [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.3.2-2 v3.1.1] (level %i)',
    async (version) => {
      const { connect, intake } = await openBroker();
      const client = await connect(version);
      client.publish('telemetry/x', 'x', { qos: 1, packetId: 5 });
      client.publish('telemetry/x', 'y', { qos: 0 });
      expect(await client.take()).toEqual([]);
      intake.settle();
      expect(await client.take()).toMatchObject([{ type: 'puback', packetId: 5, reasonCode: 0 }]);
    },
  );

  it.each(BOTH)(
    'with a packet id that was acknowledged is a new message, whatever its DUP [MQTT-4.3.2-5] [MQTT-4.3.2-2 v3.1.1] (level %i)',
    async (version) => {
      const { client, publisher } = await subscribed(await openBroker(), version);
      for (const dup of [false, true, false]) {
        publisher.publish('a', 'x', { qos: 1, packetId: 5, dup });
        expect(types(await publisher.take())).toEqual(['puback']);
      }
      expect(await client.texts()).toEqual(['x', 'x', 'x']);
    },
  );
});

describe('QoS 2 from a client', () => {
  it.each(BOTH)(
    'is answered with PUBREC, and PUBREL with PUBCOMP; after that its packet id is new [MQTT-3.3.4-1] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT-4.3.3-2 v3.1.1] (level %i)',
    async (version) => {
      const { connect, intake } = await openBroker();
      const client = await connect(version);
      for (let round = 1; round <= 3; round++) {
        client.publish('telemetry/x', 'x', { qos: 2, packetId: 5, dup: round === 3 });
        expect(await client.take()).toEqual([]);
        intake.settle();
        expect(await client.take()).toMatchObject([{ type: 'pubrec', packetId: 5, reasonCode: 0 }]);
        client.send({ type: 'pubrel', packetId: 5, reasonCode: 0 });
        expect(await client.take()).toMatchObject([{ type: 'pubcomp', packetId: 5, reasonCode: 0 }]);
        expect(intake.accepted.length).toBe(round);
      }
    },
  );

  it.each(BOTH)(
    'that is sent again before PUBREL is answered and not delivered again, also after a reconnection [MQTT-4.3.3-10] [MQTT-4.3.3-2 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const subscriber = await test.connect(5, { clientId: 's' });
      subscriber.send(subscribeOf('b', 2));
      await subscriber.take();
      let client = back(test, version);
      expect(types(await client.take())).toEqual(['connack']);
      for (let round = 0; round < 3; round++) {
        for (const dup of [round > 0, true]) {
          client.publish('b', 'x', { qos: 2, packetId: 9, dup });
          expect(await client.take()).toMatchObject([{ type: 'pubrec', packetId: 9, reasonCode: 0 }]);
        }
        await lose(client);
        client = back(test, version);
        expect(types(await client.take())).toEqual(['connack']);
      }
      expect(await subscriber.texts()).toEqual(['x']);
      client.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
      expect(await client.take()).toMatchObject([{ type: 'pubcomp', packetId: 9, reasonCode: 0 }]);
      client.publish('b', 'y', { qos: 2, packetId: 9 });
      expect(await subscriber.texts()).toEqual(['y']);
    },
  );

  it('that was refused leaves its packet id free [MQTT-4.3.3-9]', async () => {
    const { connect, intake } = await openBroker();
    const client = await connect(5);
    client.publish('secret', 'x', { qos: 2, packetId: 5 });
    expect(await client.take()).toMatchObject([{ type: 'pubrec', packetId: 5, reasonCode: 0x87 }]);
    client.publish('telemetry/x', 'x', { qos: 2, packetId: 5 });
    intake.settle();
    expect(await client.take()).toMatchObject([{ type: 'pubrec', packetId: 5, reasonCode: 0 }]);
    expect(intake.accepted).toEqual(['x']);
  });

  it('is completed also where the message has expired [MQTT-4.3.3-13]', async () => {
    const { connect, clock } = await openBroker();
    const client = await connect(5);
    client.publish('a', 'x', { qos: 2, packetId: 5, properties: { messageExpirySec: 1 } });
    expect(types(await client.take())).toEqual(['pubrec']);
    clock.advance(10_000);
    client.publish('a', 'x', { qos: 2, packetId: 5, dup: true, properties: { messageExpirySec: 1 } });
    client.send({ type: 'pubrel', packetId: 5, reasonCode: 0 });
    expect(await client.take()).toMatchObject([
      { type: 'pubrec', packetId: 5 },
      { type: 'pubcomp', packetId: 5, reasonCode: 0 },
    ]);
  });
});

describe('the order', () => {
  it.each(BOTH)(
    'of the messages of a client is kept, for each topic and QoS: connected, with a small window, and offline [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT-4.6.0-5 v3.1.1] [MQTT-4.6.0-6 v3.1.1] (level %i)',
    async (version) => {
      for (const qos of [1, 2] as const) {
        const test = await openBroker({ limits: { maxInFlight: 3 } });
        const { client, publisher } = await subscribed(test, version);
        await lose(client);
        const texts = Array.from({ length: 40 }, (_, i) => String(i));
        for (const [i, text] of texts.slice(0, 20).entries()) publisher.publish('a', text, { qos, packetId: i + 1 });
        const again = back(test, version);
        const got: string[] = [];
        /** Takes what has come and acknowledges it. */
        const acknowledge = async (): Promise<number> => {
          const taken = await again.take();
          for (const packet of taken) {
            if (packet.type === 'publish') {
              got.push(packet.text);
              again.send({ type: qos === 1 ? 'puback' : 'pubrec', packetId: packet.packetId, reasonCode: 0 });
            } else if (packet.type === 'pubrel') again.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
          }
          return taken.length;
        };
        for (const [i, text] of texts.slice(20).entries()) {
          publisher.publish('a', text, { qos, packetId: 100 + i });
          await acknowledge();
        }
        while ((await acknowledge()) > 0);
        expect(got).toEqual(texts);
      }
    },
  );

  it.each(BOTH)(
    'of acknowledgements is that of the PUBLISHes [MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-6 v3.1.1] (level %i)',
    async (version) => {
      const { connect, intake } = await openBroker();
      const client = await connect(version);
      for (const [packetId, qos, topic] of [
        [5, 1, 'telemetry/x'],
        [3, 2, 'plain'],
        [4, 1, 'plain'],
        [1, 2, 'telemetry/x'],
      ] as const) {
        client.publish(topic, 'x', { qos, packetId });
      }
      intake.settle();
      expect((await client.take()).map((packet) => ('packetId' in packet ? packet.packetId : 0))).toEqual([5, 3, 4, 1]);
    },
  );

  it.each(BOTH)('of PUBRELs is that of the PUBRECs [MQTT-4.6.0-4] [MQTT-4.6.0-6 v3.1.1] (level %i)', async (version) => {
    const { client, publisher } = await subscribed(await openBroker(), version);
    for (let i = 1; i <= 3; i++) publisher.publish('a', 'x', { qos: 2, packetId: i });
    const ids = (await publishHeads(client)).map(({ packetId }) => packetId).toReversed();
    for (const packetId of ids) client.send({ type: 'pubrec', packetId, reasonCode: 0 });
    expect((await client.take()).map((packet) => ('packetId' in packet ? packet.packetId : 0))).toEqual(ids);
  });
});

describe('a message', () => {
  it.each(BOTH)(
    'goes to every client with a matching subscription, and to no other [MQTT-4.5.0-1] [MQTT-3.3.2-3] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const filters = ['a/b', 'a/+', '#', 'a/b/c', 'b', '+'];
      const clients = await Promise.all(filters.map((filter) => connect(version, { clientId: `c ${filter}` })));
      for (const [i, client] of clients.entries()) {
        client.send(subscribeOf(filters[i]!, 1));
        await client.take();
      }
      const publisher = await connect(5, { clientId: 'p' });
      for (const qos of [0, 1, 2] as const) publisher.publish('a/b', `at ${qos}`, { qos, packetId: qos });
      const got = await Promise.all(clients.map((client) => client.texts()));
      const all = ['at 0', 'at 1', 'at 2'];
      expect(got).toEqual([all, all, all, [], [], []]);
    },
  );
});
