import type { ConnectPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { subscribeOf, type TestBroker, type TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import {
  arrive,
  BOTH,
  expectClosed,
  field,
  kept,
  lose,
  openBroker,
  packetOf,
  publishHeads,
  types,
} from './conformance.fixture.ts';

async function member(
  test: TestBroker,
  version: ProtocolVersion,
  clientId: string,
  qos: 0 | 1 | 2,
  options: Partial<ConnectPacket> = {},
): Promise<TestClient> {
  const { client } = await arrive(test, version, kept(version, { clientId, ...options }));
  client.send(subscribeOf('$share/g/a', qos));
  expect(await client.take()).toMatchObject([{ type: 'suback', reasonCodes: [qos] }]);
  return client;
}

/** Two members, and a QoS 2 message that one of them was sent. */
async function underWay(
  version: ProtocolVersion,
  options: Partial<ConnectPacket> = {},
): Promise<{ test: TestBroker; chosen: string; client: TestClient; other: TestClient }> {
  const test = await openBroker();
  const one = await member(test, version, 'one', 2, options);
  const two = await member(test, version, 'two', 2, options);
  const publisher = await test.connect(5, { clientId: 'p' });
  publisher.publish('a', 'x', { qos: 2, packetId: 1 });
  const got = (await publishHeads(one)).length;
  expect(got + (await publishHeads(two)).length).toBe(1);
  return got === 1 ? { test, chosen: 'one', client: one, other: two } : { test, chosen: 'two', client: two, other: one };
}

describe('a shared subscription', () => {
  it.each(BOTH)(
    'has a share name and a filter, or the connection is closed [MQTT-4.8.2-1] [MQTT-4.8.2-2] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const filter of ['$share/', '$share//a', '$share/g', '$share/g/', '$share/+/a', '$share/g#/a', '$share/#']) {
        const client = await connect(version);
        client.sendBytes(packetOf(0x82, 0, 1, ...(version === 5 ? [0] : []), field(filter), 0));
        await expectClosed(client, 0x8f);
      }
    },
  );

  it('is one for each share name and filter, and each message goes to one member of each [MQTT-4.8.2-1] [MQTT-4.8.2-2]', async () => {
    const test = await openBroker();
    const members: TestClient[] = [];
    for (const [i, version] of [4, 5, 5, 4].entries()) members.push(await member(test, version as 4 | 5, `m${i}`, 1));
    const alone = await test.connect(5, { clientId: 'alone' });
    alone.send(subscribeOf('$share/other/a', 1), subscribeOf('$share/g/+/b', 1));
    await alone.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    const sent = Array.from({ length: 40 }, (_, i) => String(i));
    for (const [i, text] of sent.entries()) publisher.publish('a', text, { qos: 1, packetId: i + 1 });
    const got = await Promise.all(members.map((client) => client.texts()));
    expect(got.flat().toSorted()).toEqual(sent.toSorted());
    for (const texts of got) expect(texts.length).toBeGreaterThan(0);
    expect(await alone.texts()).toEqual(sent);
  });

  it.each(BOTH)('gives each member the QoS that it was granted [MQTT-4.8.2-3] (level %i)', async (version) => {
    const test = await openBroker();
    const members = [
      await member(test, version, 'm0', 0),
      await member(test, version, 'm1', 1),
      await member(test, version, 'm2', 2),
    ];
    const publisher = await test.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 30; i++) publisher.publish('a', 'x', { qos: 2, packetId: i });
    let got = 0;
    for (const [qos, client] of members.entries()) {
      const heads = await publishHeads(client);
      got += heads.length;
      for (const head of heads) expect(head.qos).toBe(qos);
    }
    expect(got).toBe(30);
  });

  it.each(BOTH)(
    'completes a QoS 2 delivery with the member that it began with, once that is back [MQTT-4.8.2-4] (level %i)',
    async (version) => {
      const { test, chosen, client, other } = await underWay(version);
      await lose(client);
      test.clock.advance(5_000);
      expect(await other.take()).toEqual([]);
      const { client: again, rest } = await arrive(test, version, kept(version, { clientId: chosen }));
      expect(rest).toMatchObject([{ type: 'publish', text: 'x', qos: 2 }]);
      const packetId = rest[0]?.type === 'publish' ? rest[0].packetId : 0;
      again.send({ type: 'pubrec', packetId, reasonCode: 0 });
      expect(types(await again.take())).toEqual(['pubrel']);
      expect(await other.take()).toEqual([]);
    },
  );

  it.each(BOTH)(
    'does not give a QoS 2 message that was under way to another when the session ends [MQTT-4.8.2-5] (level %i)',
    async (version) => {
      const { test, chosen, client, other } = await underWay(version);
      await lose(client);
      const { connack, rest } = await arrive(test, version, kept(version, { clientId: chosen, cleanStart: true }));
      expect([connack.sessionPresent, rest]).toEqual([false, []]);
      expect(await other.take()).toEqual([]);
    },
  );

  it('does not give it to another when the session expires, or ends with its connection, either [MQTT-4.8.2-5]', async () => {
    const expiring = await underWay(5, { properties: { sessionExpirySec: 10 } });
    await lose(expiring.client);
    expiring.test.clock.advance(60_000);
    expect(await expiring.other.take()).toEqual([]);
    for (const version of BOTH) {
      const { client, other } = await underWay(version, { cleanStart: true, properties: { sessionExpirySec: 0 } });
      await lose(client);
      expect(await other.take()).toEqual([]);
    }
  });

  it('discards a message that its member refused [MQTT-4.8.2-6]', async () => {
    const test = await openBroker();
    const members = [await member(test, 5, 'one', 2), await member(test, 5, 'two', 2)];
    const publisher = await test.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 6; i++) publisher.publish('a', String(i), { qos: i % 2 === 0 ? 1 : 2, packetId: i });
    let got = 0;
    for (const client of members) {
      const heads = await publishHeads(client);
      got += heads.length;
      for (const { qos, packetId } of heads) client.send({ type: qos === 1 ? 'puback' : 'pubrec', packetId, reasonCode: 0x80 });
    }
    expect(got).toBe(6);
    for (const client of members) expect(await client.take()).toEqual([]);
    for (const client of members) await lose(client);
    for (const clientId of ['one', 'two']) expect((await arrive(test, 5, kept(5, { clientId }))).rest).toEqual([]);
  });

  it('beside an ordinary one brings a copy for each, with the identifier of its own [MQTT-3.3.4-5] [MQTT-3.3.4-3]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send(subscribeOf('a', 1, {}, 1), subscribeOf('$share/g/a', 1, {}, 2), subscribeOf('$share/h/+', 1, {}, 3));
    expect(await client.take()).toMatchObject([1, 1, 1].map((qos) => ({ type: 'suback', reasonCodes: [qos] })));
    const publisher = await connect(5, { clientId: 'p' });
    publisher.publish('a', 'x', { qos: 1, packetId: 1 });
    const identifiers = (await client.take()).map((packet) =>
      packet.type === 'publish' && packet.properties !== undefined && 'subscriptionIdentifiers' in packet.properties
        ? packet.properties.subscriptionIdentifiers
        : undefined,
    );
    expect(identifiers.map((list) => JSON.stringify(list)).toSorted()).toEqual(['[1]', '[2]', '[3]']);
  });

  it.each(BOTH)('is sent no retained messages when it is made (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.publish('a', 'kept', { retain: true });
    client.send(subscribeOf('$share/g/a', 1));
    expect(types(await client.take())).toEqual(['suback']);
  });

  it.each(BOTH)('is ended by UNSUBSCRIBE of its whole filter [MQTT-3.10.4-1] [MQTT-3.10.4-2] (level %i)', async (version) => {
    const test = await openBroker();
    const client = await member(test, version, 'one', 1);
    const publisher = await test.connect(5, { clientId: 'p' });
    client.send({ type: 'unsubscribe', packetId: 1, filters: ['a', '$share/other/a', '$share/g/+'] });
    await client.take();
    publisher.publish('a', 'still', { qos: 1, packetId: 1 });
    expect(await client.texts()).toEqual(['still']);
    client.send({ type: 'unsubscribe', packetId: 2, filters: ['$share/g/a'] });
    expect(await client.take()).toMatchObject([{ type: 'unsuback', packetId: 2 }]);
    publisher.publish('a', 'no more', { qos: 1, packetId: 2 });
    expect(await client.take()).toEqual([]);
  });
});
