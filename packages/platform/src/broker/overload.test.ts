import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { ConnectPacket } from '@selsyn/wire/mqtt/packets.ts';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { MemorySessionStore } from '../session-store/drivers/memory/memory-session-store.ts';
import type { Authorizer } from './authorizer.ts';
import { Broker } from './broker.ts';
import {
  connectOf,
  kept,
  openRestored,
  openTestBroker,
  PERMISSIVE,
  publishOf,
  settled,
  subscribed,
  subscribeOf,
  type TestBroker,
  TestClient,
} from './broker.fixture.ts';

async function tryConnect({ broker }: TestBroker, version: 4 | 5, connect: Partial<ConnectPacket>): Promise<number> {
  const client = new TestClient(broker, version);
  client.send(connectOf(version, connect));
  const [connack] = await client.take();
  if (connack?.type !== 'connack') throw new Error('no CONNACK');
  expect(client.transport.ended).toBe(connack.reasonCode !== 0);
  return connack.reasonCode;
}

describe('a server that is full', () => {
  it('says Server busy, but not to a client that comes back to its own connected session', async () => {
    const broker = await openRestored({ limits: { maxConnections: 2 } });
    const first = await broker.connect(5, kept('a'));
    await broker.connect(5, { clientId: 'b' });
    expect([await tryConnect(broker, 5, { clientId: 'c' }), await tryConnect(broker, 4, { clientId: 'c' })]).toEqual([0x89, 3]);
    expect(await tryConnect(broker, 5, kept('a'))).toBe(0);
    expect([first.transport.ended, await tryConnect(broker, 4, { clientId: 'b' })]).toEqual([true, 0]);
    expect(broker.broker.counters.sessions).toBe(2);
  });

  it('lets CONNECTs in at a steady pace; the others are told Server busy, and may try again', async () => {
    const broker = await openRestored({ limits: { acceptPerSec: 10 } });
    const storm = async (): Promise<number[]> =>
      await Promise.all(
        Array.from({ length: 30 }, async (_, i) => await tryConnect(broker, i % 2 === 0 ? 5 : 4, { clientId: `c${i}` })),
      );
    const codes = await storm();
    expect(codes.filter((code) => code === 0).length).toBe(10);
    expect(new Set(codes.slice(10))).toEqual(new Set([0x89, 3]));
    broker.clock.advance(500);
    expect((await storm()).filter((code) => code === 0).length).toBe(5);
  });
});

describe('a client that sends too fast', () => {
  it.each(['publish', 'subscribe'] as const)('by %s is read at its rate, and loses nothing', async (type) => {
    const broker = await openRestored({ limits: { maxMessagesPerSec: 10 } });
    const client = await broker.connect(4, { clientId: 'fast' });
    client.send(
      ...Array.from({ length: 40 }, () => (type === 'publish' ? publishOf('t', 'x', { qos: 1 }) : subscribeOf('t', 0))),
    );
    const answered: number[] = [];
    for (let i = 0; i < 4; i++) {
      answered.push((await client.take()).length);
      broker.clock.advance(1_000);
    }
    answered.push((await client.take()).length);
    expect(answered[0]).toBeLessThanOrEqual(11);
    expect(Math.max(...answered.slice(1))).toBeLessThanOrEqual(12);
    expect(answered.reduce((sum, count) => sum + count)).toBe(40);
    expect([client.transport.ended, client.transport.paused]).toEqual([false, false]);
  });

  it('by bytes of any packets is read at its rate', async () => {
    const broker = await openRestored({ limits: { maxBytesPerSec: 100 } });
    const client = await broker.connect(4, { clientId: 'fast' });
    broker.clock.advance(10_000);
    client.send(...Array.from({ length: 150 }, () => ({ type: 'pingreq' }) as const));
    expect((await client.take()).length).toBe(1);
    expect(client.transport.paused).toBe(true);
    broker.clock.advance(2_000);
    expect((await client.take()).length).toBe(149);
  });
});

