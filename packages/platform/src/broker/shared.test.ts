import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { Authorizer } from './authorizer.ts';
import {
  openTestBroker,
  PERMISSIVE,
  publishOf,
  settled,
  subscribeOf,
  type TestBroker,
  type TestClient,
} from './broker.fixture.ts';

const FILTER = '$share/g/t/+';

async function member({ connect }: TestBroker, clientId: string, qos: 0 | 1 | 2 = 1, persistent = false): Promise<TestClient> {
  const client = await connect(5, {
    clientId,
    cleanStart: !persistent,
    properties: persistent ? { sessionExpirySec: 1_000 } : {},
  });
  if (client.connack?.sessionPresent === true) return client;
  client.send(subscribeOf(FILTER, qos));
  for (let i = 0; i < 5; i++) await settled();
  await client.take();
  return client;
}

async function publish(client: TestClient, texts: readonly string[], qos: 1 | 2 = 1): Promise<void> {
  for (const [i, text] of texts.entries()) client.publish(`t/${i}`, text, { qos, packetId: i + 1 });
  for (let i = 0; i < 5; i++) await settled();
}

const TEXTS = Array.from({ length: 12 }, (_, i) => `m${i}`);

describe('a shared subscription', () => {
  it('gives each message to one member, in turn, in both versions', async () => {
    const broker = openTestBroker();
    const members = [await member(broker, 'a'), await member(broker, 'b'), await member(broker, 'c')];
    await publish(await broker.connect(4, { clientId: 'p' }), TEXTS);
    const got = await Promise.all(members.map(async (client) => await client.texts()));
    expect(got.map((texts) => texts.length)).toEqual([4, 4, 4]);
    expect(got.flat().toSorted()).toEqual(TEXTS.toSorted());
  });

  it('gets no retained messages', async () => {
    const broker = openTestBroker();
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('t/1', 'kept', { retain: true });
    const client = await broker.connect(5, { clientId: 'a' });
    client.send(subscribeOf(FILTER, 1));
    expect(await client.texts()).toEqual([]);
  });

  it('sends what a member left unacknowledged to another, once', async () => {
    const broker = openTestBroker();
    const [a, b] = [await member(broker, 'a'), await member(broker, 'b')];
    const publisher = await broker.connect(5, { clientId: 'p' });
    await publish(publisher, TEXTS);
    const [first] = (await a.take()).filter((packet) => packet.type === 'publish');
    if (first?.type !== 'publish') throw new Error('nothing came');
    a.send({ type: 'puback', packetId: first.packetId, reasonCode: 0 });
    await a.take();
    a.transport.destroy();
    await settled();
    expect((await b.texts()).toSorted()).toEqual(TEXTS.filter((text) => text !== first.text).toSorted());
  });

  it('leaves to a persistent member that is away nothing that another can have, and gives it what nobody else can', async () => {
    const store = new MemorySessionStore();
    const broker = openTestBroker({ store });
    await broker.broker.restore();
    const a = await member(broker, 'a', 1, true);
    const b = await member(broker, 'b', 1);
    const publisher = await broker.connect(5, { clientId: 'p' });
    await publish(publisher, ['one', 'two']);
    await a.take();
    a.transport.destroy();
    await settled();
    expect((await b.texts()).toSorted()).toEqual(['one', 'two']);
    await publish(publisher, ['three']);
    expect(await b.texts()).toEqual(['three']);
    b.transport.destroy();
    await settled();
    await publish(publisher, ['four']);
    const after = openTestBroker({ store: store.reopen() });
    await after.broker.restore();
    expect(await (await member(after, 'a', 1, true)).texts()).toContain('four');
  });

  it('moves a QoS 2 message that was never sent to a member of the same thread, and after a crash only that one has it', async () => {
    const store = new MemorySessionStore();
    const broker = openTestBroker({ store });
    await broker.broker.restore();
    const a = await member(broker, 'a', 2, true);
    a.transport.congested = true;
    a.transport.backlogBytes = 1e9;
    const publisher = await broker.connect(5, { clientId: 'p' });
    await publish(publisher, ['one', 'two'], 2);
    const b = await member(broker, 'b', 2, true);
    a.transport.destroy();
    expect((await b.texts()).toSorted()).toEqual(['one', 'two']);
    const after = openTestBroker({ store: store.reopen() });
    await after.broker.restore();
    expect(await (await member(after, 'a', 2, true)).texts()).toEqual([]);
    expect((await (await member(after, 'b', 2, true)).texts()).toSorted()).toEqual(['one', 'two']);
  });

  it('spans threads, and goes on when the members of one have gone', async () => {
    const { seats, control } = newLocalBus(2);
    const buses = seats.map((seat) => new LocalBus(seat));
    const [one, two] = buses.map((bus) => openTestBroker({ bus })) as [TestBroker, TestBroker];
    const [a, b] = [await member(one, 'a'), await member(two, 'b')];
    const publisher = await one.connect(5, { clientId: 'p' });
    await publish(publisher, TEXTS);
    const got = [await a.texts(), await b.texts()];
    expect(got.map((texts) => texts.length)).toEqual([6, 6]);
    expect(got.flat().toSorted()).toEqual(TEXTS.toSorted());
    expect((await publisher.take()).every((packet) => packet.type === 'puback' && packet.reasonCode === 0)).toBe(true);
    a.transport.destroy();
    await publish(publisher, TEXTS);
    expect((await b.texts()).filter((text) => TEXTS.includes(text)).length).toBeGreaterThanOrEqual(12);
    for (const bus of buses) await bus[Symbol.asyncDispose]();
    control[Symbol.dispose]();
  });

  it('takes from a member that reads too slowly what it had and gives it to another, all of it', async () => {
    const broker = openTestBroker({ limits: { maxQueuedMessages: 2 } });
    const slow = await broker.connect(5, { clientId: 'slow', properties: { receiveMaximum: 1 } });
    slow.send(subscribeOf(FILTER, 1));
    const other = await member(broker, 'other');
    const publisher = await broker.connect(5, { clientId: 'p' });
    // All in one turn: the connection of the slow one is closed at its end.
    publisher.send(...TEXTS.map((text, i) => publishOf(`t/${i}`, text, { qos: 1, packetId: i + 1 })));
    expect(new Set(await other.texts())).toEqual(new Set(TEXTS));
    expect(slow.transport.ended).toBe(true);
  });

  it('does not refuse a publisher because no member may see the topic', async () => {
    const blind: Authorizer = {
      authenticate: async (request) => {
        const principal = await PERMISSIVE.authenticate(request);
        return 'refused' in principal ? principal : { ...principal, mayReceive: (topic) => topic !== 't/0' };
      },
    };
    const broker = openTestBroker({ authorizer: blind });
    const a = await member(broker, 'a');
    const publisher = await broker.connect(5, { clientId: 'p' });
    await publish(publisher, ['unseen', 'seen']);
    expect(await publisher.take()).toMatchObject([
      { type: 'puback', packetId: 1 },
      { type: 'puback', packetId: 2, reasonCode: 0 },
    ]);
    expect(await a.texts()).toEqual(['seen']);
  });

  it.each(['sticky', 'hash-topic', 'hash-client', 'least-in-flight'] as const)('chooses by %s', async (sharedStrategy) => {
    const broker = openTestBroker({ limits: { sharedStrategy } });
    const members = [await member(broker, 'a'), await member(broker, 'b'), await member(broker, 'c')];
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 0; i < 9; i++) publisher.publish('t/same', `m${i}`, { qos: 1, packetId: i + 1 });
    const counts = (await Promise.all(members.map(async (client) => await client.texts()))).map((texts) => texts.length);
    expect(counts.toSorted((a, b) => a - b)).toEqual(sharedStrategy === 'least-in-flight' ? [3, 3, 3] : [0, 0, 9]);
  });
});

