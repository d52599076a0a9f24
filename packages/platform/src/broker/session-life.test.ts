import type { ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { describe, expect, it } from 'vitest';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openRestored, openTestBroker, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';

const WILL = { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: false } as const;

async function watcher(broker: TestBroker): Promise<TestClient> {
  const client = await broker.connect(5, { clientId: 'watcher' });
  client.send(subscribeOf('w', 1));
  await client.take();
  return client;
}

function kept(sessionExpirySec: number, extra: Partial<ConnectPacket> = {}): Partial<ConnectPacket> {
  return { clientId: 'c', cleanStart: false, properties: { sessionExpirySec }, ...extra };
}

describe('the end of a session', () => {
  it('comes when its expiry has passed, whatever the wall clock does', async () => {
    const broker = await openRestored();
    const client = await broker.connect(5, kept(60));
    client.transport.destroy();
    broker.clock.advance(30_000);
    broker.clock.step(-365 * 86_400_000);
    expect((await broker.connect(5, kept(60))).connack?.sessionPresent).toBe(true);
    (await broker.connect(5, kept(60))).transport.destroy();
    broker.clock.advance(62_000);
    expect(broker.broker.counters.expiredSessions).toBe(1);
    expect((await broker.connect(5, kept(60))).connack?.sessionPresent).toBe(false);
  });

  it('comes with the connection where its expiry is 0: a takeover finds no session, and its will is out', async () => {
    const broker = await openRestored();
    const seen = await watcher(broker);
    await broker.connect(5, kept(0, { will: { ...WILL, properties: {} } }));
    const second = await broker.connect(5, kept(0));
    expect(second.connack?.sessionPresent).toBe(false);
    expect(await seen.texts()).toEqual(['gone']);
  });

  it('comes with a clean start, and the store forgets it', async () => {
    const store = new MemorySessionStore();
    const broker = await openRestored({ store });
    const client = await broker.connect(5, kept(60));
    client.send(subscribeOf('t', 1));
    await client.take();
    client.transport.destroy();
    const clean = await broker.connect(5, { clientId: 'c' });
    expect(clean.connack?.sessionPresent).toBe(false);
    expect(store.durable()).toEqual([]);
  });

  it('comes with DISCONNECT that says so [MQTT-3.14.2-2]', async () => {
    const broker = await openRestored();
    const client = await broker.connect(5, kept(60));
    client.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 0 });
    await settled();
    expect((await broker.connect(5, kept(60))).connack?.sessionPresent).toBe(false);
  });
});

describe('a will', () => {
  it('waits for its delay, and is never sent when the client is back before [MQTT-3.1.3-9]', async () => {
    const broker = await openRestored();
    const seen = await watcher(broker);
    const will = { ...WILL, properties: { willDelayIntervalSec: 10 } };
    const client = await broker.connect(5, kept(60, { will }));
    client.transport.destroy();
    broker.clock.advance(5_000);
    const back = await broker.connect(5, kept(60, { will }));
    broker.clock.advance(20_000);
    expect(await seen.texts()).toEqual([]);
    back.transport.destroy();
    broker.clock.advance(9_000);
    expect(await seen.texts()).toEqual([]);
    broker.clock.advance(2_500);
    expect(await seen.texts()).toEqual(['gone']);
  });

  it('goes out when the session ends before its delay is over', async () => {
    const broker = await openRestored();
    const seen = await watcher(broker);
    const client = await broker.connect(5, kept(60, { will: { ...WILL, properties: { willDelayIntervalSec: 1_000 } } }));
    client.transport.destroy();
    broker.clock.advance(62_000);
    expect(await seen.texts()).toEqual(['gone']);
  });

  it('of a client that was connected goes out after a crash of the server', async () => {
    const store = new MemorySessionStore();
    const before = await openRestored({ store });
    const sub = await before.connect(5, kept(60, { clientId: 'sub' }));
    sub.send(subscribeOf('w', 1));
    await sub.take();
    await before.connect(5, kept(60, { will: { ...WILL, properties: {} } }));
    const after = await openRestored({ store: store.reopen() });
    after.clock.advance(1_500);
    const again = await after.connect(5, kept(60, { clientId: 'sub' }));
    expect(await again.texts()).toEqual(['gone']);
  });
});

describe('a session that is resumed', () => {
  it('loses subscriptions that its client may not have any more', async () => {
    let denied = '';
    const broker = openTestBroker({
      store: new MemorySessionStore(),
      authorizer: {
        authenticate: async () => ({
          id: 'x',
          sessionNamespace: '',
          mayPublish: () => true,
          maySubscribe: (filter) => filter !== denied,
          mayReceive: () => true,
        }),
      },
    });
    await broker.broker.restore();
    const client = await broker.connect(5, kept(60));
    client.send(subscribeOf('a', 1), subscribeOf('b', 1));
    await client.take();
    client.transport.destroy();
    denied = 'a';
    const back = await broker.connect(5, kept(60));
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('a', 'no', { qos: 1, packetId: 1 });
    publisher.publish('b', 'yes', { qos: 1, packetId: 2 });
    await settled();
    expect(await back.texts()).toEqual(['yes']);
  });
});
