import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import { describe, expect, it } from 'vitest';
import type { Principal, Refusal } from './authorizer.ts';
import { connectOf, openTestBroker, PERMISSIVE, publishOf, subscribeOf, TestClient } from './broker.fixture.ts';

const VERSIONS: readonly ProtocolVersion[] = [4, 5];

describe('CONNECT', () => {
  it('is answered with what this server does, in 5.0', async () => {
    const { broker } = openTestBroker();
    const client = new TestClient(broker, 5);
    client.send(connectOf(5, { clientId: '', keepAliveSec: 60, cleanStart: false, properties: { sessionExpirySec: 3_600 } }));
    expect(await client.take()).toEqual([
      {
        type: 'connack',
        sessionPresent: false,
        reasonCode: 0,
        properties: {
          sessionExpirySec: 0,
          assignedClientId: 'made-1',
          receiveMaximum: 1_024,
          maxPacketBytes: 1_048_576,
          topicAliasMaximum: 32,
        },
      },
    ]);
  });

  it('is answered without properties in 3.1.1, and never with a session', async () => {
    const { broker } = openTestBroker();
    for (let i = 0; i < 2; i++) {
      const client = new TestClient(broker, 4);
      client.send(connectOf(4, { cleanStart: false }));
      expect(await client.take()).toEqual([{ type: 'connack', sessionPresent: false, reasonCode: 0, properties: {} }]);
    }
  });

  it('refuses an empty client id that wants a kept session, in 3.1.1 [MQTT-3.1.3-8 v3.1.1]', async () => {
    const { broker } = openTestBroker();
    const client = new TestClient(broker, 4);
    client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0));
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 2 }]);
    expect(client.transport.ended).toBe(true);
  });

  const refusals: readonly [Refusal['refused'], v4: number, v5: number][] = [
    ['bad-credentials', 4, 0x86],
    ['not-authorized', 5, 0x87],
    ['identifier-not-valid', 2, 0x85],
    ['server-busy', 3, 0x89],
    ['banned', 5, 0x8a],
  ];
  it.each(refusals)('tells that it was refused: %s', async (refused, v4, v5) => {
    const { broker } = openTestBroker({ authorizer: { authenticate: async () => ({ refused, reason: '' }) } });
    for (const version of VERSIONS) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version));
      expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: version === 5 ? v5 : v4 }]);
      expect(client.transport.ended).toBe(true);
    }
    expect([broker.counters.refused, broker.counters.sessions]).toEqual([2, 0]);
  });

  it('is answered with server unavailable when the authorizer fails', async () => {
    const { broker } = openTestBroker({ authorizer: { authenticate: () => Promise.reject(new Error('down')) } });
    const client = new TestClient(broker, 5);
    client.send(connectOf(5));
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0x88 }]);
  });

  it('ends a connection whose authorizer breaks, and no other', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    const principal = { id: 'x', sessionNamespace: '', mayPublish: broken, maySubscribe: broken, mayReceive: broken };
    const { broker } = openTestBroker({
      authorizer: { authenticate: async ({ clientId }) => (clientId === 'now' ? broken() : principal) },
    });
    const now = new TestClient(broker, 5);
    now.send(connectOf(5, { clientId: 'now' }));
    expect(await now.take()).toMatchObject([{ type: 'connack', reasonCode: 0x88 }]);
    const will = { topic: 'a', payload: Buffer.from('x'), qos: 0, retain: false, properties: {} } as const;
    const withWill = new TestClient(broker, 5);
    withWill.send(connectOf(5, { will }));
    expect(await withWill.take()).toMatchObject([{ type: 'connack', reasonCode: 0x88 }]);
    const later = new TestClient(broker, 5);
    later.send(connectOf(5), publishOf('a', 'x'));
    expect(await later.take()).toMatchObject([
      { type: 'connack', reasonCode: 0 },
      { type: 'disconnect', reasonCode: 0x80 },
    ]);
  });

  it('is answered with server unavailable when the authorizer says nothing in time', async () => {
    const { broker, clock } = openTestBroker({ authorizer: { authenticate: () => new Promise(() => {}) } });
    const client = new TestClient(broker, 4);
    client.send(connectOf(4));
    clock.advance(9_000);
    expect(await client.take()).toEqual([]);
    clock.advance(2_000);
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 3 }]);
    expect(broker.counters.connectTimeouts).toBe(1);
  });

  it('must come within its deadline, whole', async () => {
    const { broker, clock } = openTestBroker();
    const silent = new TestClient(broker, 4);
    const slow = new TestClient(broker, 4);
    const bytes = encodePacket(connectOf(4), 4);
    for (let i = 0; i < 10; i++) {
      slow.sendBytes(bytes.subarray(i, i + 1));
      clock.advance(1_000);
    }
    expect([silent.transport.destroyed, slow.transport.destroyed]).toEqual([true, true]);
    expect(broker.counters.connections).toBe(0);
  });

  it('must be the first packet [MQTT-3.1.0-1]', async () => {
    const { broker } = openTestBroker();
    const client = new TestClient(broker, 4);
    client.send(publishOf('a', 'x'));
    expect(await client.take()).toEqual([]);
    expect(client.transport.ended).toBe(true);
  });

  it('must not be sent twice [MQTT-3.1.0-2]', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    client.send(connectOf(5));
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: ReasonCode.protocolError }]);
  });

  it('is told which protocol versions there are', async () => {
    const { broker } = openTestBroker();
    const old = new TestClient(broker, 4);
    old.sendBytes(Uint8Array.of(0x10, 12, 0, 6, 0x4d, 0x51, 0x49, 0x73, 0x64, 0x70, 3, 2, 0, 0));
    expect(await old.take()).toMatchObject([{ type: 'connack', reasonCode: 1 }]);
    const next = new TestClient(broker, 5);
    next.sendBytes(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 6, 2, 0, 0, 0, 0, 0));
    expect(await next.take()).toMatchObject([{ type: 'connack', reasonCode: 0x84 }]);
  });

  it('refuses enhanced authentication, which there is none of', async () => {
    const { broker } = openTestBroker();
    const client = new TestClient(broker, 5);
    client.send(connectOf(5, { properties: { authenticationMethod: 'SCRAM-SHA-256' } }));
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0x8c }]);
  });

  it('is refused when there are too many sessions', async () => {
    const { broker, connect } = openTestBroker({ limits: { maxConnections: 1 } });
    await connect(5);
    const second = new TestClient(broker, 5);
    second.send(connectOf(5, { clientId: 'c2' }));
    expect(await second.take()).toMatchObject([{ type: 'connack', reasonCode: 0x89 }]);
  });

  it('keeps the packets that came behind it until it is decided', async () => {
    let decide: (verdict: Principal) => void = () => {};
    const verdict = new Promise<Principal>((resolve) => (decide = resolve));
    const { broker } = openTestBroker({ authorizer: { authenticate: () => verdict } });
    const client = new TestClient(broker, 4);
    client.send(connectOf(4), subscribeOf('a'), { type: 'pingreq' });
    expect(await client.take()).toEqual([]);
    expect(client.transport.paused).toBe(true);
    decide({ id: 'x', sessionNamespace: '', mayPublish: () => true, maySubscribe: () => true, mayReceive: () => true });
    expect((await client.take()).map(({ type }) => type)).toEqual(['connack', 'suback', 'pingresp']);
    expect(client.transport.paused).toBe(false);
  });

  it('is forgotten when its client goes before it is decided', async () => {
    let decide: (verdict: Principal) => void = () => {};
    const verdict = new Promise<Principal>((resolve) => (decide = resolve));
    const { broker } = openTestBroker({ authorizer: { authenticate: () => verdict } });
    const client = new TestClient(broker, 4);
    client.send(connectOf(4));
    client.transport.destroy();
    decide({ id: 'x', sessionNamespace: '', mayPublish: () => true, maySubscribe: () => true, mayReceive: () => true });
    expect(await client.take()).toEqual([]);
    expect([broker.counters.connections, broker.counters.sessions]).toEqual([0, 0]);
  });

  it('refuses a will that its client may not publish, or that is too large', async () => {
    const { broker } = openTestBroker({ limits: { maxWillBytes: 5 } });
    const will = { topic: 'secret', payload: Buffer.from('x'), qos: 0, retain: false, properties: {} } as const;
    for (const [version, topic, payload, code] of [
      [5, 'secret', 'x', 0x87],
      [4, 'secret', 'x', 5],
      [5, 'a', 'x'.repeat(6), 0x95],
      // What only the server says of itself and of clients, as for PUBLISH.
      [5, '$SYS/broker/version', 'x', 0x87],
      [5, '$aws/events/presence/connected/c1', 'x', 0x87],
      [4, '$SYS/broker/version', 'x', 5],
    ] as const) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version, { will: { ...will, topic, payload: Buffer.from(payload) } }));
      expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: code }]);
    }
  });

  it('is not answered with more than its client takes [MQTT-3.1.2-24]', async () => {
    const { broker } = openTestBroker();
    const client = new TestClient(broker, 5);
    client.send(connectOf(5, { properties: { maxPacketBytes: 12 } }));
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0x95, properties: {} }]);
    expect(client.transport.ended).toBe(true);
    const mute = new TestClient(broker, 5);
    mute.send(connectOf(5, { properties: { maxPacketBytes: 4 } }));
    expect(await mute.take()).toEqual([]);
    expect(mute.transport.ended).toBe(true);
    expect(broker.counters.sessions).toBe(0);
  });

  it('tells a shorter keep-alive where there is a limit [MQTT-3.1.2-21]', async () => {
    const { broker, clock } = openTestBroker({ limits: { keepAliveMaxSec: 10 }, authorizer: PERMISSIVE });
    const client = new TestClient(broker, 5);
    client.send(connectOf(5, { keepAliveSec: 0 }));
    expect(await client.take()).toMatchObject([{ properties: { serverKeepAliveSec: 10 } }]);
    clock.advance(17_000);
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8d }]);
  });
});
