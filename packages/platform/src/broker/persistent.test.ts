import { describe, expect, it } from 'vitest';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openRestored, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';

const KEPT = { clientId: 'sub', cleanStart: false, properties: { sessionExpirySec: 1_000 } };

async function subscriber({ connect }: TestBroker, version: 4 | 5 = 5, qos: 0 | 1 | 2 = 2): Promise<TestClient> {
  const client = await connect(version, version === 5 ? KEPT : { clientId: 'sub', cleanStart: false });
  client.send(subscribeOf('a/#', qos));
  await settled();
  await client.take();
  return client;
}

describe('a persistent session', () => {
  it('gets what was published while its client was away, in order, in both versions', async () => {
    for (const version of [4, 5] as const) {
      const broker = await openRestored();
      const first = await subscriber(broker, version);
      first.transport.destroy();
      const publisher = await broker.connect(5, { clientId: 'p' });
      for (let i = 1; i <= 5; i++) publisher.publish('a/b', `m${i}`, { qos: ((i % 2) + 1) as 1 | 2, packetId: i });
      publisher.publish('a/b', 'lost', { qos: 0 });
      await settled();
      expect((await publisher.take()).map(({ type }) => type)).toEqual(['pubrec', 'puback', 'pubrec', 'puback', 'pubrec']);
      const second = await reconnect(broker, version);
      expect(await second.texts()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
    }
  });

  it('survives a crash of the server with its subscriptions and messages', async () => {
    const store = new MemorySessionStore();
    const before = await openRestored({ store });
    const first = await subscriber(before);
    first.transport.destroy();
    const publisher = await before.connect(5, { clientId: 'p' });
    publisher.publish('a/1', 'kept', { qos: 1, packetId: 1 });
    publisher.publish('a/r', 'retained', { qos: 1, packetId: 2, retain: true });
    await settled();
    expect(await publisher.take()).toMatchObject([
      { type: 'puback', reasonCode: 0 },
      { type: 'puback', reasonCode: 0 },
    ]);

    const after = await openRestored({ store: store.reopen() });
    const second = await reconnect(after, 5);
    expect(await second.texts()).toEqual(['kept', 'retained']);
    const other = await after.connect(5, { clientId: 'other' });
    other.send(subscribeOf('a/#', 1));
    expect(await other.texts()).toEqual(['retained']);
    other.publish('a/2', 'live', { qos: 1, packetId: 1 });
    await settled();
    expect(await second.texts()).toEqual(['live']);
  });

  it('tells a publisher that its queue is full, and delivers to nobody', async () => {
    const broker = await openRestored({ limits: { maxQueuedMessages: 2 } });
    const away = await subscriber(broker);
    away.transport.destroy();
    const there = await broker.connect(5, { clientId: 'there' });
    there.send(subscribeOf('a/#', 1));
    await there.take();
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 1; i <= 3; i++) publisher.publish('a/b', `m${i}`, { qos: 1, packetId: i });
    await settled();
    expect(await publisher.take()).toMatchObject([{ reasonCode: 0 }, { reasonCode: 0 }, { reasonCode: 0x97 }]);
    expect(await there.texts()).toEqual(['m1', 'm2']);
    const old = await broker.connect(4, { clientId: 'old' });
    old.publish('a/b', 'm4', { qos: 1, packetId: 1 });
    await settled();
    expect(await old.take()).toEqual([]);
    expect(old.transport.ended).toBe(true);
  });

  it('is not acknowledged for before it has the message durably', async () => {
    const store = new MemorySessionStore();
    const broker = await openRestored({ store });
    const away = await subscriber(broker);
    away.transport.destroy();
    await settled();
    store.hold();
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('a/b', 'x', { qos: 1, packetId: 1 });
    publisher.publish('elsewhere', 'y', { qos: 1, packetId: 2 });
    await settled();
    expect(await publisher.take()).toEqual([]);
    store.letGo();
    await settled();
    expect(await publisher.take()).toMatchObject([{ packetId: 1 }, { packetId: 2, reasonCode: 0x10 }]);
  });
});

async function reconnect({ connect }: TestBroker, version: 4 | 5): Promise<TestClient> {
  return await connect(version, version === 5 ? KEPT : { clientId: 'sub', cleanStart: false });
}
