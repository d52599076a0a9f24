import { isReasonCodeOf } from '@selsyn/wire/mqtt/reason-codes.ts';
import { describe, expect, it } from 'vitest';
import type { Refusal } from '../../packages/platform/src/broker/authorizer.ts';
import { connectOf, PERMISSIVE, publishOf, subscribeOf, TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import {
  arrive,
  BOTH,
  connectBytes,
  field,
  kept,
  lose,
  openBroker,
  packetOf,
  packetsAsBytes,
  types,
} from './conformance.fixture.ts';

const REFUSALS: readonly Refusal['refused'][] = [
  'bad-credentials',
  'not-authorized',
  'identifier-not-valid',
  'server-busy',
  'banned',
];

describe('CONNACK', () => {
  it.each(BOTH)('comes before everything else, and once [MQTT-3.2.0-1] [MQTT-3.2.0-2] (level %i)', async (version) => {
    const test = await openBroker();
    const publisher = await test.connect(5, { clientId: 'p' });
    const { client: first } = await arrive(test, version, kept(version));
    first.send(subscribeOf('a', 1));
    await first.take();
    await lose(first);
    publisher.publish('a', 'waits', { qos: 1, packetId: 1 });
    const client = new TestClient(test.broker, version);
    client.send(connectOf(version, kept(version)), { type: 'pingreq' }, publishOf('a', 'own'));
    const seen = types(await client.take());
    expect(seen[0]).toBe('connack');
    expect(seen.filter((type) => type === 'connack').length).toBe(1);
    expect(seen).toContain('publish');
    client.send(connectOf(version));
    expect(types(await client.take())).not.toContain('connack');
  });

  it.each(BOTH)('has acknowledge flags that are 0 but for session present [MQTT-3.2.2-1 v5.0] (level %i)', async (version) => {
    const { broker } = await openBroker();
    for (const expected of [0, 1]) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version, kept(version)));
      const [bytes] = await packetsAsBytes(client);
      expect([...(bytes ?? [])].slice(0, 1)).toEqual([0x20]);
      expect(bytes?.[2]).toBe(expected);
      await lose(client);
    }
  });

  it.each(BOTH)(
    'tells of no session after a clean start [MQTT-3.2.2-2 v5.0] [MQTT-3.2.2-1 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      await lose((await arrive(test, version, kept(version))).client);
      const { connack } = await arrive(test, version, kept(version, { cleanStart: true }));
      expect(connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
    },
  );

  it.each(BOTH)(
    'tells whether there was a session [MQTT-3.2.2-3 v5.0] [MQTT-3.2.2-2 v3.1.1] [MQTT-3.2.2-3 v3.1.1] (level %i)',
    async (version) => {
      const test = await openBroker();
      const first = await arrive(test, version, kept(version));
      expect(first.connack).toMatchObject({ sessionPresent: false, reasonCode: 0 });
      await lose(first.client);
      const second = await arrive(test, version, kept(version));
      expect(second.connack).toMatchObject({ sessionPresent: true, reasonCode: 0 });
      expect((await arrive(test, version, kept(version, { clientId: 'other' }))).connack.sessionPresent).toBe(false);
    },
  );

  it.each(BOTH)(
    'that refuses tells of no session, whether or not there is one, and closes [MQTT-3.2.2-6 v5.0] [MQTT-3.2.2-7] [MQTT-3.2.2-4 v3.1.1] [MQTT-3.2.2-5 v3.1.1] [MQTT-4.13.2-1] (level %i)',
    async (version) => {
      let refused: Refusal['refused'] | undefined;
      const test = await openBroker({
        authorizer: {
          authenticate: async (request) => (refused === undefined ? PERMISSIVE.authenticate(request) : { refused, reason: '' }),
        },
      });
      await lose((await arrive(test, version, kept(version))).client);
      for (refused of REFUSALS) {
        const { client, connack, rest } = await arrive(test, version, kept(version));
        expect(connack.reasonCode).not.toBe(0);
        expect([connack.sessionPresent, rest, client.transport.ended]).toEqual([false, [], true]);
      }
    },
  );

  it('has a code of its list [MQTT-3.2.2-8]', async () => {
    for (const refused of REFUSALS) {
      const test = await openBroker({ authorizer: { authenticate: async () => ({ refused, reason: '' }) } });
      const { connack } = await arrive(test, 5, {});
      expect(isReasonCodeOf('connack', connack.reasonCode)).toBe(true);
    }
    const { broker } = await openBroker();
    for (const bytes of [
      connectBytes(5, 0x03, field('c')),
      connectBytes(5, 0x02, field('c'), field('x')),
      packetOf(0x10, field('MQTT'), 9, 2, 0, 0, 0, field('c')),
      packetOf(0x10, field('MQTT'), 5, 2, 0, 0, 4, 0x15, 0, 1, 0x78, field('c')),
    ]) {
      const client = new TestClient(broker, 5);
      client.sendBytes(bytes);
      const [connack] = await client.take();
      expect(connack?.type === 'connack' && isReasonCodeOf('connack', connack.reasonCode)).toBe(true);
    }
  });

  it('is left out where no return code fits, in 3.1.1 [MQTT-3.2.2-6 v3.1.1]', async () => {
    const { broker } = await openBroker({ limits: { maxWillBytes: 5 } });
    const client = new TestClient(broker, 4);
    const will = { topic: 'w', payload: Buffer.from('too long'), qos: 0, retain: false, properties: {} } as const;
    client.send(connectOf(4, { will }));
    expect(await client.take()).toEqual([]);
    expect(client.transport.ended).toBe(true);
  });

  it('has response information only where it was asked for [MQTT-3.1.2-28]', async () => {
    const test = await openBroker();
    for (const properties of [{}, { requestResponseInformation: false }]) {
      const { connack } = await arrive(test, 5, { properties });
      expect(connack.properties.responseInformation).toBeUndefined();
    }
  });

  it('is no larger than the client takes: the reason goes first [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.1.2-24]', async () => {
    const { broker } = await openBroker({
      authorizer: { authenticate: async () => ({ refused: 'banned', reason: 'for ever' }) },
    });
    for (const maxPacketBytes of [5, 6, 8, 12, 20, 40, 80]) {
      const client = new TestClient(broker, 5);
      client.send(connectOf(5, { properties: { maxPacketBytes } }));
      const [bytes = new Uint8Array(), ...more] = await packetsAsBytes(client);
      expect([...bytes.subarray(2, 4)]).toEqual([0, 0x8a]);
      expect(bytes.length).toBeLessThanOrEqual(maxPacketBytes);
      expect([more, client.transport.ended]).toEqual([[], true]);
    }
  });

  it('gives the limits that hold [MQTT-3.2.2-17] [MQTT-3.3.2-12]', async () => {
    const test = await openBroker({ limits: { topicAliasMaximum: 3, receiveMaximum: 7 } });
    const { client, connack } = await arrive(test, 5, {});
    expect(connack.properties).toMatchObject({ topicAliasMaximum: 3, receiveMaximum: 7 });
    expect(connack.properties.maximumQos ?? 2).toBe(2);
    for (const qos of [0, 1, 2] as const) client.publish('a', 'x', { qos, packetId: qos, properties: { topicAlias: qos + 1 } });
    expect(types(await client.take())).toEqual(['puback', 'pubrec']);
  });
});
