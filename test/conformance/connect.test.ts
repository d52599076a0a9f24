import type { ConnectPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { PERMISSIVE } from '../../packages/platform/src/broker/broker.fixture.ts';
import { connectOf, publishOf, subscribeOf, TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import {
  arrive,
  BOTH,
  connectBytes,
  expectClosed,
  expectOpen,
  field,
  kept,
  openBroker,
  packetOf,
  types,
} from './conformance.fixture.ts';

/** A CONNECT that breaks the standard: 5.0 is told by a CONNACK, 3.1.1 by nothing; the connection is closed. */
async function expectRefused(client: TestClient, code: number): Promise<void> {
  expect(await client.take()).toMatchObject(
    client.version === 5 ? [{ type: 'connack', sessionPresent: false, reasonCode: code }] : [],
  );
  expect(client.transport.ended).toBe(true);
}

const NO_PROPERTIES: Readonly<Record<ProtocolVersion, readonly Uint8Array[]>> = { 4: [], 5: [Uint8Array.of(0)] };

describe('the first packet', () => {
  it.each(BOTH)('that is no CONNECT ends the connection without an answer [MQTT-3.1.0-1] (level %i)', async (version) => {
    const { broker } = await openBroker();
    for (const bytes of [
      packetOf(0xc0),
      packetOf(0x82, 0, 1, ...NO_PROPERTIES[version], field('a'), 0),
      packetOf(0x30, field('a')),
      packetOf(0xe0),
      packetOf(0xf0),
    ]) {
      const client = new TestClient(broker, version);
      client.sendBytes(bytes);
      expect(await client.take()).toEqual([]);
      expect(client.transport.ended).toBe(true);
    }
  });

  it.each(BOTH)('cannot come twice [MQTT-3.1.0-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(connectOf(version));
    await expectClosed(client, 0x82);
  });
});

describe('the protocol', () => {
  it('by another name is not served [MQTT-3.1.2-1 v5.0] [MQTT-3.1.2-1 v3.1.1]', async () => {
    const { broker } = await openBroker();
    for (const name of ['mqtt', 'MQTTT', 'HTTP', '']) {
      for (const version of BOTH) {
        const client = new TestClient(broker, version);
        client.sendBytes(packetOf(0x10, field(name), version, 2, 0, 0, ...NO_PROPERTIES[version], field('c')));
        client.send(subscribeOf('a'));
        expect(await client.take()).toEqual([]);
        expect(client.transport.ended).toBe(true);
      }
    }
  });

  it('of a later version is answered with 0x84 [MQTT-3.1.2-2 v5.0]', async () => {
    const { broker } = await openBroker();
    const client = new TestClient(broker, 5);
    client.sendBytes(packetOf(0x10, field('MQTT'), 6, 2, 0, 0, 0, field('c')));
    expect(await client.take()).toMatchObject([{ type: 'connack', sessionPresent: false, reasonCode: 0x84 }]);
    expect(client.transport.ended).toBe(true);
  });

  it('of an earlier version is answered with 0x01 [MQTT-3.1.2-2 v3.1.1]', async () => {
    const { broker } = await openBroker();
    for (const [name, level] of [
      ['MQIsdp', 3],
      ['MQTT', 3],
      ['MQTT', 0x84],
    ] as const) {
      const client = new TestClient(broker, 4);
      client.sendBytes(packetOf(0x10, field(name), level, 2, 0, 0, field('c')));
      expect(await client.take()).toMatchObject([{ type: 'connack', sessionPresent: false, reasonCode: 1 }]);
      expect(client.transport.ended).toBe(true);
    }
  });
});

describe('the connect flags', () => {
  it.each([
    ['the reserved bit [MQTT-3.1.2-3]', 0x03, []],
    ['will QoS without a will [MQTT-3.1.2-11 v5.0] [MQTT-3.1.2-13 v3.1.1] [MQTT-3.1.2-11 v3.1.1]', 0x0a, []],
    ['will retain without a will [MQTT-3.1.2-13 v5.0] [MQTT-3.1.2-15 v3.1.1] [MQTT-3.1.2-11 v3.1.1]', 0x22, []],
    ['will fields without a will [MQTT-3.1.2-11 v3.1.1]', 0x02, ['t', 'p']],
    ['will QoS 3 [MQTT-3.1.2-12 v5.0] [MQTT-3.1.2-14 v3.1.1]', 0x1e, ['t', 'p']],
    ['a will that is not there [MQTT-3.1.2-9]', 0x06, []],
    ['a will without its message [MQTT-3.1.2-9]', 0x06, ['t']],
    ['a user name that is not there [MQTT-3.1.2-17 v5.0] [MQTT-3.1.2-19 v3.1.1]', 0x82, []],
    ['a user name without its flag [MQTT-3.1.2-16 v5.0] [MQTT-3.1.2-18 v3.1.1]', 0x02, ['u']],
    ['a password that is not there [MQTT-3.1.2-19 v5.0] [MQTT-3.1.2-21 v3.1.1]', 0xc2, ['u']],
    ['a password without its flag [MQTT-3.1.2-18 v5.0] [MQTT-3.1.2-20 v3.1.1]', 0x82, ['u', 'p']],
  ] as const)('with %s let nobody in [MQTT-3.1.4-1 v5.0] [MQTT-3.1.4-1 v3.1.1]', async (_what, flags, fields) => {
    const { broker } = await openBroker();
    for (const version of BOTH) {
      const client = new TestClient(broker, version);
      const will = (flags & 4) !== 0 && fields.length > 0 ? NO_PROPERTIES[version] : [];
      client.sendBytes(connectBytes(version, flags, field('c'), ...will, ...fields.map((text) => field(text))));
      await expectRefused(client, 0x81);
    }
    expect(broker.counters.sessions).toBe(0);
  });

  it('with a password but no user name let nobody in, in 3.1.1 [MQTT-3.1.2-22 v3.1.1]', async () => {
    const { broker } = await openBroker();
    const old = new TestClient(broker, 4);
    old.sendBytes(connectBytes(4, 0x42, field('c'), field('p')));
    await expectRefused(old, 0);
    const modern = new TestClient(broker, 5);
    modern.sendBytes(connectBytes(5, 0x42, field('c'), field('p')));
    expect(await modern.take()).toMatchObject([{ type: 'connack', reasonCode: 0 }]);
  });

  it.each(BOTH)('say which fields follow, in their order [MQTT-3.1.3-1] [MQTT-3.1.3-3] (level %i)', async (version) => {
    const seen: unknown[] = [];
    const test = await openBroker({
      authorizer: {
        authenticate: (request) => {
          seen.push([request.clientId, request.username, Buffer.from(request.password ?? []).toString()]);
          return PERMISSIVE.authenticate(request);
        },
      },
    });
    const watcher = await test.connect(5, { clientId: 'w', username: 'u' });
    watcher.send(subscribeOf('#'));
    await watcher.take();
    const client = new TestClient(test.broker, version);
    const fields = ['id', ...(version === 5 ? [undefined] : []), 'topic', 'will', 'u', 'p'];
    client.sendBytes(connectBytes(version, 0xc6, ...fields.map((text) => (text === undefined ? Uint8Array.of(0) : field(text)))));
    expect(types(await client.take())).toEqual(['connack']);
    expect(seen.at(-1)).toEqual(['id', 'u', 'p']);
    client.transport.destroy();
    expect(await watcher.take()).toMatchObject([{ topic: 'topic', text: 'will' }]);
  });

  it.each(BOTH)('leave no room for an absent client id [MQTT-3.1.3-3] (level %i)', async (version) => {
    const { broker } = await openBroker();
    const client = new TestClient(broker, version);
    client.sendBytes(connectBytes(version, 0x02));
    await expectRefused(client, 0x81);
  });
});

describe('a client id', () => {
  const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

  it.each(BOTH)('of 1 to 23 digits and letters is taken [MQTT-3.1.3-5] (level %i)', async (version) => {
    const { connect, broker } = await openBroker();
    const ids = [...ALPHABET.split(''), ALPHABET.slice(0, 23), ALPHABET.slice(23, 46), ALPHABET.slice(-23)];
    for (const clientId of ids) await connect(version, { clientId });
    expect(broker.counters.sessions).toBe(ids.length);
  });

  it.each(BOTH)(
    'that is empty is made up, unlike any other [MQTT-3.1.3-6 v5.0] [MQTT-3.2.2-16] [MQTT-3.1.3-6 v3.1.1] (level %i)',
    async (version) => {
      const { connect, broker } = await openBroker();
      const clients = [await connect(version, { clientId: '' }), await connect(version, { clientId: '' })];
      for (const client of clients) await expectOpen(client);
      expect(broker.counters.sessions).toBe(2);
    },
  );

  it('that was made up is told, and is the name of the session [MQTT-3.1.3-7 v5.0] [MQTT-3.2.2-16] [MQTT-3.1.3-2 v5.0]', async () => {
    const test = await openBroker();
    const nameless = kept(5, { clientId: '' });
    const { client, connack } = await arrive(test, 5, nameless);
    const { connack: other } = await arrive(test, 5, nameless);
    const { assignedClientId = '' } = connack.properties;
    expect(assignedClientId).not.toBe('');
    expect(other.properties.assignedClientId).not.toBe(assignedClientId);
    client.transport.destroy();
    const again = await arrive(test, 5, kept(5, { clientId: assignedClientId }));
    expect(again.connack).toMatchObject({ sessionPresent: true, reasonCode: 0 });
    expect(again.connack.properties.assignedClientId).toBeUndefined();
  });

  it('that is empty with clean session 0 is refused, in 3.1.1 [MQTT-3.1.3-8 v3.1.1] [MQTT-3.1.3-7 v3.1.1]', async () => {
    const { broker } = await openBroker();
    const client = new TestClient(broker, 4);
    client.sendBytes(connectBytes(4, 0x00, field('')));
    expect(await client.take()).toMatchObject([{ type: 'connack', sessionPresent: false, reasonCode: 2 }]);
    expect(client.transport.ended).toBe(true);
  });

  it('that is refused is answered as such [MQTT-3.1.3-8 v5.0] [MQTT-3.1.3-9 v3.1.1]', async () => {
    const { broker } = await openBroker({
      authorizer: { authenticate: async () => ({ refused: 'identifier-not-valid', reason: '' }) },
    });
    for (const version of BOTH) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version));
      expect(await client.take()).toMatchObject([
        { type: 'connack', sessionPresent: false, reasonCode: version === 5 ? 0x85 : 2 },
      ]);
      expect(client.transport.ended).toBe(true);
    }
  });

  it.each(BOTH)(
    'that is connected already ends the connection that has it [MQTT-3.1.4-3 v5.0] [MQTT-3.1.4-2 v3.1.1] (level %i)',
    async (version) => {
      const { connect, broker } = await openBroker();
      for (const cleanStart of [true, false]) {
        const first = await connect(version, { clientId: 'same', cleanStart });
        const second = await connect(version, { clientId: 'same', cleanStart });
        await expectClosed(first, 0x8e);
        await expectOpen(second);
      }
      expect(broker.counters.sessions).toBe(1);
    },
  );
});

