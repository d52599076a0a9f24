import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { connectOf, publishOf, subscribeOf } from '../../broker/broker.fixture.ts';
import { FakeClock } from '../../kernel/fake-clock.ts';
import { FREE } from './doors.fixture.ts';
import { openTestGateway, SocketClient, type TestGateway } from './gateway.fixture.ts';

describe('MQTT over TCP', () => {
  let gateway: TestGateway;
  const clients: SocketClient[] = [];
  const client = (version: 4 | 5): SocketClient => {
    const made = new SocketClient(gateway.port, version);
    clients.push(made);
    return made;
  };
  afterEach(async () => {
    for (const made of clients.splice(0)) await made.close();
    await gateway[Symbol.asyncDispose]();
  });

  it('gives the reason of a DISCONNECT to a client that is still sending', async () => {
    gateway = await openTestGateway();
    const flooding = client(5);
    flooding.send(connectOf(5));
    expect(await flooding.take(1)).toEqual(['connack 0']);
    // The fault is followed by more than the broker will ever read.
    flooding.socket.write(Buffer.concat([Buffer.of(0x36, 0), Buffer.alloc(4_000_000)]));
    expect(await flooding.toEnd()).toEqual(['disconnect 129', 'end']);
  });

  it('ends the connection after a client that ends its own', async () => {
    gateway = await openTestGateway();
    const leaving = client(4);
    leaving.send(connectOf(4), { type: 'disconnect', reasonCode: 0 });
    expect(await leaving.toEnd()).toEqual(['connack 0', 'end']);
    leaving.socket.end();
    const silent = client(4);
    silent.socket.end();
    expect(await silent.toEnd()).toEqual(['end']);
    await expect.poll(() => gateway.broker.counters.connections).toBe(0);
  });

  it('closes half-open connections that never say anything', async () => {
    const clock = new FakeClock();
    gateway = await openTestGateway({ clock, limits: { connectDeadlineMs: 5_000 } });
    const silent = client(4);
    const half = client(4);
    half.socket.write(Buffer.of(0x10));
    await expect.poll(() => gateway.broker.counters.connections).toBe(2);
    clock.advance(6_000);
    expect([(await silent.toEnd()).length, (await half.toEnd()).length]).toEqual([1, 1]);
    await expect.poll(() => gateway.broker.counters.connections).toBe(0);
  });

  it('refuses an announced gigabyte at once', async () => {
    gateway = await openTestGateway();
    const huge = client(5);
    huge.send(connectOf(5));
    await huge.take(1);
    huge.socket.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f));
    expect(await huge.toEnd()).toEqual(['disconnect 149', 'end']);
  });

  it('keeps serving others beside a subscriber that does not read, and closes that one', async () => {
    const limits = { maxQueuedBytes: 200_000, maxQueuedMessages: 500, maxInFlight: 65_535 };
    gateway = await openTestGateway({ limits });
    const stuck = connect({ port: gateway.port, host: '127.0.0.1' });
    stuck.write(Buffer.concat([encodePacket(connectOf(4, { clientId: 'stuck' }), 4), encodePacket(subscribeOf('a', 1), 4)]));
    await once(stuck, 'data');
    stuck.pause();
    const quick = client(4);
    quick.send(connectOf(4, { clientId: 'quick' }), subscribeOf('a', 0));
    await quick.take(2);
    const publisher = client(4);
    publisher.send(connectOf(4, { clientId: 'p' }));
    await publisher.take(1);
    const { counters } = gateway.broker;
    const text = 'x'.repeat(10_000);
    for (let i = 0; i < 3_000 && counters.closed['slow-subscriber'] === 0; i++) {
      publisher.send(publishOf('a', text, { qos: 1, packetId: 1 }));
      await publisher.take(1);
      expect((await quick.take(1))[0]?.length).toBeGreaterThan(10_000);
    }
    expect(counters.closed['slow-subscriber']).toBe(1);
    stuck.destroy();
  });

  it('sends whole and in order what a subscriber reads late', async () => {
    gateway = await openTestGateway({ limits: { maxBacklogBytes: 100_000_000 } });
    const late = client(4);
    late.send(connectOf(4, { clientId: 'late' }), subscribeOf('a', 0));
    await late.take(2);
    late.socket.pause();
    const publisher = client(4);
    publisher.send(connectOf(4, { clientId: 'p' }));
    await publisher.take(1);
    const text = (n: number): string => `${n} ${'x'.repeat(990)}`;
    const count = 20_000;
    for (let n = 0; n < count; n += 10) {
      publisher.send(...Array.from({ length: 10 }, (_, i) => publishOf('a', text(n + i))), { type: 'pingreq' });
      expect(await publisher.take(1)).toEqual(['pingresp']);
    }
    late.socket.resume();
    const got = await late.take(count);
    expect(got.findIndex((line, n) => line !== `publish a ${text(n)}`)).toBe(-1);
    expect(got.length).toBe(count);
  });

  it('tells all clients when it shuts down', async () => {
    gateway = await openTestGateway();
    const modern = client(5);
    const old = client(4);
    modern.send(connectOf(5, { clientId: 'modern' }));
    old.send(connectOf(4, { clientId: 'old' }));
    await Promise.all([modern.take(1), old.take(1)]);
    const closed = gateway.close();
    expect([await modern.toEnd(), await old.toEnd()]).toEqual([['disconnect 139', 'end'], ['end']]);
    for (const { socket } of clients) socket.end();
    await closed;
    expect(gateway.broker.counters.connections).toBe(0);
  });

  it('says that it cannot listen where somebody else does', async () => {
    gateway = await openTestGateway();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(openTestGateway({ doors: { ws: FREE, tcp: { host: '127.0.0.1', port } } })).rejects.toMatchObject({
      code: 'listen.failed',
    });
    other.close();
  });
});
