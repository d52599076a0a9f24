import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PeerId } from '../../bus/bus.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { EchoBroker, FakeTransport, turns } from './relay.fixture.ts';
import { newRelay, Relay } from './relay.ts';

describe('the relay between gateway threads', () => {
  const clock = new FakeClock();
  let brokers: [EchoBroker, EchoBroker];
  let ends: [Relay, Relay];

  beforeEach(() => {
    const [a, b] = newRelay(2);
    if (a === undefined || b === undefined) throw new Error('two seats');
    brokers = [new EchoBroker(), new EchoBroker()];
    ends = [new Relay({ seat: a, clock, broker: brokers[0] }), new Relay({ seat: b, clock, broker: brokers[1] })];
    ends[0].start();
  });
  afterEach(async () => {
    for (const end of ends) {
      const closed = end.close(1);
      clock.advance(1);
      await closed;
    }
  });

  const relay = (from: 0 | 1, transport: FakeTransport, first: string): void =>
    ends[from].relay((1 - from) as PeerId, transport, Buffer.from(first));

  it('tells the other thread who the client is', async () => {
    ends[1].start();
    const certificate = { der: Uint8Array.of(1, 2, 3), verified: true };
    relay(0, new FakeTransport({ door: 'wss', remoteAddress: '2001:db8::1', certificate }), 'a');
    relay(0, new FakeTransport({ certificate: { der: Uint8Array.of(4), verified: false } }), 'b');
    relay(0, new FakeTransport(), 'c');
    await turns();
    expect(
      brokers[1].served.map(({ text, transport: { door, remoteAddress, certificate: shown } }) => [
        text,
        door,
        remoteAddress,
        shown,
      ]),
    ).toEqual([
      ['a', 'wss', '2001:db8::1', { der: Buffer.of(1, 2, 3), verified: true }],
      ['b', 'tcp', '192.0.2.1', { der: Buffer.of(4), verified: false }],
      ['c', 'tcp', '192.0.2.1', undefined],
    ]);
  });

  it('keeps thousands of connections apart, in both directions at once, and forgets them all', async () => {
    ends[1].start();
    for (let round = 0; round < 3; round++) {
      const clients = Array.from({ length: 4_000 }, (_, i) => {
        const client = new FakeTransport();
        relay(i % 2 === 0 ? 0 : 1, client, `first ${i} `);
        return client;
      });
      for (let n = 0; n < 3; n++) {
        await turns(2);
        for (const [i, client] of clients.entries()) client.send(`${i}.${n} `);
      }
      await turns();
      expect(clients.findIndex(({ text }, i) => text !== `first ${i} ${i}.0 ${i}.1 ${i}.2 `)).toBe(-1);
      expect([ends[0].size, ends[1].size, brokers[0].open, brokers[1].open]).toEqual([4_000, 4_000, 2_000, 2_000]);
      // They end in all the ways there are.
      for (const [i, client] of clients.entries()) {
        if (i % 4 === 0) client.destroy();
        else if (i % 4 === 1) {
          client.clientEnds();
          client.destroy();
        }
      }
      for (const { transport, closed } of [...brokers[0].served, ...brokers[1].served]) if (closed === 0) transport.destroy();
      await turns();
      expect([ends[0].size, ends[1].size, brokers[0].open, brokers[1].open]).toEqual([0, 0, 0, 0]);
      expect(clients.every(({ calls }) => calls.at(-1) === 'destroy')).toBe(true);
    }
    for (const { closed } of [...brokers[0].served, ...brokers[1].served]) expect(closed).toBe(1);
  });

  it('reads no further than a window ahead of a broker that does not take anything', async () => {
    ends[1].start();
    const client = new FakeTransport();
    relay(0, client, 'x');
    await turns();
    const [served] = brokers[1].served;
    const flood = async (): Promise<number> => {
      let sent = 0;
      for (let i = 0; i < 1_000; i++) {
        if (!client.paused) {
          client.send(Buffer.alloc(10_000));
          sent += 10_000;
        }
        if (i % 5 === 0) await turns(1);
      }
      return sent;
    };
    served?.transport.pause();
    expect(await flood()).toBeLessThan(200_000);
    await turns();
    expect([client.paused, served?.bytes]).toEqual([true, 1]);
    served?.transport.resume();
    await turns();
    expect([client.paused, (served?.bytes ?? 0) > 1]).toEqual([false, true]);
    expect(await flood()).toBeGreaterThan(1_000_000);
  });

  it('tells that the client has ended only behind what was under way to a broker that did not read', async () => {
    ends[1].start();
    const client = new FakeTransport();
    relay(0, client, 'first ');
    await turns();
    const [served] = brokers[1].served;
    served?.transport.pause();
    client.send('behind');
    client.clientEnds();
    await turns();
    expect([client.text, client.calls]).toEqual(['first ', []]);
    served?.transport.resume();
    await turns();
    expect([client.text, client.calls]).toEqual(['first behind', ['end']]);
  });

  it('leaves all sockets unread for a thread that is stalled, and goes on when it runs again', async () => {
    const clients = Array.from({ length: 1_000 }, () => new FakeTransport());
    for (const client of clients) relay(0, client, 'x');
    let sent = clients.length;
    for (let i = 0; i < 10; i++) {
      for (const client of clients) {
        if (client.paused) continue;
        client.send(Buffer.alloc(6_000));
        sent += 6_000;
      }
      await turns(1);
    }
    expect(sent).toBeGreaterThan(10_000_000);
    expect(sent).toBeLessThan(17_000_000);
    expect(clients.every(({ paused }) => paused)).toBe(true);
    ends[1].start();
    await turns(50);
    expect(brokers[1].served.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sent);
    expect(clients.some(({ paused }) => paused)).toBe(false);
  });

  it('counts as backlog what the client does not take, until it does', async () => {
    ends[1].start();
    const client = new FakeTransport();
    relay(0, client, 'x');
    await turns();
    const transport = brokers[1].served[0]?.transport;
    client.congested = true;
    transport?.write(Buffer.alloc(300_000));
    expect([transport?.backlogBytes, transport?.congested]).toEqual([300_000, true]);
    await turns();
    expect([transport?.backlogBytes, transport?.congested]).toEqual([300_000, true]);
    client.drain();
    await turns();
    expect([transport?.backlogBytes, transport?.congested]).toEqual([0, false]);
  });

  it('takes with a thread what it served, and those whose sockets it had', async () => {
    ends[1].start();
    const here = new FakeTransport();
    const there = new FakeTransport();
    relay(0, here, 'served there');
    relay(1, there, 'served here');
    await turns();
    brokers[0].served[0]?.transport.pause();
    there.send('never taken');
    await turns();
    const left = ends[1].close(0);
    clock.advance(0);
    await left;
    await turns();
    expect([here.calls, brokers[0].served.map(({ closed }) => closed), ends[0].size]).toEqual([['destroy'], [1], 0]);
    const late = new FakeTransport();
    relay(0, late, 'x');
    expect(late.calls).toEqual(['destroy']);
  });

  it('waits with its close for the connections to end, so that their last bytes arrive', async () => {
    ends[1].start();
    const client = new FakeTransport();
    relay(0, client, 'x');
    await turns();
    let closed = false;
    const closing = ends[0].close(1_000).then(() => (closed = true));
    brokers[1].served[0]?.transport.write(Buffer.from(' bye'));
    brokers[1].served[0]?.transport.end();
    await turns();
    expect([client.text, client.calls, closed]).toEqual(['x bye', ['end'], false]);
    client.destroy();
    await closing;
  });

  it('destroys what is left when the time for that is over', async () => {
    ends[1].start();
    const client = new FakeTransport();
    relay(0, client, 'x');
    await turns();
    const closing = ends[0].close(1_000);
    clock.advance(1_000);
    await closing;
    await turns();
    expect([client.calls, brokers[1].open, ends[0].size, ends[1].size]).toEqual([['destroy'], 0, 0, 0]);
  });
});