describe('a CONNECT', () => {
  it.each(BOTH)('that is in order is answered with 0 [MQTT-3.1.4-5 v5.0] [MQTT-3.1.4-4 v3.1.1] (level %i)', async (version) => {
    const test = await openBroker();
    const { connack } = await arrive(test, version, {});
    expect(connack).toMatchObject({ type: 'connack', sessionPresent: false, reasonCode: 0 });
  });

  it('that is not authorized closes the connection, and nothing behind it counts [MQTT-3.1.4-2 v5.0] [MQTT-3.1.4-6 v5.0] [MQTT-3.1.4-5 v3.1.1]', async () => {
    const test = await openBroker({
      authorizer: {
        authenticate: async (request) =>
          request.clientId === 'bad' ? { refused: 'bad-credentials', reason: '' } : PERMISSIVE.authenticate(request),
      },
    });
    const watcher = await test.connect(5, { clientId: 'w' });
    watcher.send(subscribeOf('#'));
    await watcher.take();
    for (const version of BOTH) {
      const client = new TestClient(test.broker, version);
      const will = { topic: 'will', payload: Buffer.from('x'), qos: 0, retain: false, properties: {} } as const;
      client.send(connectOf(version, { clientId: 'bad', will }), publishOf('a', 'x'), subscribeOf('a'), { type: 'pingreq' });
      expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: version === 5 ? 0x86 : 4 }]);
      expect(client.transport.ended).toBe(true);
      client.publish('a', 'late');
      expect(await client.take()).toEqual([]);
    }
    expect(await watcher.take()).toEqual([]);
  });

  it.each(BOTH)(
    'that is cut short or goes on behind its end lets nobody in [MQTT-3.1.4-1 v5.0] [MQTT-3.1.4-1 v3.1.1] (level %i)',
    async (version) => {
      const { broker } = await openBroker();
      const client = new TestClient(broker, version);
      client.sendBytes(connectBytes(version, 0x02, field('c'), Uint8Array.of(0)));
      await expectRefused(client, 0x81);
      const short = new TestClient(broker, version);
      short.sendBytes(connectBytes(version, 0x02, field('cc').subarray(0, 3)));
      await expectRefused(short, 0x81);
    },
  );

  it('with a property twice, or one that has no place there, lets nobody in [MQTT-3.1.4-1 v5.0]', async () => {
    const { broker } = await openBroker();
    for (const [properties, code] of [
      [[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1], 0x82],
      [[0x21, 0, 0], 0x82],
      [[0x27, 0, 0, 0, 0], 0x82],
      [[0x17, 2], 0x82],
      [[0x19, 2], 0x82],
      [[0x16, 0, 1, 1], 0x82],
      [[0x01, 1], 0x81],
      [[0x7f, 1], 0x81],
      [[0x11, 0, 0], 0x81],
    ] as const) {
      const client = new TestClient(broker, 5);
      client.sendBytes(packetOf(0x10, field('MQTT'), 5, 2, 0, 0, properties.length, Uint8Array.from(properties), field('c')));
      await expectRefused(client, code);
    }
  });

  it('with wildcards in the topic of its will lets nobody in [MQTT-4.7.0-1] [MQTT-4.7.1-1 v3.1.1]', async () => {
    const { broker } = await openBroker();
    for (const version of BOTH) {
      const client = new TestClient(broker, version);
      client.sendBytes(connectBytes(version, 0x06, field('c'), ...NO_PROPERTIES[version], field('a/#'), field('')));
      await expectRefused(client, 0x90);
    }
  });
});

