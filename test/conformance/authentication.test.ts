import type { AuthPacket, ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { isReasonCodeOf } from '@selsyn/wire/mqtt/reason-codes.ts';
import { describe, expect, it } from 'vitest';
import type { Authorizer, AuthStep } from '../../packages/platform/src/broker/authorizer.ts';
import {
  connectOf,
  PERMISSIVE,
  publishOf,
  subscribeOf,
  type TestBroker,
  TestClient,
} from '../../packages/platform/src/broker/broker.fixture.ts';
import { expectClosed, expectOpen, openBroker, packetOf, packetsAsBytes, types } from './conformance.fixture.ts';

const METHOD = 'COUNT';
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** The method asks `first`, then `second`, and wants to hear them back. */
const COUNTING: Authorizer = {
  ...PERMISSIVE,
  beginExchange: (method, request) => {
    if (method !== METHOD) return undefined;
    const questions = ['first', 'second'];
    let expected: string | undefined;
    return {
      step: async (data): Promise<AuthStep> => {
        if (expected !== undefined && Buffer.from(data ?? []).toString() !== expected) {
          return { refused: 'not-authorized', reason: 'wrong' };
        }
        expected = questions.shift();
        if (expected !== undefined) return { challenge: bytesOf(expected) };
        const verdict = await PERMISSIVE.authenticate(request);
        return 'refused' in verdict ? verdict : { granted: verdict, data: bytesOf('done') };
      },
    };
  },
};

const CONNECT: Partial<ConnectPacket> = { properties: { authenticationMethod: METHOD, authenticationData: bytesOf('hello') } };

function answer(text: string, options: Partial<AuthPacket> = {}): AuthPacket {
  return { type: 'auth', reasonCode: 0x18, authenticationMethod: METHOD, authenticationData: bytesOf(text), ...options };
}

function begin(test: TestBroker, options: Partial<ConnectPacket> = CONNECT): TestClient {
  const client = new TestClient(test.broker, 5);
  client.send(connectOf(5, options));
  return client;
}

/** A client that was let in by the method. */
async function letIn(test: TestBroker): Promise<TestClient> {
  const client = begin(test);
  await client.take();
  client.send(answer('first'));
  await client.take();
  client.send(answer('second'));
  expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0 }]);
  return client;
}

/** It was not let in: a CONNACK with a code, or nothing, and closed. */
async function expectNotLetIn(client: TestClient, code?: number): Promise<void> {
  const got = await client.take();
  for (const packet of got) {
    expect(packet.type).toBe('connack');
    if (packet.type !== 'connack') continue;
    expect(packet.reasonCode).toBeGreaterThanOrEqual(0x80);
    if (code !== undefined) expect(packet.reasonCode).toBe(code);
  }
  expect(client.transport.ended || client.transport.destroyed).toBe(true);
}

