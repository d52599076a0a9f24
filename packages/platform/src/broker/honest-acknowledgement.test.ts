import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocalBus, newLocalBus } from '../bus/drivers/local/local-bus.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import { openTestBroker, settled, subscribeOf, type TestBroker, type TestClient } from './broker.fixture.ts';

/** Two threads: the publishers are in the first, the session that is to have their messages in the second. */
describe('an acknowledgement waits for another thread', () => {
  let buses: readonly LocalBus[] = [];
  let endBus = (): void => {};
  let publishing: TestBroker;
  let keeping: TestBroker;
  let store: MemorySessionStore;

  beforeEach(async () => {
    const { seats, control } = newLocalBus(2);
    buses = seats.map((seat) => new LocalBus(seat));
    endBus = () => control[Symbol.dispose]();
    store = new MemorySessionStore();
    const [first, second] = buses;
    publishing = openTestBroker({ bus: first, store: new MemorySessionStore() });
    keeping = openTestBroker({ bus: second, store, limits: { maxQueuedMessages: 2 } });
    await Promise.all([publishing.broker.restore(), keeping.broker.restore()]);
    const away = await keeping.connect(5, { clientId: 'away', cleanStart: false, properties: { sessionExpirySec: 1_000 } });
    away.send(subscribeOf('t', 2));
    await turns();
    away.transport.destroy();
    await turns();
  });
  afterEach(async () => {
    for (const bus of buses) await bus[Symbol.asyncDispose]();
    endBus();
  });

  async function turns(): Promise<void> {
    for (let i = 0; i < 6; i++) await settled();
  }

  async function answersOf(client: TestClient): Promise<number[]> {
    await turns();
    return (await client.take()).flatMap((packet) => ('reasonCode' in packet ? [packet.reasonCode] : []));
  }

  it.each([1, 2] as const)('until its store has the message: QoS %i', async (qos) => {
    const publisher = await publishing.connect(5, { clientId: 'p' });
    store.hold();
    publisher.publish('t', 'x', { qos, packetId: 1 });
    expect(await answersOf(publisher)).toEqual([]);
    store.letGo();
    expect(await answersOf(publisher)).toEqual([0]);
  });

  it('and says 0x97 where the queue there is full; a 3.1.1 client is closed without an answer', async () => {
    const publisher = await publishing.connect(5, { clientId: 'p' });
    for (let packetId = 1; packetId <= 4; packetId++) {
      publisher.publish('t', `m${packetId}`, { qos: packetId % 2 === 0 ? 2 : 1, packetId });
    }
    expect(await answersOf(publisher)).toEqual([0, 0, 0x97, 0x97]);
    const old = await publishing.connect(4, { clientId: 'old' });
    old.publish('t', 'x', { qos: 1, packetId: 1 });
    expect([await answersOf(old), old.transport.ended]).toEqual([[], true]);
  });
});