describe('the keep-alive', () => {
  const silent: Partial<ConnectPacket> = { keepAliveSec: 10 };

  it.each(BOTH)(
    'closes after one and a half of it without a packet [MQTT-3.1.2-22 v5.0] [MQTT-3.1.2-24 v3.1.1] [MQTT-3.2.2-22] (level %i)',
    async (version) => {
      const { connect, clock } = await openBroker();
      const watcher = await connect(5, { clientId: 'w', keepAliveSec: 0 });
      watcher.send(subscribeOf('will'));
      await watcher.take();
      const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false, properties: {} } as const;
      const client = await connect(version, { ...silent, will });
      for (let i = 0; i < 5; i++) {
        clock.advance(14_000);
        await expectOpen(client);
      }
      clock.advance(14_000);
      expect(client.transport.ended).toBe(false);
      clock.advance(3_000);
      await expectClosed(client, 0x8d);
      // As if the network had failed: the will is published.
      expect(await watcher.texts()).toEqual(['gone']);
      await expectOpen(watcher);
    },
  );

  it('that the server gives is the one that counts [MQTT-3.1.2-21 v5.0] [MQTT-3.2.2-21]', async () => {
    const test = await openBroker({ limits: { keepAliveMaxSec: 10 } });
    const { client, connack } = await arrive(test, 5, { keepAliveSec: 1_000 });
    expect(connack.properties.serverKeepAliveSec).toBe(10);
    test.clock.advance(17_000);
    await expectClosed(client, 0x8d);
  });

  it('of the client counts where the server gives none [MQTT-3.2.2-22]', async () => {
    const test = await openBroker();
    const { client, connack } = await arrive(test, 5, { keepAliveSec: 100 });
    expect(connack.properties.serverKeepAliveSec).toBeUndefined();
    test.clock.advance(140_000);
    expect(client.transport.ended).toBe(false);
    test.clock.advance(12_000);
    await expectClosed(client, 0x8d);
  });
});
