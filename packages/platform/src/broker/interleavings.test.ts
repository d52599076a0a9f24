import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { SessionStore } from '../session-store/session-store.ts';
import {
  connectOf,
  openTestBroker,
  PERMISSIVE,
  settled,
  subscribeOf,
  type TestBroker,
  type TestBrokerOptions,
  TestClient,
} from './broker.fixture.ts';
import { SteppedStore } from './stepped-store.fixture.ts';

const KEPT = { cleanStart: false, properties: { sessionExpirySec: 1_000 } };
const FULL = new SelsynError('log.full', 'the test says so');

async function open(store: SessionStore, options: TestBrokerOptions = {}): Promise<TestBroker> {
  const opened = openTestBroker({ ...options, store });
  await opened.broker.restore();
  return opened;
}

async function subscriber(
  broker: TestBroker,
  clientId: string,
  filter: string,
  qos: 1 | 2,
  properties = {},
): Promise<TestClient> {
  const client = await broker.connect(5, { cleanStart: false, properties: { sessionExpirySec: 1_000, ...properties }, clientId });
  if (client.connack?.sessionPresent === true) return client;
  client.send(subscribeOf(filter, qos));
  await settled();
  const packets = await client.take();
  client.putBack(packets.filter(({ type }) => type !== 'suback'));
  return client;
}

/** The packet ids of the messages that came. */
async function ids(client: TestClient): Promise<number[]> {
  return (await client.take()).flatMap((packet) => (packet.type === 'publish' ? [packet.packetId] : []));
}

/** Waits for something while all that is written becomes durable. */
async function steadily<T>(store: SteppedStore, waiting: Promise<T>): Promise<T> {
  for (let i = 0; i < 12; i++) {
    await new Promise(setImmediate);
    store.settle();
  }
  return await waiting;
}

describe('a persistent publisher', () => {
  it('may send again what was refused while its connection broke', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store, { limits: { maxQueuedMessages: 1 } });
    (await subscriber(broker, 'sub', 't', 2)).transport.destroy();
    const pub = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    store.hold();
    pub.publish('t', 'a', { qos: 1, packetId: 1 });
    pub.publish('t', 'b', { qos: 2, packetId: 2 });
    pub.transport.destroy();
    store.letGo();
    await settled();
    const sub = await subscriber(broker, 'sub', 't', 2);
    const [packetId] = await ids(sub);
    sub.send({ type: 'puback', packetId: packetId ?? 0, reasonCode: 0 });
    const again = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    again.publish('t', 'b', { qos: 2, packetId: 2, dup: true });
    await settled();
    expect(await again.take()).toEqual([{ type: 'pubrec', packetId: 2, reasonCode: 0 }]);
    expect(await sub.texts()).toEqual(['b']);
  });

  it('has its packet id taken until it is stored that it is free, also where that fails at first', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store);
    const pub = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    pub.publish('t', 'x', { qos: 2, packetId: 9 });
    await settled();
    store.rejectWith(FULL);
    pub.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await settled();
    store.rejectWith(undefined);
    pub.transport.destroy();
    const again = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    again.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await settled();
    expect(await again.take()).toEqual([{ type: 'pubcomp', packetId: 9, reasonCode: 0 }]);
    expect(store.durable().filter(({ kind }) => kind === 'received')).toEqual([]);
  });

  it('has its QoS 2 message count as taken only once the intake has it', async () => {
    const store = new MemorySessionStore();
    const { intake, connect } = await open(store);
    const pub = await connect(5, { ...KEPT, clientId: 'pub' });
    const received = (): number => store.durable().filter(({ kind }) => kind === 'received').length;
    pub.publish('telemetry/x', 'x', { qos: 2, packetId: 9 });
    await settled();
    expect([received(), await pub.take()]).toEqual([0, []]);
    intake.settle();
    await settled();
    expect([received(), await pub.take()]).toEqual([1, [{ type: 'pubrec', packetId: 9, reasonCode: 0 }]]);
  });

  it('has the whole receive maximum on a new connection', async () => {
    const broker = await open(new MemorySessionStore(), { limits: { receiveMaximum: 2 } });
    const pub = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    for (const packetId of [1, 2]) pub.publish('t', 'x', { qos: 2, packetId });
    await settled();
    pub.transport.destroy();
    const again = await broker.connect(5, { ...KEPT, clientId: 'pub' });
    for (const packetId of [3, 4]) again.publish('t', 'x', { qos: 2, packetId });
    await settled();
    expect((await again.take()).map(({ type }) => type)).toEqual(['pubrec', 'pubrec']);
  });

  it('is told that there is no room where its message comes to a session in two ways and only one of them has room', async () => {
    const broker = await open(new MemorySessionStore(), { limits: { maxQueuedMessages: 1 } });
    const sub = await subscriber(broker, 'sub', '$share/g/t', 1);
    sub.send(subscribeOf('t', 1));
    await settled();
    sub.transport.destroy();
    const pub = await broker.connect(5, { clientId: 'pub' });
    pub.publish('t', 'x', { qos: 1, packetId: 1 });
    await settled();
    expect(await pub.take()).toMatchObject([{ type: 'puback', reasonCode: 0x97 }]);
  });
});

