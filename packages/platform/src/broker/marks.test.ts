import { afterEach, describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { slotOf } from '../bus/slot.ts';
import { SelsynError } from '../kernel/errors.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { StoreChange } from '../session-store/session-store.ts';
import { openTestBroker, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';

const KEPT = { cleanStart: false, properties: { sessionExpirySec: 1_000 } };
const GROUP = '$share/g/t';

/** A client id whose home is this thread of two. */
function idOf(name: string, thread: number): string {
  for (let i = 0; ; i++) if (slotOf(`${name}${i}`) % 2 === thread) return `${name}${i}`;
}

const PUBLISHER = idOf('pub', 0);
const SUBSCRIBERS = [idOf('sub', 0), idOf('sub', 1)] as const;
const MEMBERS = [idOf('member', 0), idOf('member', 1)] as const;

/** Two threads with a store each, which may crash together. */
class Pair {
  stores: [MemorySessionStore, MemorySessionStore] = [new MemorySessionStore(), new MemorySessionStore()];
  brokers!: [TestBroker, TestBroker];
  #close: (() => Promise<void>) | undefined;

  static async open(): Promise<Pair> {
    const pair = new Pair();
    await pair.#open();
    for (const thread of [0, 1] as const) {
      await pair.subscribe(thread, SUBSCRIBERS[thread], 't');
      await pair.subscribe(thread, MEMBERS[thread], GROUP);
    }
    return pair;
  }

  async subscribe(thread: 0 | 1, clientId: string, filter: string): Promise<void> {
    const client = await this.brokers[thread].connect(5, { ...KEPT, clientId });
    client.send(subscribeOf(filter, 2));
    await crossed();
    client.transport.destroy();
    await crossed();
  }

  async publisher(version: 4 | 5 = 5): Promise<TestClient> {
    return await this.brokers[0].connect(version, { ...KEPT, clientId: PUBLISHER });
  }

  hold(): void {
    for (const store of this.stores) store.hold();
  }

  letGo(): void {
    for (const store of this.stores) store.letGo();
  }

  /** Lets the stores of these threads settle what is written, one after the other. */
  async steps(threads: string): Promise<void> {
    for (const thread of threads) {
      const store = this.stores[Number(thread)]!;
      store.letGo();
      await crossed();
      store.hold();
    }
  }

  /** @param held the thread whose store settles nothing from the start */
  async crash(held?: 0 | 1): Promise<void> {
    this.stores = [this.stores[0].reopen(), this.stores[1].reopen()];
    await this.close();
    if (held !== undefined) this.stores[held].hold();
    await this.#open();
  }

  /** What each subscriber, and the group as a whole, has been kept since it was asked last. */
  async heard(): Promise<{ readonly first: string[]; readonly second: string[]; readonly group: string[] }> {
    await crossed();
    const [first, second] = [await this.#texts(0, SUBSCRIBERS[0]), await this.#texts(1, SUBSCRIBERS[1])];
    return { first, second, group: [...(await this.#texts(0, MEMBERS[0])), ...(await this.#texts(1, MEMBERS[1]))] };
  }

  marks(): StoreChange[] {
    return this.stores.flatMap((store) => store.durable().filter(({ kind }) => kind === 'marked'));
  }

  async close(): Promise<void> {
    await this.#close?.();
  }

  async #open(): Promise<void> {
    const { seats, control } = newLocalBus(2);
    const buses = seats.map((seat) => new LocalBus(seat));
    const brokers = buses.map((bus, i) => openTestBroker({ bus, store: this.stores[i]! }));
    this.brokers = [brokers[0]!, brokers[1]!];
    this.#close = async () => {
      for (const bus of buses) await bus[Symbol.asyncDispose]();
      control[Symbol.dispose]();
    };
    await Promise.all(brokers.map(async ({ broker }) => await broker.restore()));
    await crossed();
  }

  async #texts(thread: 0 | 1, clientId: string): Promise<string[]> {
    const client = await this.brokers[thread].connect(5, { ...KEPT, clientId });
    const texts: string[] = [];
    for (const packet of await client.take()) {
      if (packet.type !== 'publish') continue;
      texts.push(packet.text);
      client.send({ type: 'pubrec', packetId: packet.packetId, reasonCode: 0 });
      await crossed();
      client.send({ type: 'pubcomp', packetId: packet.packetId, reasonCode: 0 });
    }
    await crossed();
    client.transport.destroy();
    await crossed();
    return texts;
  }
}

async function crossed(): Promise<void> {
  for (let i = 0; i < 6; i++) await settled();
}

/** In which order, and how far, the two threads get something to their disks before the crash. */
const ORDERS = ['', '0', '1', '01', '10', '010', '101', '0101', '1010', '01010', '10101'];
const ONCE = { first: ['x'], second: ['x'], group: ['x'] };

let pair: Pair;

afterEach(async () => await pair.close());

/** The publisher has what it was told, and goes on from there as a client does. */
async function finish(publisher: TestClient, answers: readonly string[], text: string): Promise<void> {
  if (answers.includes('pubcomp')) return;
  if (!answers.includes('pubrec')) {
    publisher.publish('t', text, { qos: 2, packetId: 9, dup: true });
    await crossed();
    expect(await publisher.take()).toEqual([{ type: 'pubrec', packetId: 9, reasonCode: 0 }]);
  }
  publisher.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
  await crossed();
  expect(await publisher.take()).toMatchObject([{ type: 'pubcomp', packetId: 9 }]);
}

async function typesOf(client: TestClient): Promise<string[]> {
  return (await client.take()).map(({ type }) => type);
}

describe('a QoS 2 message of a persistent session, to two threads', () => {
  for (const order of ORDERS) {
    it(`comes to all once, where both crash when they had stored as much as ${order || 'nothing'} before PUBREC`, async () => {
      pair = await Pair.open();
      const before = await pair.publisher();
      pair.hold();
      before.publish('t', 'x', { qos: 2, packetId: 9 });
      await crossed();
      await pair.steps(order);
      const answers = await typesOf(before);
      await pair.crash();
      const after = await pair.publisher();
      await finish(after, answers, 'x');
      expect(await pair.heard()).toEqual(ONCE);
      expect(pair.marks()).toEqual([]);
    });

    it(`leaves its packet id free, where both crash when they had stored as much as ${order || 'nothing'} after PUBREL`, async () => {
      pair = await Pair.open();
      const before = await pair.publisher();
      before.publish('t', 'x', { qos: 2, packetId: 9 });
      await crossed();
      const answers = await typesOf(before);
      pair.hold();
      before.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
      await crossed();
      await pair.steps(order);
      answers.push(...(await typesOf(before)));
      await pair.crash();
      const after = await pair.publisher();
      await finish(after, answers, 'x');
      expect(await pair.heard()).toEqual(ONCE);
      // Its first sending was lost on its way: it must not be taken for the one before.
      after.publish('t', 'y', { qos: 2, packetId: 9, dup: true });
      await crossed();
      expect(await pair.heard()).toEqual({ first: ['y'], second: ['y'], group: ['y'] });
    });
  }

  it('is not sent PUBCOMP before all have forgotten it', async () => {
    pair = await Pair.open();
    const publisher = await pair.publisher();
    publisher.publish('t', 'x', { qos: 2, packetId: 9 });
    await crossed();
    await publisher.take();
    expect(pair.marks().length).toBeGreaterThan(2);
    pair.stores[1].hold();
    publisher.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await crossed();
    expect(await publisher.take()).toEqual([]);
    pair.stores[1].letGo();
    await crossed();
    expect(await publisher.take()).toMatchObject([{ type: 'pubcomp' }]);
    expect(pair.marks()).toEqual([]);
  });

  it('gets PUBCOMP on the connection that asks again', async () => {
    pair = await Pair.open();
    const first = await pair.publisher();
    first.publish('t', 'x', { qos: 2, packetId: 9 });
    await crossed();
    pair.stores[1].hold();
    first.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await crossed();
    first.transport.destroy();
    const second = await pair.publisher();
    second.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await crossed();
    expect(await second.take()).toEqual([]);
    pair.stores[1].letGo();
    await crossed();
    expect(await second.take()).toMatchObject([{ type: 'pubcomp', packetId: 9 }]);
  });

  it('that a thread could not store comes to the others once, though a 3.1.1 client sends it again', async () => {
    pair = await Pair.open();
    const before = await pair.publisher(4);
    pair.stores[1].rejectWith(new SelsynError('log.full', 'the test says so'));
    before.publish('t', 'x', { qos: 2, packetId: 9 });
    await crossed();
    expect(await before.take()).toEqual([]);
    expect(before.transport.ended).toBe(true);
    pair.stores[1].rejectWith(undefined);
    await crossed();
    await finish(await pair.publisher(4), [], 'x');
    expect(await pair.heard()).toEqual(ONCE);
  });

  it('that a thread could not store is forgotten by the others before a 5.0 client is told so', async () => {
    pair = await Pair.open();
    const publisher = await pair.publisher();
    pair.stores[1].rejectWith(new SelsynError('log.full', 'the test says so'));
    publisher.publish('t', 'x', { qos: 2, packetId: 9 });
    await crossed();
    expect(await publisher.take()).toMatchObject([{ type: 'pubrec', packetId: 9, reasonCode: 0x97 }]);
    pair.stores[1].rejectWith(undefined);
    await crossed();
    expect(pair.marks()).toEqual([]);
    publisher.publish('t', 'y', { qos: 2, packetId: 9, dup: true });
    await crossed();
    expect((await pair.heard()).second).toEqual(['y']);
  });
});

describe('the mark of a QoS 2 message', () => {
  /** One thread has stored the message, its publisher's own has not. */
  async function halfStored(): Promise<TestClient> {
    pair = await Pair.open();
    const publisher = await pair.publisher();
    pair.hold();
    publisher.publish('t', 'x', { qos: 2, packetId: 9 });
    await crossed();
    await pair.steps('1');
    await pair.crash();
    expect(pair.marks().length).toBeGreaterThan(0);
    return await pair.publisher();
  }

  it('is not that of another message, which is not marked as sent again', async () => {
    const publisher = await halfStored();
    publisher.publish('t', 'y', { qos: 2, packetId: 9 });
    await crossed();
    expect((await pair.heard()).second).toEqual(['x', 'y']);
  });

  it('is not that of another message, which a thread could not store and its client sends again', async () => {
    const publisher = await halfStored();
    publisher.transport.destroy();
    const before = await pair.publisher(4);
    pair.stores[1].rejectWith(new SelsynError('log.full', 'the test says so'));
    before.publish('t', 'y', { qos: 2, packetId: 9 });
    await crossed();
    expect(before.transport.ended).toBe(true);
    pair.stores[1].rejectWith(undefined);
    await crossed();
    await finish(await pair.publisher(4), [], 'y');
    const { second, group } = await pair.heard();
    expect([second, group.includes('y')]).toEqual([['x', 'y'], true]);
  });

  it('goes with the session of its publisher, and is not met by the next one', async () => {
    const publisher = await halfStored();
    publisher.transport.destroy();
    const next = await pair.brokers[0].connect(5, { ...KEPT, cleanStart: true, clientId: PUBLISHER });
    next.publish('t', 'y', { qos: 2, packetId: 9, dup: true });
    await crossed();
    expect((await pair.heard()).second).toEqual(['x', 'y']);
    next.send({ type: 'pubrel', packetId: 9, reasonCode: 0 });
    await crossed();
    expect(pair.marks()).toEqual([]);
  });

  it('is not met by the next session of its publisher after a crash before it was forgotten', async () => {
    const publisher = await halfStored();
    publisher.transport.destroy();
    pair.stores[1].hold();
    const next = await pair.brokers[0].connect(5, { ...KEPT, cleanStart: true, clientId: PUBLISHER });
    expect(next.connack?.sessionPresent).toBe(false);
    await pair.crash();
    await finish(await pair.publisher(), [], 'y');
    expect((await pair.heard()).second).toEqual(['x', 'y']);
    expect(pair.marks()).toEqual([]);
  });

  it('keeps its number from the sessions that begin while it is there', async () => {
    const publisher = await halfStored();
    pair.stores[1].hold();
    publisher.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 0 });
    await crossed();
    await pair.crash(1);
    await pair.publisher();
    expect(pair.marks().length).toBeGreaterThan(0);
    await pair.crash();
    await finish(await pair.publisher(), [], 'y');
    expect((await pair.heard()).second).toEqual(['x', 'y']);
  });

  it('goes at a restart where the session of its publisher has gone', async () => {
    const publisher = await halfStored();
    pair.stores[1].hold();
    publisher.send({ type: 'disconnect', reasonCode: 0, sessionExpirySec: 0 });
    await crossed();
    await pair.crash();
    await crossed();
    expect(pair.marks()).toEqual([]);
  });

  it('outlives a snapshot', async () => {
    await halfStored();
    // What is rejected makes the store ask for all anew.
    pair.stores[1].rejectWith(new SelsynError('log.full', 'the test says so'));
    const other = await pair.brokers[1].connect(5, { ...KEPT, clientId: idOf('other', 1) }).catch(() => undefined);
    expect(other).toBeUndefined();
    const before = pair.marks();
    pair.stores[1].rejectWith(undefined);
    await crossed();
    expect(pair.marks()).toEqual(before);
    expect(before.length).toBeGreaterThan(0);
  });

  it('keeps no message from a client without a session that lasts', async () => {
    const publisher = await halfStored();
    const plain = await pair.brokers[1].connect(5, { clientId: 'plain' });
    plain.send(subscribeOf('t', 2));
    await crossed();
    await plain.take();
    publisher.publish('t', 'x', { qos: 2, packetId: 9, dup: true });
    await crossed();
    expect(await plain.texts()).toEqual(['x']);
    expect(await pair.heard()).toEqual(ONCE);
  });

  it('is not made for a publisher whose session ends with its connection, nor at QoS 1', async () => {
    pair = await Pair.open();
    const plain = await pair.brokers[0].connect(5, { clientId: 'plain' });
    plain.publish('t', 'x', { qos: 2, packetId: 9 });
    const kept = await pair.publisher();
    kept.publish('t', 'y', { qos: 1, packetId: 9 });
    await crossed();
    expect(pair.marks()).toEqual([]);
  });
});