describe('a client that does not read', () => {
  const limits = { maxBacklogBytes: 1_000, maxPacketBytes: 1_000, unreadDeadlineMs: 30_000 };

  it('has all its control packets answered, however full its socket is of messages', async () => {
    const broker = await openRestored({ limits });
    const client = await subscribed(broker, 't', 0, { clientId: 'slow' });
    client.transport.congested = true;
    const publisher = await broker.connect(5, { clientId: 'p' });
    for (let i = 0; i < 100; i++) publisher.publish('t', 'x'.repeat(100));
    await settled();
    expect(broker.broker.counters.dropped['slow-subscriber']).toBeGreaterThan(80);
    client.publish('x', '1', { qos: 1, packetId: 1 });
    client.publish('x', '2', { qos: 2, packetId: 2 });
    client.send(
      { type: 'pubrel', packetId: 2, reasonCode: 0 },
      { ...subscribeOf('u', 1), packetId: 3 } as ReturnType<typeof subscribeOf>,
      { type: 'unsubscribe', packetId: 4, filters: ['t'] },
      { type: 'pingreq' },
    );
    const types = (await client.take()).map(({ type }) => type).filter((type) => type !== 'publish');
    expect(types).toEqual(['puback', 'pubrec', 'pubcomp', 'suback', 'unsuback', 'pingresp']);
  });

  it('is not read any more when its answers come to more than its share, and goes on when it reads', async () => {
    const broker = await openRestored({ limits });
    const client = await broker.connect(4, { clientId: 'flood' });
    client.transport.congested = true;
    const pings = Buffer.concat(Array.from({ length: 200 }, () => encodePacket({ type: 'pingreq' }, 4)));
    let sent = 0;
    for (; sent < 100 && !client.transport.paused; sent++) {
      client.sendBytes(pings);
      await settled();
    }
    expect([sent < 15, client.transport.backlogBytes < 4_000]).toEqual([true, true]);
    broker.clock.advance(20_000);
    expect(client.transport.ended).toBe(false);
    client.transport.drain();
    expect((await client.take()).length).toBe(sent * 200);
    expect(client.transport.paused).toBe(false);
  });

  it('is told so and closed when it reads nothing for long', async () => {
    const broker = await openRestored({ limits });
    const client = await broker.connect(5, { clientId: 'flood', keepAliveSec: 0 });
    client.transport.congested = true;
    const pings = Buffer.concat(Array.from({ length: 2_000 }, () => encodePacket({ type: 'pingreq' }, 5)));
    for (let i = 0; i < 2; i++) {
      client.sendBytes(pings);
      await settled();
    }
    broker.clock.advance(33_000);
    expect((await client.take()).at(-1)).toMatchObject({ type: 'disconnect', reasonCode: 0x97 });
    expect(broker.broker.counters.closed['not-reading']).toBe(1);
    expect(broker.broker.inspector.find('flood')).toMatchObject([{ closes: [{ reason: 'not-reading' }] }]);
  });
});

describe('a packet that trickles in', () => {
  it('ends the connection, also one without a keep-alive', async () => {
    const broker = await openRestored({ limits: { packetDeadlineMs: 60_000 } });
    const client = await broker.connect(5, { clientId: 'loris', keepAliveSec: 0 });
    broker.clock.advance(3_600_000);
    const bytes = encodePacket(publishOf('t', 'x'.repeat(1_000)), 5);
    for (let i = 0; i < 75 && !client.transport.ended; i++) {
      client.sendBytes(bytes.subarray(i, i + 1));
      broker.clock.advance(1_000);
      if (i === 50) expect([client.transport.ended, broker.broker.counters.partialBytes]).toEqual([false, 51]);
    }
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x83 }]);
    expect(broker.broker.counters.closed['packet-too-slow']).toBe(1);
  });

  it('may take long where much of it comes', async () => {
    const broker = await openRestored({ limits: { packetDeadlineMs: 60_000 } });
    const client = await broker.connect(5, { clientId: 'modem', keepAliveSec: 0 });
    const bytes = encodePacket(publishOf('t', 'x'.repeat(600_000), { qos: 1, packetId: 1 }), 5);
    for (let at = 0; at < bytes.length; at += 2_000) {
      client.sendBytes(bytes.subarray(at, at + 2_000));
      broker.clock.advance(1_000);
    }
    expect(await client.take()).toMatchObject([{ type: 'puback' }]);
  });
});