describe('a message that no member of a shared group has room for whose client is there', () => {
  it('is delivered to nobody, though a member that is away has room', async () => {
    const broker = await open(new MemorySessionStore(), { limits: { maxQueuedMessages: 1 } });
    const there = await subscriber(broker, 'there', '$share/g/t', 1, { receiveMaximum: 1 });
    (await subscriber(broker, 'away', '$share/g/t', 1)).transport.destroy();
    const other = await subscriber(broker, 'other', 't', 2);
    const pub = await broker.connect(5, { clientId: 'pub' });
    for (const packetId of [1, 2, 3]) pub.publish('t', `m${packetId}`, { qos: 1, packetId });
    await settled();
    expect(await pub.take()).toMatchObject([{ reasonCode: 0 }, { reasonCode: 0 }, { reasonCode: 0x97 }]);
    expect([await there.texts(), await other.texts()]).toEqual([['m1'], ['m1', 'm2']]);
  });
});

describe('a persistent subscriber', () => {
  it('is sent none of several QoS 2 messages that were rejected together', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store);
    const sub = await subscriber(broker, 'sub', 't', 2);
    const pub = await broker.connect(5, { clientId: 'pub' });
    store.rejectWith(FULL);
    for (const packetId of [1, 2, 3]) pub.publish('t', `m${packetId}`, { qos: 2, packetId });
    await settled();
    expect((await pub.take()).map((packet) => 'reasonCode' in packet && packet.reasonCode)).toEqual([0x97, 0x97, 0x97]);
    expect(await sub.texts()).toEqual([]);
    expect(broker.broker.counters.queued).toBe(0);
  });

  it('is sent PUBREL only once it is stored, also where that fails at first', async () => {
    const store = new SteppedStore();
    const broker = await open(store);
    const sub = await steadily(store, subscriber(broker, 'sub', 't', 2));
    (await broker.connect(5, { clientId: 'pub' })).publish('t', 'x', { qos: 2, packetId: 1 });
    store.settle();
    const [packetId = 0] = await ids(sub);
    sub.send({ type: 'pubrec', packetId, reasonCode: 0 });
    store.reject();
    expect((await sub.take()).map(({ type }) => type)).toEqual(['disconnect']);
    sub.transport.destroy();
    const waiting = subscriber(broker, 'sub', 't', 2);
    await new Promise(setImmediate);
    store.settle();
    const again = await waiting;
    expect(await again.take()).toEqual([]);
    store.settle();
    expect(await again.take()).toMatchObject([{ type: 'pubrel', packetId }]);
    expect(store.durable()).toContainEqual({ kind: 'released', session: 1, packetId });
  });

  it('that begins anew without a session is let in only once it is stored that the one before has ended', async () => {
    const store = new SteppedStore();
    const broker = await open(store);
    (await steadily(store, subscriber(broker, 'sub', 't', 1))).transport.destroy();
    const clean = new TestClient(broker.broker, 5);
    clean.send(connectOf(5, { clientId: 'sub' }));
    expect(await clean.take()).toEqual([]);
    expect(await steadily(store, clean.take())).toMatchObject([{ type: 'connack', reasonCode: 0, sessionPresent: false }]);
    expect(store.durable()).toEqual([]);
  });

  it('that resumes with a smaller window may say that it has what was not sent again yet', async () => {
    const broker = await open(new MemorySessionStore());
    const sub = await subscriber(broker, 'sub', 't', 2);
    const pub = await broker.connect(5, { clientId: 'pub' });
    for (const packetId of [1, 2]) pub.publish('t', `m${packetId}`, { qos: 2, packetId });
    await settled();
    const [first = 0, second = 0] = await ids(sub);
    sub.transport.destroy();
    const again = await subscriber(broker, 'sub', 't', 2, { receiveMaximum: 1 });
    expect(await ids(again)).toEqual([first]);
    again.send({ type: 'pubrec', packetId: second, reasonCode: 0 });
    await settled();
    expect(await again.take()).toMatchObject([{ type: 'pubrel', packetId: second, reasonCode: 0 }]);
    again.send({ type: 'pubrec', packetId: first, reasonCode: 0 }, { type: 'pubcomp', packetId: second, reasonCode: 0 });
    await settled();
    again.send({ type: 'pubcomp', packetId: first, reasonCode: 0 });
    expect(await again.texts()).toEqual([]);
    expect(broker.broker.counters.queued).toBe(0);
  });

  it('gets every retained message, though they are more than its queue may hold', async () => {
    const broker = await open(new MemorySessionStore(), { limits: { maxQueuedBytes: 10_000 } });
    const pub = await broker.connect(5, { clientId: 'pub' });
    for (let i = 0; i < 50; i++) pub.publish(`t/${i}`, 'x'.repeat(1_000), { qos: 1, packetId: i + 1, retain: true });
    const sub = await subscriber(broker, 'sub', 't/#', 1);
    let got = 0;
    for (let batch = await ids(sub); batch.length > 0; batch = await ids(sub)) {
      got += batch.length;
      for (const packetId of batch) sub.send({ type: 'puback', packetId, reasonCode: 0 });
      await settled();
    }
    expect(got).toBe(50);
    expect(broker.broker.counters.dropped['queue-full']).toBe(0);
  });

  it('gets no more than its new principal may see', async () => {
    let may = true;
    const authorizer = {
      ...PERMISSIVE,
      authenticate: async () => {
        const mayReceive = may;
        return {
          id: 'x',
          sessionNamespace: '',
          mayPublish: () => true,
          maySubscribe: () => true,
          mayReceive: () => mayReceive,
        };
      },
    };
    const broker = await open(new MemorySessionStore(), { authorizer });
    const sub = await subscriber(broker, 'sub', 't', 1);
    const pub = await broker.connect(5, { clientId: 'pub' });
    pub.publish('t', 'seen');
    expect(await sub.texts()).toEqual(['seen']);
    may = false;
    const again = await subscriber(broker, 'sub', 't', 1);
    pub.publish('t', 'not seen');
    expect(await again.texts()).toEqual([]);
  });

  it('gets nothing after a restart whose life was over before it was sent', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store);
    (await subscriber(broker, 'sub', 't', 1)).transport.destroy();
    const pub = await broker.connect(5, { clientId: 'pub' });
    pub.publish('t', 'short', { qos: 1, packetId: 1, properties: { messageExpirySec: 5 } });
    pub.publish('t', 'long', { qos: 1, packetId: 2 });
    await settled();
    const after = await open(store.reopen());
    after.clock.advance(6_000);
    expect(await (await subscriber(after, 'sub', 't', 1)).texts()).toEqual(['long']);
  });
});

