import { describe, expect, it } from 'vitest';
import { connectOf, subscribeOf, TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import { BOTH, connectBytes, expectClosed, expectOpen, field, lose, openBroker, packetOf, types } from './conformance.fixture.ts';

describe('PINGREQ', () => {
  it.each(BOTH)('is answered with PINGRESP [MQTT-3.12.4-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send({ type: 'pingreq' }, { type: 'pingreq' });
    expect(types(await client.take())).toEqual(['pingresp', 'pingresp']);
  });
});

describe('DISCONNECT', () => {
  it.each(BOTH)('with reserved bits is malformed [MQTT-3.14.1-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const watcher = await connect(5, { clientId: 'w' });
    watcher.send(subscribeOf('will'));
    await watcher.take();
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false, properties: {} } as const;
    const client = await connect(version, { will });
    client.sendBytes(packetOf(0xe1));
    await expectClosed(client, 0x81);
    expect(await watcher.texts()).toEqual(['gone']);
  });

  it.each(BOTH)(
    'ends the connection: nothing behind it counts [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-3.14.4-1 v3.1.1] [MQTT-3.14.4-2 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const watcher = await connect(5, { clientId: 'w' });
      watcher.send(subscribeOf('#'));
      await watcher.take();
      const client = await connect(version);
      client.send({ type: 'disconnect', reasonCode: 0 }, { type: 'pingreq' });
      client.publish('a', 'late');
      expect(await client.take()).toEqual([]);
      expect(client.transport.ended).toBe(true);
      expect(await watcher.take()).toEqual([]);
    },
  );

  it('of the server is its last packet, and closes the connection [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1]', async () => {
    const test = await openBroker();
    const client = await test.connect(5, { clientId: 'same' });
    client.send(subscribeOf('a', 1));
    await client.take();
    const publisher = await test.connect(5, { clientId: 'p' });
    publisher.publish('a', '1', { qos: 1, packetId: 1 });
    await test.connect(5, { clientId: 'same' });
    publisher.publish('a', '2', { qos: 1, packetId: 2 });
    client.send({ type: 'pingreq' });
    const got = types(await client.take());
    expect(got.indexOf('disconnect')).toBe(got.length - 1);
    expect(client.transport.ended).toBe(true);
    // One that does not go is cut off.
    test.clock.advance(10_000);
    expect(client.transport.destroyed).toBe(true);
  });

  it('of the server has no session expiry [MQTT-3.14.2-2]', async () => {
    const { connect, broker } = await openBroker();
    const options = { clientId: 'same', properties: { sessionExpirySec: 100 } };
    const first = await connect(5, options);
    const second = await connect(5, options);
    second.sendBytes(packetOf(0x36));
    const third = await connect(5, { ...options, username: 'd' });
    broker.disconnectPrincipal('d');
    for (const client of [first, second, third]) {
      const got = (await client.take()).at(-1);
      expect(got?.type).toBe('disconnect');
      expect(got).not.toHaveProperty('sessionExpirySec');
    }
  });

  it('cannot give a session an expiry that it did not begin with [MQTT-4.13.1-1]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 10 });
    await expectClosed(client, 0x82);
  });

  it('does not come before a CONNACK that lets in [MQTT-3.14.0-1]', async () => {
    const { broker } = await openBroker({ limits: { maxPacketBytes: 1_000 } });
    for (const bytes of [
      packetOf(0x36),
      packetOf(0xf0),
      connectBytes(5, 0x03, field('c')),
      connectBytes(5, 0x02),
      Uint8Array.of(0x10, 0xff, 0xff, 0x7f),
      Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff),
      packetOf(0x10, field('MQTT'), 7, 2, 0, 0, 0, field('c')),
    ]) {
      const client = new TestClient(broker, 5);
      client.sendBytes(bytes);
      expect(types(await client.take())).not.toContain('disconnect');
      expect(client.transport.ended || client.transport.destroyed).toBe(true);
    }
  });
});

describe('a violation of the protocol', () => {
  const VIOLATIONS = [
    ['QoS 3', packetOf(0x36, field('a'), 0, 1), 0x81],
    ['packet type 0', packetOf(0x00), 0x81],
    ['a packet that only a server sends', packetOf(0xd0), 0x82],
    ['a second CONNECT', connectBytes(4, 2, field('c')), 0x82],
    ['a length of five bytes', Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0xff, 1), 0x81],
    ['a packet that is too large', Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f), 0x95],
    ['bytes behind the end', packetOf(0xc0, 0), 0x81],
  ] as const;

  it.each(BOTH)(
    'closes the connection, with its code in 5.0 [MQTT-4.13.1-1] [MQTT-4.13.2-1] [MQTT-4.8.0-1 v3.1.1] [MQTT-3.2.2-15] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const bystander = await connect(version, { clientId: 'bystander' });
      for (const [, bytes, code] of VIOLATIONS) {
        const client = await connect(version);
        client.sendBytes(bytes);
        await expectClosed(client, code);
      }
      await expectOpen(bystander);
    },
  );

  it.each(BOTH)(
    'closes the connection wherever its bytes are cut [MQTT-4.13.1-1] [MQTT-4.8.0-1 v3.1.1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const [, bytes, code] of VIOLATIONS) {
        const client = await connect(version);
        for (const byte of bytes) client.sendBytes(Uint8Array.of(byte));
        await expectClosed(client, code);
      }
    },
  );
});

describe('a passing fault of the server', () => {
  it('closes a 3.1.1 connection whose message it kept from being stored [MQTT-4.8.0-2 v3.1.1]', async () => {
    const { connect, intake } = await openBroker();
    const bystander = await connect(4, { clientId: 'bystander' });
    const client = await connect(4);
    client.publish('telemetry/x', 'x', { qos: 1, packetId: 1 });
    intake.reject('log.failed');
    await expectClosed(client, 0);
    await expectOpen(bystander);
  });

  it('closes a connection that cannot be decided on, with a code that says so [MQTT-4.8.0-2 v3.1.1] [MQTT-4.13.2-1]', async () => {
    const { broker } = await openBroker({ authorizer: { authenticate: () => Promise.reject(new Error('down')) } });
    for (const version of BOTH) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version));
      expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: version === 5 ? 0x88 : 3 }]);
      expect(client.transport.ended).toBe(true);
      await lose(client);
    }
  });
});