describe('enhanced authentication', () => {
  it('by a method that is not known is refused [MQTT-4.12.0-1]', async () => {
    for (const authorizer of [COUNTING, PERMISSIVE]) {
      const client = begin(await openBroker({ authorizer }), { properties: { authenticationMethod: 'UNKNOWN' } });
      await expectNotLetIn(client, 0x8c);
    }
  });

  it('asks by AUTH 0x18, then lets in, with the method in every packet [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1]', async () => {
    const client = begin(await openBroker({ authorizer: COUNTING }));
    for (const question of ['first', 'second']) {
      const got = await client.take();
      expect(got).toMatchObject([
        { type: 'auth', reasonCode: 0x18, authenticationMethod: METHOD, authenticationData: bytesOf(question) },
      ]);
      const [auth] = got;
      expect(auth?.type === 'auth' && isReasonCodeOf('auth', auth.reasonCode)).toBe(true);
      client.send(answer(question));
    }
    expect(await client.take()).toMatchObject([
      { type: 'connack', reasonCode: 0, properties: { authenticationMethod: METHOD, authenticationData: bytesOf('done') } },
    ]);
    await expectOpen(client);
  });

  it('may fail at any point, and closes the connection [MQTT-4.12.0-4] [MQTT-4.13.2-1]', async () => {
    for (const right of [0, 1]) {
      const client = begin(await openBroker({ authorizer: COUNTING }));
      for (const text of ['first', 'second'].slice(0, right)) {
        await client.take();
        client.send(answer(text));
      }
      expect(types(await client.take())).toEqual(['auth']);
      client.send(answer('wrong'));
      await expectNotLetIn(client, 0x87);
    }
  });

  it.each([
    ['with another code [MQTT-4.12.0-3]', answer('first', { reasonCode: 0x19 })],
    ['with another method [MQTT-4.12.0-5]', answer('first', { authenticationMethod: 'OTHER' })],
    ['by another packet than AUTH [MQTT-3.1.2-30] [MQTT-3.2.0-1 v5.0]', { type: 'pingreq' }],
    ['by a SUBSCRIBE [MQTT-3.1.2-30] [MQTT-3.2.0-1 v5.0]', subscribeOf('a')],
    ['by a PUBLISH [MQTT-3.1.2-30] [MQTT-3.2.0-1 v5.0]', publishOf('a', 'x', { qos: 1 })],
  ] as const)('that is answered %s fails', async (_name, packet) => {
    const test = await openBroker({ authorizer: COUNTING });
    const client = begin(test);
    expect(types(await client.take())).toEqual(['auth']);
    client.send(packet);
    await expectNotLetIn(client, 0x82);
    expect(test.broker.counters.sessions).toBe(0);
  });

  it('that nobody asked for is not begun [MQTT-4.12.0-6] [MQTT-4.12.0-7]', async () => {
    const test = await openBroker({ authorizer: COUNTING });
    const client = begin(test, {});
    const got = await client.take();
    expect(got).toMatchObject([{ type: 'connack', reasonCode: 0 }]);
    expect(got[0]).not.toHaveProperty('properties.authenticationMethod');
    expect(got[0]).not.toHaveProperty('properties.authenticationData');
    client.send(answer('first', { reasonCode: 0x19 }));
    await expectClosed(client, 0x82);
  });

  it('may be ended by DISCONNECT [MQTT-3.1.2-30]', async () => {
    const test = await openBroker({ authorizer: COUNTING });
    const client = begin(test);
    await client.take();
    client.send({ type: 'disconnect', reasonCode: 0 });
    await expectNotLetIn(client);
    expect(test.broker.counters.sessions).toBe(0);
  });

  it('sends packets no larger than the client takes [MQTT-3.15.2-2] [MQTT-3.15.2-3] [MQTT-3.1.2-24]', async () => {
    const test = await openBroker({ authorizer: COUNTING });
    for (const maxPacketBytes of [10, 20, 25, 30, 60]) {
      const client = begin(test, { properties: { ...CONNECT.properties, maxPacketBytes } });
      for (const bytes of await packetsAsBytes(client)) expect(bytes.length).toBeLessThanOrEqual(maxPacketBytes);
    }
  });
});

describe('AUTH', () => {
  it('has no flags [MQTT-3.15.1-1]', async () => {
    const { connect } = await openBroker();
    for (let flags = 1; flags < 16; flags++) {
      const client = await connect(5);
      client.sendBytes(packetOf(0xf0 | flags));
      await expectClosed(client, 0x81);
    }
  });

  it('has a code of its list [MQTT-3.15.2-1]', async () => {
    const test = await openBroker({ authorizer: COUNTING });
    for (const code of [0x01, 0x17, 0x80]) {
      const client = await letIn(test);
      client.sendBytes(packetOf(0xf0, code, 8, 0x15, 0, 5, Buffer.from(METHOD)));
      await expectClosed(client, 0x82);
    }
  });
});

describe('re-authentication', () => {
  it('goes on beside the traffic, and ends with AUTH 0 [MQTT-4.12.1-1] [MQTT-4.12.0-5]', async () => {
    const client = await letIn(await openBroker({ authorizer: COUNTING }));
    for (let round = 0; round < 2; round++) {
      client.send(answer('again', { reasonCode: 0x19 }));
      expect(await client.take()).toMatchObject([{ type: 'auth', reasonCode: 0x18, authenticationMethod: METHOD }]);
      await expectOpen(client);
      client.send(answer('first'));
      expect(await client.take()).toMatchObject([{ type: 'auth', reasonCode: 0x18, authenticationMethod: METHOD }]);
      client.send(answer('second'));
      expect(await client.take()).toMatchObject([
        { type: 'auth', reasonCode: 0, authenticationMethod: METHOD, authenticationData: bytesOf('done') },
      ]);
      await expectOpen(client);
    }
  });

  it('with another method, or none under way, is a protocol error [MQTT-4.12.1-1]', async () => {
    const test = await openBroker({ authorizer: COUNTING });
    for (const packet of [answer('x', { reasonCode: 0x19, authenticationMethod: 'OTHER' }), answer('x', { reasonCode: 0x18 })]) {
      const client = await letIn(test);
      client.send(packet);
      await expectClosed(client, 0x82);
    }
  });

  it('that fails ends the connection with its code [MQTT-4.12.1-2] [MQTT-4.13.2-1]', async () => {
    const client = await letIn(await openBroker({ authorizer: COUNTING }));
    client.send(answer('again', { reasonCode: 0x19 }));
    await client.take();
    client.send(answer('wrong'));
    await expectClosed(client, 0x87);
  });
});
