import { describe, expect, it } from 'vitest';
import { connectOf, openRestored, openTestBroker, settled, subscribeOf, TestClient } from './broker.fixture.ts';
import type { ClientListQuery } from './inspection.ts';

const ALL: ClientListQuery = { prefix: '', state: undefined, after: undefined, limit: 100 };

const KEPT = { cleanStart: false, properties: { sessionExpirySec: 3_600, receiveMaximum: 20 } };

describe('the inspector', () => {
  it('shows a client that is connected', async () => {
    const { broker, connect, clock } = await openRestored();
    clock.advance(5_000);
    const will = { topic: 'gone', payload: new Uint8Array(), qos: 0, retain: false, properties: {} } as const;
    const client = await connect(5, { clientId: 'd1', username: 'device', keepAliveSec: 60, will, ...KEPT });
    client.send(subscribeOf('a/#', 1));
    client.publish('a/1', 'four', { qos: 1 });
    client.publish('b', 'x');
    await client.take();
    expect(broker.inspector.find('d1')).toEqual([
      {
        clientId: 'd1',
        namespace: 'device',
        principalId: 'device',
        connected: true,
        version: 5,
        door: 'tcp',
        remoteAddress: '192.0.2.1',
        sinceMs: 1_700_000_005_000,
        persistent: true,
        subscriptions: 1,
        queuedMessages: 0,
        inFlight: 1,
        lastClose: undefined,
        keepAliveSec: 60,
        sessionExpirySec: 3_600,
        receiveMaximum: 20,
        queuedBytes: expect.any(Number),
        willTopic: 'gone',
        filters: [{ filter: 'a/#', qos: 1 }],
        messagesReceived: 2,
        messagesSent: 1,
        messagesDropped: 0,
        closes: [],
        denials: [],
      },
    ]);
  });

  it('shows one whose session waits for it, with the messages that wait and why it went', async () => {
    const { broker, connect, clock } = await openRestored();
    const client = await connect(5, { clientId: 'd1', ...KEPT });
    client.send(subscribeOf('a/#', 1));
    await client.take();
    clock.advance(1_000);
    client.transport.destroy();
    const publisher = await connect(5, { clientId: 'p' });
    for (let packetId = 1; packetId <= 3; packetId++) publisher.publish('a/1', 'x', { qos: 1, packetId });
    await settled();
    const lastClose = { reason: 'connection-lost', code: undefined, atMs: 1_700_000_001_000 };
    expect(broker.inspector.find('d1')).toMatchObject([
      {
        connected: false,
        persistent: true,
        sinceMs: 1_700_000_001_000,
        queuedMessages: 3,
        inFlight: 0,
        lastClose,
        closes: [lastClose],
      },
    ]);
    expect(broker.inspector.list(ALL)).toMatchObject({
      connected: 1,
      offline: 1,
      clients: [{ clientId: 'd1' }, { clientId: 'p' }],
    });
  });

  it('remembers one that is gone: why, and what it was denied', async () => {
    const { broker, connect } = await openRestored();
    const client = await connect(5, { clientId: 'd1', username: 'device', password: Buffer.from('pass-word') });
    client.send(subscribeOf('secret/#'), subscribeOf('secret/#'));
    client.publish('secret/1', 'pay-load', { qos: 1 });
    client.publish('$SYS/broker/version', 'forged', { qos: 1, packetId: 2 });
    client.publish('long-secret', 'x', { qos: 1, packetId: 3, properties: { topicAlias: 1 } });
    client.publish('', 'x', { qos: 1, packetId: 4, properties: { topicAlias: 1 } });
    client.send({ type: 'pingresp' });
    await client.take();
    const [gone, ...others] = broker.inspector.find('d1');
    expect(others).toEqual([]);
    expect(gone).toMatchObject({
      connected: false,
      persistent: false,
      version: undefined,
      principalId: 'device',
      lastClose: { reason: 'protocol-error', code: 0x82 },
      denials: [
        { action: 'subscribe', subject: 'secret/#', code: 0x87, count: 2 },
        { action: 'publish', subject: 'secret/1', code: 0x87, count: 1 },
        { action: 'publish', subject: '$SYS/broker/version', code: 0x87, count: 1 },
        { action: 'publish', subject: 'long-secret', code: 0x87, count: 2 },
      ],
    });
    expect(JSON.stringify(broker.inspector.list(ALL))).not.toMatch(/pass-word|pay-load/);
    expect(broker.inspector.list(ALL).clients).toMatchObject([{ clientId: 'd1', connected: false, persistent: false }]);
  });

  it('tells of those that were refused, and why', async () => {
    const { broker } = openTestBroker({
      authorizer: { authenticate: async () => ({ refused: 'bad-credentials', reason: 'the token is another' }) },
    });
    for (const version of [4, 5] as const) {
      const client = new TestClient(broker, version);
      client.send(connectOf(version, { clientId: 'd1', username: 'device', password: Buffer.from('pass-word') }));
      await client.take();
    }
    expect(broker.inspector.find('d1')).toMatchObject([
      { principalId: '', namespace: '', denials: [{ action: 'connect', subject: 'the token is another', code: 0x86, count: 2 }] },
    ]);
    expect(broker.inspector.list(ALL).clients).toEqual([]);
  });

  it('lists by prefix and state, page by page, each client once', async () => {
    const { broker, connect } = await openRestored();
    for (const clientId of ['b1', 'a1', 'a2', 'a3']) await connect(5, { clientId, ...KEPT });
    (await connect(5, { clientId: 'a2', ...KEPT })).transport.destroy();
    (await connect(5, { clientId: 'a0' })).transport.destroy();
    await settled();
    const ids = (query: Partial<ClientListQuery>): string[] =>
      broker.inspector.list({ ...ALL, ...query }).clients.map(({ clientId }) => clientId);
    expect(ids({})).toEqual(['a0', 'a1', 'a2', 'a3', 'b1']);
    expect(ids({ state: 'connected' })).toEqual(['a1', 'a3', 'b1']);
    expect(ids({ state: 'offline' })).toEqual(['a0', 'a2']);
    expect(ids({ prefix: 'a', limit: 2, after: { clientId: 'a1', namespace: '' } })).toEqual(['a2', 'a3']);
    expect(ids({ prefix: 'x' })).toEqual([]);
    expect(
      broker.inspector.recall([
        { clientId: 'a2', namespace: '' },
        { clientId: 'a1', namespace: '' },
      ]),
    ).toMatchObject([
      { connected: false, lastClose: { reason: 'connection-lost' } },
      { connected: true, lastClose: undefined },
    ]);
  });

  it('tells devices with the same client id apart', async () => {
    const { broker, connect } = await openRestored();
    await connect(5, { clientId: 'esp', username: 'one' });
    (await connect(5, { clientId: 'esp', username: 'two' })).transport.destroy();
    await settled();
    expect(broker.inspector.find('esp').map(({ namespace, connected }) => `${namespace} ${connected}`)).toEqual([
      'one true',
      'two false',
    ]);
  });

  it('disconnects a client, and ends its session where that is asked for', async () => {
    const { broker, connect } = await openRestored();
    const client = await connect(5, { clientId: 'd1', ...KEPT });
    expect(broker.inspector.disconnect('d1', false)).toBe(1);
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x98 }]);
    client.transport.destroy();
    expect(broker.inspector.disconnect('d1', false)).toBe(0);
    expect((await connect(5, { clientId: 'd1', ...KEPT })).connack?.sessionPresent).toBe(true);
    expect(broker.inspector.disconnect('d1', true)).toBe(1);
    expect((await connect(5, { clientId: 'd1', ...KEPT })).connack?.sessionPresent).toBe(false);
    expect(broker.inspector.disconnect('d2', true)).toBe(0);
  });
});