describe('a shared subscription of two threads whose members keep what they miss', () => {
  let threads: { buses: LocalBus[]; brokers: [TestBroker, TestBroker]; control: ReturnType<typeof newLocalBus>['control'] };

  beforeEach(async () => {
    const { seats, control } = newLocalBus(2);
    const buses = seats.map((seat) => new LocalBus(seat));
    const limits = { maxQueuedMessages: 4 };
    const [one, two] = buses.map((bus) => openTestBroker({ bus, limits, store: new MemorySessionStore() }));
    if (one === undefined || two === undefined) throw new Error('two seats');
    await Promise.all([one.broker.restore(), two.broker.restore()]);
    threads = { buses, brokers: [one, two], control };
  });
  afterEach(async () => {
    for (const bus of threads.buses) await bus[Symbol.asyncDispose]();
    threads.control[Symbol.dispose]();
  });

  /** The reason codes of PUBACK, in order. */
  async function codes(publisher: TestClient): Promise<(number | undefined)[]> {
    for (let i = 0; i < 10; i++) await settled();
    return (await publisher.take()).map((packet) => (packet.type === 'puback' ? packet.reasonCode : undefined));
  }

  it('fills all of them, wherever the message came in, and then says so', async () => {
    const [one, two] = threads.brokers;
    for (const [broker, id] of [
      [one, 'a'],
      [two, 'b'],
      [two, 'c'],
    ] as const)
      (await member(broker, id, 1, true)).transport.destroy();
    const publisher = await one.connect(5, { clientId: 'p' });
    await publish(publisher, [...TEXTS, 'too much', 'too much']);
    expect(await codes(publisher)).toEqual([...TEXTS.map(() => 0), 0x97, 0x97]);
    const returned = [await member(one, 'a', 1, true), await member(two, 'b', 1, true), await member(two, 'c', 1, true)];
    const heard = await Promise.all(returned.map(async (client) => await client.texts()));
    expect(heard.flat().toSorted()).toEqual(TEXTS.toSorted());
  });

  it('keeps for a member that has gone what the others have no room for', async () => {
    const [one, two] = threads.brokers;
    const a = await member(one, 'a', 1, true);
    const publisher = await one.connect(5, { clientId: 'p' });
    await publish(publisher, TEXTS.slice(0, 4));
    await codes(publisher);
    // The other one is there, but has no room: what `a` has not acknowledged stays its own.
    const b = await two.connect(5, {
      clientId: 'b',
      cleanStart: false,
      properties: { sessionExpirySec: 100, receiveMaximum: 1 },
    });
    b.send(subscribeOf('own/#', 1));
    await settled();
    for (let i = 0; i < 5; i++) publisher.publish(`own/${i}`, `own ${i}`, { qos: 1, packetId: 20 + i });
    await codes(publisher);
    b.send(subscribeOf(FILTER, 1));
    for (let i = 0; i < 5; i++) await settled();
    a.transport.destroy();
    for (let i = 0; i < 10; i++) await settled();
    expect((await (await member(one, 'a', 1, true)).texts()).toSorted()).toEqual(TEXTS.slice(0, 4).toSorted());
  });

  it('gives to another thread what a member that has gone left, and that member does not get it too', async () => {
    const [one, two] = threads.brokers;
    const a = await member(one, 'a', 1, true);
    const publisher = await one.connect(5, { clientId: 'p' });
    await publish(publisher, TEXTS.slice(0, 4));
    await codes(publisher);
    const b = await member(two, 'b', 1, true);
    a.transport.destroy();
    for (let i = 0; i < 10; i++) await settled();
    expect((await b.texts()).toSorted()).toEqual(TEXTS.slice(0, 4).toSorted());
    expect(await (await member(one, 'a', 1, true)).texts()).toEqual([]);
  });

  it('keeps for a member that has unsubscribed and gone what another thread has nobody for any more', async () => {
    const [one, two] = threads.brokers;
    const a = await member(one, 'a', 1, true);
    const publisher = await one.connect(5, { clientId: 'p' });
    await publish(publisher, TEXTS.slice(0, 4));
    await codes(publisher);
    const b = await member(two, 'b');
    a.send({ type: 'unsubscribe', packetId: 9, filters: [FILTER] });
    for (let i = 0; i < 10; i++) await settled();
    // What was sent to it is still its own [MQTT-3.10.4-3], and the first thread does not know yet that `b` has gone too.
    b.transport.destroy();
    a.transport.destroy();
    for (let i = 0; i < 10; i++) await settled();
    const again = await one.connect(5, { clientId: 'a', cleanStart: false, properties: { sessionExpirySec: 1_000 } });
    expect((await again.texts()).toSorted()).toEqual(TEXTS.slice(0, 4).toSorted());
  });

  it('gives a message that came in pieces to whom it comes at last as it was published', async () => {
    const [one, two] = threads.brokers;
    // The member there is full and is asked first, so that the one here is found when the next packet has come.
    const there = await two.connect(5, {
      clientId: 'b',
      cleanStart: false,
      properties: { sessionExpirySec: 100, receiveMaximum: 1 },
    });
    there.send(subscribeOf('own/#', 1), subscribeOf(FILTER, 1));
    for (let i = 0; i < 5; i++) await settled();
    const publisher = await one.connect(5, { clientId: 'p' });
    for (let i = 0; i < 5; i++) publisher.publish(`own/${i}`, `own ${i}`, { qos: 1, packetId: 20 + i });
    await codes(publisher);
    const here = await one.connect(4, { clientId: 'a' });
    here.send(subscribeOf(FILTER, 1));
    for (let i = 0; i < 5; i++) await settled();
    await here.take();
    const texts = ['first', 'other', 'third', 'forth'];
    for (const [i, text] of texts.entries()) {
      const bytes = encodePacket(publishOf('t/1', text, { qos: 1, packetId: i + 1 }), 5);
      publisher.sendBytes(bytes.subarray(0, 4));
      publisher.sendBytes(bytes.subarray(4));
    }
    expect(await codes(publisher)).toEqual([0, 0, 0, 0]);
    expect((await here.texts()).toSorted()).toEqual(texts.toSorted());
  });

  it('leaves a QoS 2 message in its thread while its session lasts, for a crash would leave it with both', async () => {
    const [one, two] = threads.brokers;
    const a = await member(one, 'a', 2, true);
    const publisher = await one.connect(5, { clientId: 'p' });
    // None was ever sent.
    a.transport.congested = true;
    a.transport.backlogBytes = 1e9;
    await publish(publisher, TEXTS.slice(0, 4), 2);
    const b = await member(two, 'b', 2, true);
    a.transport.destroy();
    for (let i = 0; i < 10; i++) await settled();
    expect(await b.texts()).toEqual([]);
    expect((await (await member(one, 'a', 2, true)).texts()).toSorted()).toEqual(TEXTS.slice(0, 4).toSorted());
  });
});
