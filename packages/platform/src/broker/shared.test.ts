import { describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openTestBroker, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';

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

  it.each(['sticky', 'hash-topic', 'hash-client', 'least-in-flight'] as const)('chooses by %s', async (sharedStrategy) => {
    const broker = openTestBroker({ limits: { sharedStrategy } });
    const members = [await member(broker, 'a'), await member(broker, 'b'), await member(broker, 'c')];
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 0; i < 9; i++) publisher.publish('t/same', `m${i}`, { qos: 1, packetId: i + 1 });
    const counts = (await Promise.all(members.map(async (client) => await client.texts()))).map((texts) => texts.length);
    expect(counts.toSorted((a, b) => a - b)).toEqual(sharedStrategy === 'least-in-flight' ? [3, 3, 3] : [0, 0, 9]);
  });
});