describe('a message that one member of a shared group leaves to another', () => {
  it('is not lost where that cannot be stored', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store);
    const first = await subscriber(broker, 'first', '$share/g/t', 2);
    const second = await subscriber(broker, 'second', '$share/g/t', 2, { receiveMaximum: 1 });
    const pub = await broker.connect(5, { clientId: 'pub' });
    for (const packetId of [1, 2, 3, 4]) pub.publish('t', `m${packetId}`, { qos: 2, packetId });
    expect((await pub.take()).every((packet) => packet.type === 'pubrec' && packet.reasonCode === 0)).toBe(true);
    const texts = [...(await first.texts()), ...(await second.texts())];
    expect(texts.toSorted()).toEqual(['m1', 'm2', 'm3']);
    store.rejectWith(FULL);
    second.transport.destroy();
    await settled();
    store.rejectWith(undefined);
    await settled();
    expect(await first.texts()).toEqual(['m4']);
  });
});

describe('what is stored', () => {
  it('has a retained message that one more session gets, while a clean session alone still waits for it', async () => {
    const store = new MemorySessionStore();
    const broker = await open(store);
    const plain = await broker.connect(5, { clientId: 'plain', properties: { receiveMaximum: 1 } });
    plain.send(subscribeOf('t', 1));
    const first = await subscriber(broker, 'first', 't', 1);
    const pub = await broker.connect(5, { clientId: 'pub' });
    pub.publish('t', 'x', { qos: 1, packetId: 1 });
    pub.publish('t', 'kept', { qos: 1, packetId: 2, retain: true });
    await settled();
    for (const packetId of await ids(first)) first.send({ type: 'puback', packetId, reasonCode: 0 });
    await settled();
    const second = await subscriber(broker, 'second', 't', 1);
    expect(await second.texts()).toEqual(['kept']);
    const after = await open(store.reopen());
    expect(await (await subscriber(after, 'second', 't', 1)).texts()).toEqual(['kept']);
  });

  it('has a message that came under another number while a snapshot was taken', async () => {
    const store = new SteppedStore();
    const broker = await open(store);
    const first = await steadily(store, subscriber(broker, 'first', 't', 1));
    const pub = await broker.connect(5, { clientId: 'pub' });
    pub.publish('t', 'kept', { qos: 1, packetId: 1, retain: true });
    await settled();
    store.settle();
    store.snapshot();
    store.snapshot();
    for (const packetId of await ids(first)) first.send({ type: 'puback', packetId, reasonCode: 0 });
    expect(await (await steadily(store, subscriber(broker, 'second', 't', 1))).texts()).toEqual(['kept']);
    for (let i = 0; i < 6; i++) store.snapshot();
    const held = store
      .crash(1)
      .durable()
      .find(({ kind }) => kind === 'message');
    expect(held).toMatchObject({ holders: [{ qos: 1 }] });
  });

  it('has a message that another session got while a snapshot was taken that had not come to it', async () => {
    const store = new SteppedStore();
    const broker = await open(store);
    const first = await steadily(store, subscriber(broker, 'first', '$share/g/t', 1));
    const second = await steadily(store, subscriber(broker, 'second', '$share/g/t', 1));
    const pub = await broker.connect(5, { clientId: 'pub' });
    for (const packetId of [1, 2]) pub.publish('t', `m${packetId}`, { qos: 1, packetId });
    await settled();
    store.settle();
    expect([await first.texts(), await second.texts()]).toEqual([['m1'], ['m2']]);
    store.snapshot();
    store.snapshot();
    // The slice of the first is taken: what the second left comes to it after that.
    second.transport.destroy();
    await settled();
    store.settle();
    expect(await first.texts()).toEqual(['m2']);
    for (let i = 0; i < 6; i++) store.snapshot();
    const messages = store
      .crash(1)
      .durable()
      .filter(({ kind }) => kind === 'message');
    expect(messages).toHaveLength(2);
  });

  it('comes back as one session where the end of an earlier one with the same client id could not be stored', async () => {
    const store = new SteppedStore();
    const broker = await open(store);
    const connect = async (at: TestBroker, its: SteppedStore, cleanStart: boolean): Promise<void> => {
      const waiting = at.connect(5, { ...KEPT, clientId: 'c', cleanStart }).catch(() => undefined);
      await new Promise(setImmediate);
      its.settle();
      await waiting;
    };
    await connect(broker, store, true);
    const [session] = broker.broker.sessions.values();
    session?.connection?.close('administrative');
    store.settle();
    const waiting = broker.connect(5, { ...KEPT, clientId: 'c', cleanStart: true }).catch(() => undefined);
    await new Promise(setImmediate);
    store.reject();
    await waiting;
    store.settle();
    const next = store.crash(0);
    const after = await open(next);
    expect([after.broker.sessions.size, after.broker.counters.offlineSessions]).toEqual([1, 1]);
    next.settle();
    expect(next.durable().filter(({ kind }) => kind === 'session')).toHaveLength(1);
  });
});