describe('memory', () => {
  it('sheds QoS 0 first, then refuses what is to be kept, and takes all again when there is room', async () => {
    const broker = await openRestored({ limits: { maxMemoryBytes: 100_000, maxBacklogBytes: 1_000_000 } });
    (await subscribed(broker, 'q', 1, kept('away'))).transport.destroy();
    const slow = await subscribed(broker, 'zero', 0, { clientId: 'slow' });
    slow.transport.congested = true;
    const publisher = await broker.connect(5, { clientId: 'p' });
    const fill = async (): Promise<number> => {
      publisher.publish('q', 'x'.repeat(9_000), { qos: 1, packetId: 1 });
      await settled();
      const [answer] = await publisher.take();
      return answer?.type === 'puback' ? answer.reasonCode : -1;
    };
    for (let i = 0; i < 7; i++) expect(await fill()).toBe(0);
    publisher.publish('zero', 'kept');
    expect(await slow.texts()).toEqual(['kept']);
    for (let i = 0; i < 2; i++) expect(await fill()).toBe(0);
    // Over three quarters, at once and not at the next look at the time.
    publisher.publish('zero', 'shed');
    expect([await slow.texts(), broker.broker.counters.dropped['slow-subscriber']]).toEqual([[], 1]);
    let accepted = 9;
    while ((await fill()) === 0) accepted++;
    expect([accepted < 14, broker.broker.counters.queuedBytes < 120_000]).toEqual([true, true]);
    // Who was refused is not read for a moment, and that ends by itself.
    expect(publisher.transport.paused).toBe(true);
    broker.clock.advance(100);
    expect(publisher.transport.paused).toBe(false);

    const back = await broker.connect(5, kept('away'));
    for (let left = accepted; left > 0; left--) {
      const packets = await back.take();
      for (const packet of packets) {
        if (packet.type === 'publish') back.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0 });
      }
    }
    await settled();
    expect([broker.broker.counters.queued, await fill()]).toEqual([0, 0]);
  });

  it('that is full ends a subscriber that holds much of it, and not one that is only behind', async () => {
    const broker = await openRestored({ limits: { maxMemoryBytes: 100_000 } });
    const [hog, behind] = [
      await subscribed(broker, 'hog', 1, { clientId: 'hog' }),
      await subscribed(broker, 'behind', 1, { clientId: 'behind' }),
    ];
    hog.transport.congested = true;
    behind.transport.congested = true;
    const publisher = await broker.connect(4, { clientId: 'p' });
    for (let i = 0; i < 12; i++) publisher.publish('hog', 'x'.repeat(9_000), { qos: 1, packetId: 1 });
    publisher.publish('behind', 'one', { qos: 1, packetId: 1 });
    publisher.publish('hog', 'x', { qos: 1, packetId: 1 });
    await settled();
    expect([hog.transport.ended, behind.transport.ended]).toEqual([true, false]);
    behind.transport.drain();
    expect(await behind.texts()).toEqual(['one']);
    expect(broker.broker.counters.queuedBytes).toBe(0);
  });

  it('counts what sockets have not taken and packets that are not whole', async () => {
    const broker = await openRestored({ limits: { maxMemoryBytes: 10_000 } });
    (await subscribed(broker, 'q', 1, kept('away'))).transport.destroy();
    const half = await broker.connect(5, { clientId: 'half' });
    half.sendBytes(encodePacket(publishOf('t', 'x'.repeat(20_000)), 5).subarray(0, 10_100));
    broker.clock.advance(1_000);
    const publisher = await broker.connect(5, { clientId: 'p' });
    publisher.publish('q', 'x', { qos: 1, packetId: 1 });
    expect(await publisher.take()).toMatchObject([{ type: 'puback', reasonCode: 0x97 }]);
    // Then its deadline is a short one.
    broker.clock.advance(8_000);
    expect(half.transport.ended).toBe(true);
  });
});

