import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { slotOf } from '../bus/slot.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { connectOf, openTestBroker, settled, subscribeOf, TestClient, type TestBroker } from './broker.fixture.ts';

describe('two brokers on one bus', () => {
  let sides: { buses: LocalBus[]; brokers: [TestBroker, TestBroker]; control: ReturnType<typeof newLocalBus>['control'] };

  beforeEach(() => {
    const { seats, control } = newLocalBus(2);
    const buses = seats.map((seat) => new LocalBus(seat));
    const [a, b] = buses.map((bus) => openTestBroker({ bus }));
    if (a === undefined || b === undefined) throw new Error('two seats');
    sides = { buses, brokers: [a, b], control };
  });
  afterEach(async () => {
    for (const bus of sides.buses) await bus[Symbol.asyncDispose]();
    sides.control[Symbol.dispose]();
  });

  async function crossed(): Promise<void> {
    for (let i = 0; i < 5; i++) await settled();
  }

  it('deliver across, as the subscription there asks for it, and once', async () => {
    const [a, b] = sides.brokers;
    const here = await a.connect(5, { clientId: 'here' });
    const there = await b.connect(5, { clientId: 'there' });
    here.send(subscribeOf('x/#', 1));
    there.send(subscribeOf('x/+', 2, { retainAsPublished: true }, 7));
    await crossed();
    await here.take();
    await there.take();
    const publisher = await a.connect(5, { clientId: 'p' });
    publisher.publish('x/y', 'one', { qos: 2, packetId: 1, properties: { contentType: 'c', userProperties: [['k', 'v']] } });
    publisher.publish('x/y', 'two', { qos: 0 });
    await crossed();
    expect(await here.take()).toMatchObject([
      { text: 'one', qos: 1 },
      { text: 'two', qos: 0 },
    ]);
    expect(await there.take()).toMatchObject([
      { text: 'one', qos: 2, properties: { contentType: 'c', userProperties: [['k', 'v']], subscriptionIdentifiers: [7] } },
      { text: 'two', qos: 0 },
    ]);
  });

  it('send a SUBACK only once the other knows of the subscription', async () => {
    const [a] = sides.brokers;
    const here = await a.connect(5, { clientId: 'here' });
    const [bus] = sides.buses;
    if (bus === undefined) throw new Error('two seats');
    const known = Promise.withResolvers<void>();
    bus.settled = async () => await known.promise;
    here.send(subscribeOf('x/#', 1));
    await crossed();
    expect(await here.take()).toEqual([]);
    known.resolve();
    expect(await here.take()).toMatchObject([{ type: 'suback', reasonCodes: [1] }]);
  });

  it('send nothing that nobody wants there', async () => {
    const [a, b] = sides.brokers;
    const there = await b.connect(4, { clientId: 'there' });
    const second = await b.connect(4, { clientId: 'second' });
    const publisher = await a.connect(5, { clientId: 'p' });
    const code = async (): Promise<unknown> => {
      await crossed();
      publisher.publish('x', 'm', { qos: 1, packetId: 1 });
      return (await publisher.take())[0];
    };
    // 0x10 says that nobody subscribes, here or there.
    expect(await code()).toMatchObject({ reasonCode: 0x10 });
    there.send(subscribeOf('x'));
    second.send(subscribeOf('x'));
    expect(await code()).toMatchObject({ reasonCode: 0 });
    there.send({ type: 'unsubscribe', packetId: 1, filters: ['x'] });
    expect(await code()).toMatchObject({ reasonCode: 0 });
    second.transport.destroy();
    expect(await code()).toMatchObject({ reasonCode: 0x10 });
  });

  it('both keep every retained message', async () => {
    const [a, b] = sides.brokers;
    const publisher = await a.connect(5, { clientId: 'p' });
    publisher.publish('r/1', 'one', { retain: true });
    publisher.publish('r/2', 'two', { retain: true });
    publisher.publish('r/2', '', { retain: true });
    await crossed();
    const client = await b.connect(5);
    client.send(subscribeOf('r/#'));
    await crossed();
    expect(await client.texts()).toEqual(['one']);
    expect([a.broker.retained.count, b.broker.retained.count]).toEqual([1, 1]);
  });

  it('both have what one restores, however much that is', async () => {
    const topics = Array.from({ length: 500 }, (_, n) => `r/${n}`).filter((topic) => slotOf(topic) % 2 === 0);
    const store = new MemorySessionStore();
    const before = openTestBroker({ store });
    await before.broker.restore();
    const publisher = await before.connect(5, { clientId: 'p' });
    for (const topic of topics) publisher.publish(topic, 'x'.repeat(100), { retain: true });
    await crossed();
    const { seats, control } = newLocalBus(2);
    // Far less than what is to be told fits in between.
    const buses = seats.map((seat) => new LocalBus(seat, { highBytes: 2_000, maxBytes: 4_000 }));
    const [a, b] = buses.map((bus) => openTestBroker({ bus, store: store.reopen() }));
    await a?.broker.restore();
    expect([a?.broker.retained.count, b?.broker.retained.count]).toEqual([topics.length, topics.length]);
    expect(a?.broker.counters.dropped['bus-full']).toBe(0);
    for (const bus of buses) await bus[Symbol.asyncDispose]();
    control[Symbol.dispose]();
  });

  it('have one session for a client id between them: the later one', async () => {
    const [a, b] = sides.brokers;
    const watcher = await b.connect(5, { clientId: 'w' });
    watcher.send(subscribeOf('will'));
    await crossed();
    await watcher.take();
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0, retain: false, properties: {} } as const;
    const first = await a.connect(5, { clientId: 'same', will });
    const second = await b.connect(5, { clientId: 'same' });
    await crossed();
    expect(await first.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8e }]);
    expect(await watcher.texts()).toEqual(['gone']);
    expect(second.transport.ended).toBe(false);
    const third = await a.connect(5, { clientId: 'same' });
    await crossed();
    expect(await second.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8e }]);
    expect(third.transport.ended).toBe(false);
  });

  it('keep the later one also where the news of the earlier one comes after it', async () => {
    const [a, b] = sides.brokers;
    // In one turn: neither has heard of the other's when it opens its own.
    const clients = [new TestClient(a.broker, 5), new TestClient(b.broker, 5)] as const;
    for (const client of clients) client.send(connectOf(5, { clientId: 'same' }));
    await crossed();
    expect(clients.map(({ transport }) => transport.ended)).toEqual([true, false]);
    expect([a.broker.counters.sessions, b.broker.counters.sessions]).toEqual([0, 1]);
  });

  it('let in a client that begins anew only once the other has ended what it had', async () => {
    const [a] = sides.brokers;
    const [bus] = sides.buses;
    if (bus === undefined) throw new Error('two seats');
    const known = Promise.withResolvers<void>();
    bus.settled = async () => await known.promise;
    const client = new TestClient(a.broker, 5);
    client.send(connectOf(5, { clientId: 'same' }));
    await crossed();
    expect(await client.take()).toEqual([]);
    known.resolve();
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0 }]);
  });

  it('both close what a principal has open when main says so', async () => {
    const [a, b] = sides.brokers;
    const clients = [await a.connect(5, { clientId: '1', username: 'd' }), await b.connect(5, { clientId: '2', username: 'd' })];
    sides.control.disconnectPrincipal('d');
    await crossed();
    for (const client of clients) expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x98 }]);
  });

  it('take nothing more when the other is gone: what is for its sessions could not be promised', async () => {
    const [a, b] = sides.brokers;
    const there = await b.connect(4, { clientId: 'there' });
    there.send(subscribeOf('x'));
    await crossed();
    const publisher = await a.connect(5, { clientId: 'p' });
    publisher.publish('x', 'm', { qos: 1, packetId: 1 });
    await crossed();
    expect(await publisher.take()).toMatchObject([{ type: 'puback', reasonCode: 0 }]);
    await sides.buses[1]?.[Symbol.asyncDispose]();
    await crossed();
    publisher.publish('x', 'm', { qos: 1, packetId: 2 });
    await crossed();
    expect(await publisher.take()).toEqual([]);
    expect(publisher.transport.paused).toBe(true);
  });
});
