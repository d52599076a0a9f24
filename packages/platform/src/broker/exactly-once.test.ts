import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openRestored, settled, subscribeOf, type TestClient } from './broker.fixture.ts';

const KEPT = { cleanStart: false, properties: { sessionExpirySec: 1_000 } };

/** A subscriber and a publisher with persistent sessions; `crash` gives them again after a crash of the server. */
async function pair(store = new MemorySessionStore()): Promise<{ store: MemorySessionStore; sub: TestClient; pub: TestClient }> {
  const broker = await openRestored({ store });
  const sub = await broker.connect(5, { ...KEPT, clientId: 'sub' });
  const pub = await broker.connect(5, { ...KEPT, clientId: 'pub' });
  if (sub.connack?.sessionPresent !== true) {
    sub.send(subscribeOf('t', 2));
    await settled();
    await sub.take();
  }
  return { store, sub, pub };
}

describe('a QoS 2 message to a persistent session', () => {
  it('goes out only once it is stored', async () => {
    const { store, sub, pub } = await pair();
    store.hold();
    pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    expect([await sub.take(), await pub.take()]).toEqual([[], []]);
    store.letGo();
    await settled();
    expect(await sub.take()).toMatchObject([{ text: 'x', qos: 2 }]);
    expect(await pub.take()).toEqual([{ type: 'pubrec', packetId: 9, reasonCode: 0 }]);
  });

  it('is sent again under its packet id after a crash, until PUBREC', async () => {
    const first = await pair();
    first.pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    const [sent] = await first.sub.take();
    if (sent?.type !== 'publish') throw new Error('not sent');
    const second = await pair(first.store.reopen());
    expect(await second.sub.take()).toMatchObject([{ text: 'x', qos: 2, packetId: sent.packetId }]);
    second.sub.send({ type: 'pubrec', packetId: sent.packetId, reasonCode: 0 });
    await settled();
    expect(await second.sub.take()).toMatchObject([{ type: 'pubrel', packetId: sent.packetId }]);
    const third = await pair(second.store.reopen());
    expect(await third.sub.take()).toMatchObject([{ type: 'pubrel', packetId: sent.packetId }]);
    third.sub.send({ type: 'pubcomp', packetId: sent.packetId, reasonCode: 0 });
    await settled();
    const fourth = await pair(third.store.reopen());
    expect(await fourth.sub.take()).toEqual([]);
  });

  it('is released only once it is stored that the client has it', async () => {
    const { store, sub, pub } = await pair();
    pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    const [sent] = await sub.take();
    if (sent?.type !== 'publish') throw new Error('not sent');
    store.hold();
    sub.send({ type: 'pubrec', packetId: sent.packetId, reasonCode: 0 });
    expect(await sub.take()).toEqual([]);
    const after = await pair(store.reopen());
    // The client was not told PUBREL: it still knows the packet id.
    expect(await after.sub.take()).toMatchObject([{ text: 'x', packetId: sent.packetId }]);
  });
});

describe('a QoS 2 message of a persistent session', () => {
  it('is not taken twice, though the server crashed before or after PUBREC', async () => {
    const first = await pair();
    first.pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    const second = await pair(first.store.reopen());
    await second.sub.take();
    second.pub.publish('t', 'x', { qos: 2, packetId: 9, dup: true });
    expect(await second.pub.take()).toEqual([{ type: 'pubrec', packetId: 9, reasonCode: 0 }]);
    expect(await second.sub.texts()).toEqual([]);
    second.pub.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    expect(await second.pub.take()).toEqual([{ type: 'pubcomp', packetId: 9, reasonCode: 0 }]);
    const third = await pair(second.store.reopen());
    third.pub.publish('t', 'y', { qos: 2, packetId: 9 });
    await settled();
    expect((await third.sub.texts()).filter((text) => text === 'y')).toEqual(['y']);
  });

  it('is answered on the connection that asks again, when the first has gone before', async () => {
    const store = new MemorySessionStore();
    const broker = await openRestored({ store });
    const sub = await broker.connect(5, { ...KEPT, clientId: 'sub' });
    sub.send(subscribeOf('t', 2));
    await settled();
    await sub.take();
    const first = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    store.hold();
    first.publish('t', 'x', { qos: 2, packetId: 9 });
    first.transport.destroy();
    store.letGo();
    const second = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    store.hold();
    second.publish('t', 'x', { qos: 2, packetId: 9, dup: true });
    store.letGo();
    await settled();
    expect(await second.take()).toEqual([{ type: 'pubrec', packetId: 9, reasonCode: 0 }]);
    expect(await sub.texts()).toEqual(['x']);
  });

  it('PUBCOMP waits until it is stored that its packet id is free', async () => {
    const { store, pub } = await pair();
    pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    await pub.take();
    store.hold();
    pub.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    expect(await pub.take()).toEqual([]);
    store.letGo();
    expect(await pub.take()).toEqual([{ type: 'pubcomp', packetId: 9, reasonCode: 0 }]);
  });
});

describe('a store that takes nothing', () => {
  it('lets no publisher believe that a persistent session has its message, and goes on when it can', async () => {
    const { store, sub, pub } = await pair();
    sub.transport.destroy();
    await settled();
    store.rejectWith(new SelsynError('log.full', 'the test says so'));
    pub.publish('t', 'lost', { qos: 1, packetId: 1 });
    pub.publish('t', 'lost too', { qos: 2, packetId: 2 });
    await settled();
    expect(await pub.take()).toMatchObject([
      { type: 'puback', reasonCode: 0x97 },
      { type: 'pubrec', reasonCode: 0x97 },
    ]);
    store.rejectWith(undefined);
    await settled();
    pub.publish('t', 'kept', { qos: 2, packetId: 2 });
    await settled();
    expect(await pub.take()).toMatchObject([{ type: 'pubrec', reasonCode: 0 }]);
    const after = await pair(store.reopen());
    expect(await after.sub.texts()).toEqual(['kept']);
  });
});