describe('the log and the store of sessions', () => {
  it('that fall behind stop reading from all, and lose nothing', async () => {
    const store = new MemorySessionStore({ maxPending: 5 });
    const broker = await openRestored({ store });
    (await subscribed(broker, 'q', 1, kept('away'))).transport.destroy();
    await settled();
    const publisher = await broker.connect(5, { clientId: 'p' });
    store.hold();
    for (let i = 1; i <= 9; i++) {
      if (!publisher.transport.paused) publisher.publish('q', `m${i}`, { qos: 1, packetId: i });
    }
    expect([publisher.transport.paused, broker.broker.counters.readingPauses]).toEqual([true, 1]);
    store.letGo();
    await settled();
    expect(publisher.transport.paused).toBe(false);
    const answers = await publisher.take();
    expect(answers.length).toBeGreaterThanOrEqual(5);
    expect(answers.every((packet) => packet.type === 'puback' && packet.reasonCode === 0)).toBe(true);
  });

  it('that fall behind while a client is asked for AUTH hear its answer when they have caught up', async () => {
    const principal = { id: 'c', sessionNamespace: '', mayPublish: () => true, maySubscribe: () => true, mayReceive: () => true };
    const authorizer: Authorizer = {
      ...PERMISSIVE,
      beginExchange: () => ({
        step: async (data) => (data === undefined ? { challenge: Buffer.from('who?') } : { granted: principal, data: undefined }),
      }),
    };
    const broker = openTestBroker({ authorizer });
    const client = new TestClient(broker.broker, 5);
    client.send(connectOf(5, { properties: { authenticationMethod: 'ASK' } }));
    expect(await client.take()).toMatchObject([{ type: 'auth', reasonCode: 0x18 }]);
    broker.intake.saturated = true;
    client.send({ type: 'auth', reasonCode: 0x18, authenticationMethod: 'ASK', authenticationData: Buffer.from('c') });
    expect([await client.take(), client.transport.paused]).toEqual([[], true]);
    broker.intake.drain();
    expect(await client.take()).toMatchObject([{ type: 'connack', reasonCode: 0 }]);
    expect(client.transport.paused).toBe(false);
  });

  it('a server that stops does not begin to read again when they have caught up', async () => {
    const broker = await openRestored();
    const client = await broker.connect(5, { clientId: 'c' });
    broker.intake.saturated = true;
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    const closed = broker.broker.close();
    broker.intake.drain();
    await settled();
    expect(broker.intake.accepted).toEqual([]);
    broker.clock.advance(4_000);
    await closed;
  });

  it('a server that stops takes nothing from a client that is let in meanwhile', async () => {
    let decide = (): void => {};
    const decision = new Promise<void>((resolve) => (decide = resolve));
    const authorizer: Authorizer = {
      authenticate: async (request) => {
        if (request.clientId === 'late') await decision;
        return await PERMISSIVE.authenticate(request);
      },
    };
    const broker = await openRestored({ authorizer });
    (await broker.connect(5, { clientId: 'p' })).publish('telemetry/d', 'before', { qos: 1, packetId: 1 });
    const late = new TestClient(broker.broker, 5);
    late.send(connectOf(5, { clientId: 'late' }), publishOf('telemetry/d', 'behind', { qos: 1, packetId: 1 }));
    const closed = broker.broker.close();
    decide();
    await settled();
    expect(broker.intake.accepted).toEqual(['before']);
    broker.intake.settle();
    expect((await late.take()).at(-1)).toMatchObject({ type: 'disconnect', reasonCode: 0x8b });
    broker.clock.advance(4_000);
    await closed;
  });
});

describe('the end of a connection', () => {
  it('is in the log with its reason, a few lines a second, whatever clients do', async () => {
    const lines: { reason?: string; client?: string; suppressed?: number; words?: string }[] = [];
    const logLines = pino(
      { level: 'warn', base: null },
      { write: (line: string) => void lines.push(JSON.parse(line) as object) },
    );
    const clock = new FakeClock();
    let ids = 0;
    const broker = new Broker({ authorizer: PERMISSIVE, clock, logLines, newClientId: () => `made-${++ids}` });
    broker.start();
    for (let i = 0; i < 100; i++) {
      const bad = new TestClient(broker, 5);
      bad.send(connectOf(5, { clientId: `bad${i}` }));
      await settled();
      bad.sendBytes(Uint8Array.of(0x36, 0));
      const gone = new TestClient(broker, 5);
      gone.send(connectOf(5, { clientId: `gone${i}` }), { type: 'disconnect', reasonCode: 0 });
      const stranger = new TestClient(broker, 5);
      stranger.sendBytes(Uint8Array.of(0x30, 0));
    }
    await settled();
    const told = (wanted: string): number => lines.filter(({ reason }) => reason === wanted).length;
    expect([lines.length, told('malformed'), told('refused')]).toEqual([6, 3, 3]);
    expect(lines.find(({ reason }) => reason === 'malformed')?.client).toBe('bad0');
    clock.advance(2_000);
    expect(lines.slice(6).map(({ reason, suppressed }) => [reason, suppressed])).toEqual(
      expect.arrayContaining([
        ['malformed', 97],
        ['refused', 97],
      ]),
    );
    expect(broker.counters.closed.malformed).toBe(100);
  });
});
