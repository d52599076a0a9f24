import { describe, expect, it } from 'vitest';
import { openTestBroker, subscribeOf } from './broker.fixture.ts';

const WILL = { topic: 'will', payload: Buffer.from('gone'), qos: 1, retain: true, properties: {} } as const;

describe('the end of a session', () => {
  it('by a second connection with its client id tells the first, and publishes its will', async () => {
    const { connect, broker } = openTestBroker();
    const watcher = await connect(5, { clientId: 'w' });
    watcher.send(subscribeOf('will', 1));
    await watcher.take();
    const first = await connect(5, { clientId: 'same', will: WILL });
    first.send(subscribeOf('x'));
    await first.take();
    const second = await connect(4, { clientId: 'same' });
    expect(await first.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8e }]);
    expect(first.transport.ended).toBe(true);
    expect(await watcher.texts()).toEqual(['gone']);
    second.send({ type: 'pingreq' });
    expect((await second.take()).map(({ type }) => type)).toEqual(['pingresp']);
    expect([broker.counters.sessions, broker.counters.subscriptions, broker.counters.closed['taken-over']]).toEqual([2, 1, 1]);
  });

  it('is not brought about by the same client id in another namespace', async () => {
    const { connect, broker } = openTestBroker();
    await connect(4, { clientId: 'same', username: 'a' });
    await connect(4, { clientId: 'same', username: 'b' });
    expect(broker.counters.sessions).toBe(2);
  });

  it('publishes the will in every way but DISCONNECT 0', async () => {
    const { connect, clock } = openTestBroker();
    const watcher = await connect(5, { clientId: 'w' });
    watcher.send(subscribeOf('will', 1));
    await watcher.take();
    let client = await connect(5, { will: WILL });
    client.send({ type: 'disconnect', reasonCode: 0 });
    expect(await watcher.texts()).toEqual([]);

    client = await connect(5, { will: WILL });
    client.send({ type: 'disconnect', reasonCode: 4 });
    expect(await watcher.texts()).toEqual(['gone']);

    client = await connect(5, { will: WILL });
    client.transport.destroy();
    expect(await watcher.texts()).toEqual(['gone']);

    client = await connect(5, { will: WILL });
    client.transport.listener?.onEnd();
    expect(await watcher.texts()).toEqual(['gone']);

    client = await connect(5, { will: WILL });
    client.sendBytes(Uint8Array.of(0xff, 0));
    expect(await watcher.texts()).toEqual(['gone']);

    client = await connect(5, { will: WILL, keepAliveSec: 10 });
    clock.advance(17_000);
    expect(await watcher.texts()).toEqual(['gone']);
  });

  it('retains a will that asks for it, and gives one on telemetry to the intake', async () => {
    const { connect, broker, intake } = openTestBroker();
    const client = await connect(5, {
      will: { ...WILL, topic: 'telemetry/d', properties: { willDelayIntervalSec: 60, contentType: 'c' } },
    });
    client.transport.destroy();
    expect([intake.accepted, broker.retained.count]).toEqual([['gone'], 1]);
    const late = await connect(5);
    late.send(subscribeOf('telemetry/+'));
    expect((await late.take()).slice(1)).toMatchObject([{ text: 'gone', retain: true, properties: { contentType: 'c' } }]);
  });

  it('comes after one and a half keep-alives without a packet [MQTT-3.1.2-22]', async () => {
    const { connect, clock } = openTestBroker();
    const client = await connect(5, { keepAliveSec: 10 });
    clock.advance(14_000);
    client.send({ type: 'pingreq' });
    clock.advance(14_000);
    expect((await client.take()).map(({ type }) => type)).toEqual(['pingresp']);
    client.sendBytes(Uint8Array.of(0xc0)); // half a packet is no packet
    clock.advance(4_000);
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x8d }]);
  });

  it('does not come to a client that is silent without a keep-alive', async () => {
    const { connect, clock } = openTestBroker();
    const client = await connect(4, { keepAliveSec: 0 });
    clock.advance(3_600_000);
    expect(client.transport.ended).toBe(false);
  });

  it('destroys a connection whose client does not go', async () => {
    const { connect, clock, broker } = openTestBroker();
    const client = await connect(5);
    client.send({ type: 'disconnect', reasonCode: 0 });
    expect([client.transport.ended, client.transport.destroyed]).toEqual([true, false]);
    client.publish('a', 'read and thrown away');
    clock.advance(4_000);
    expect([client.transport.destroyed, broker.counters.connections]).toEqual([true, 0]);
  });

  it.each([
    ['a malformed packet', Uint8Array.of(0x36, 0), 0x81],
    ['a packet that is too large', Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f), 0x95],
    ['a wildcard in the topic', Uint8Array.of(0x30, 4, 0, 1, 0x23, 0), 0x90],
    ['a packet of a server', Uint8Array.of(0xd0, 0), 0x82],
    ['AUTH that nobody asked for', Uint8Array.of(0xf0, 0), 0x82],
  ])('tells why after %s', async (_what, bytes, code) => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    client.sendBytes(bytes);
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: code }]);
    expect(client.transport.ended).toBe(true);
    const old = await connect(4);
    old.sendBytes(bytes);
    expect(await old.take()).toEqual([]);
    expect(old.transport.ended).toBe(true);
  });

  it('can be ordered for all of a principal', async () => {
    const { connect, broker } = openTestBroker();
    const first = await connect(5, { clientId: 'one', username: 'd' });
    await connect(4, { clientId: 'two', username: 'd' });
    await connect(4, { clientId: 'three', username: 'e' });
    expect(broker.disconnectPrincipal('d')).toBe(2);
    expect(await first.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x98 }]);
    expect(broker.counters.sessions).toBe(1);
  });

  it('at shutdown lets the log answer first, then tells all', async () => {
    const { connect, broker, intake, clock } = openTestBroker();
    const client = await connect(5);
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    const closed = broker.close();
    expect(await client.take()).toEqual([]);
    intake.settle();
    expect(await client.take()).toMatchObject([{ type: 'puback' }, { type: 'disconnect', reasonCode: 0x8b }]);
    clock.advance(2_000);
    await closed;
    expect(client.transport.destroyed).toBe(true);
  });
});

describe('a slow subscriber', () => {
  it('loses QoS 0 beyond its bound, and slows nobody', async () => {
    const { connect, broker } = openTestBroker({ limits: { maxBacklogBytes: 50_000 } });
    const slow = await connect(4, { clientId: 'slow' });
    const quick = await connect(4, { clientId: 'quick' });
    slow.send(subscribeOf('a'));
    quick.send(subscribeOf('a'));
    await slow.take();
    await quick.take();
    slow.transport.congested = true;
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 100; i++) publisher.publish('a', 'x'.repeat(1_000));
    expect((await quick.texts()).length).toBe(100);
    const got = (await slow.texts()).length;
    expect(got).toBeGreaterThan(40);
    expect(got).toBeLessThan(70);
    expect(broker.counters.dropped['slow-subscriber']).toBe(100 - got);
    slow.transport.drain();
    publisher.publish('a', 'again');
    expect(await slow.texts()).toEqual(['again']);
  });

  it('has QoS 1 and 2 held for its window, in order', async () => {
    const { connect, broker } = openTestBroker();
    const slow = await connect(5, { clientId: 'slow', properties: { receiveMaximum: 2 } });
    slow.send(subscribeOf('a', 2));
    await slow.take();
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 5; i++) publisher.publish('a', String(i), { qos: i % 2 === 0 ? 1 : 2, packetId: i + 1 });
    publisher.publish('a', 'not held', { qos: 0 });
    expect(await slow.texts()).toEqual(['0', '1', 'not held']);
    expect(broker.counters.queued).toBe(3);
    slow.send({ type: 'puback', packetId: 1, reasonCode: 0 });
    expect(await slow.texts()).toEqual(['2']);
    slow.send({ type: 'pubrec', packetId: 2, reasonCode: 0 });
    expect((await slow.take()).map(({ type }) => type)).toEqual(['pubrel']);
    slow.send({ type: 'pubcomp', packetId: 2, reasonCode: 0 }, { type: 'puback', packetId: 3, reasonCode: 0 });
    expect(await slow.texts()).toEqual(['3', '4']);
    expect([broker.counters.queued, broker.counters.queuedBytes]).toEqual([0, 0]);
    slow.send({ type: 'pubrec', packetId: 4, reasonCode: 0x80 }, { type: 'pubrec', packetId: 99, reasonCode: 0 });
    expect(await slow.take()).toMatchObject([{ type: 'pubrel', packetId: 99, reasonCode: 0x92 }]);
  });

  it('has QoS 1 held while its socket is full', async () => {
    const { connect } = openTestBroker();
    const slow = await connect(4, { clientId: 'slow' });
    slow.send(subscribeOf('a', 1));
    await slow.take();
    slow.transport.congested = true;
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 5; i++) publisher.publish('a', String(i), { qos: 1, packetId: 1 });
    expect(await slow.texts()).toEqual([]);
    slow.transport.drain();
    expect(await slow.texts()).toEqual(['0', '1', '2', '3', '4']);
  });

  it('has a burst held for a window as small as that of common clients', async () => {
    const { connect } = openTestBroker();
    const subscriber = await connect(5, { clientId: 'slow', properties: { receiveMaximum: 20 } });
    subscriber.send(subscribeOf('a', 1));
    await subscriber.take();
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 10_000; i++) publisher.publish('a', 'm', { qos: 1, packetId: 1 });
    let got = 0;
    for (let packets = await subscriber.take(); packets.length > 0; packets = await subscriber.take()) {
      expect(packets.every(({ type }) => type === 'publish')).toBe(true);
      got += packets.length;
      subscriber.send(
        ...packets.map(
          (packet) => ({ type: 'puback', packetId: 'packetId' in packet ? packet.packetId : 0, reasonCode: 0 }) as const,
        ),
      );
    }
    expect(got).toBe(10_000);
  });

  it('has several of the largest messages held while its socket is full', async () => {
    const { connect } = openTestBroker();
    const slow = await connect(4, { clientId: 'slow' });
    slow.send(subscribeOf('a', 1));
    await slow.take();
    slow.transport.congested = true;
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 4; i++) publisher.publish('a', String(i).repeat(1_000_000), { qos: 1, packetId: 1 });
    expect(await slow.texts()).toEqual([]);
    slow.transport.drain();
    expect((await slow.texts()).map((text) => text[0])).toEqual(['0', '1', '2', '3']);
  });

  it('is closed with quota exceeded when too much is held', async () => {
    const { connect, broker } = openTestBroker({ limits: { maxQueuedMessages: 10, maxInFlight: 5 } });
    const slow = await connect(5, { clientId: 'slow', will: { ...WILL, topic: 'a' } });
    const second = await connect(5, { clientId: 'second' });
    for (const client of [slow, second]) client.send(subscribeOf('a', 1));
    await slow.take();
    const publisher = await connect(4, { clientId: 'p' });
    for (let i = 0; i < 15; i++) publisher.publish('a', String(i), { qos: 1, packetId: 1 });
    expect(broker.counters.queued).toBe(20);
    await slow.take();
    publisher.publish('a', 'one too many', { qos: 1, packetId: 1 });
    expect((await slow.take()).at(-1)).toMatchObject({ type: 'disconnect', reasonCode: 0x97 });
    expect(await second.take()).toMatchObject([{ type: 'suback' }, {}, {}, {}, {}, {}, { type: 'disconnect', reasonCode: 0x97 }]);
    expect(broker.counters.closed['slow-subscriber']).toBe(2);
    expect([broker.counters.queued, broker.counters.dropped['session-ended']]).toEqual([0, 20]);
    expect(publisher.transport.ended).toBe(false);
  });

  it('gets no packet that is larger than it can take [MQTT-3.1.2-24]', async () => {
    const { connect, broker } = openTestBroker();
    const client = await connect(5, { properties: { maxPacketBytes: 100 } });
    client.send(subscribeOf('a', 1));
    await client.take();
    client.publish('a', 'x'.repeat(200), { qos: 1, packetId: 1 });
    client.publish('a', 'small', { qos: 1, packetId: 2 });
    expect(await client.texts()).toEqual(['small']);
    expect(broker.counters.dropped['too-large-for-client']).toBe(1);
  });

  it('does not get what has expired while it was held', async () => {
    const { connect, clock, broker } = openTestBroker();
    const slow = await connect(5, { clientId: 'slow', properties: { receiveMaximum: 1 } });
    slow.send(subscribeOf('a', 1));
    const publisher = await connect(5, { clientId: 'p' });
    for (const [text, messageExpirySec] of [
      ['0', 5],
      ['1', 5],
      ['2', 50],
    ] as const) {
      publisher.publish('a', text, { qos: 1, packetId: 1, properties: { messageExpirySec } });
    }
    await slow.take();
    clock.advance(10_000);
    slow.send({ type: 'puback', packetId: 1, reasonCode: 0 });
    expect(await slow.take()).toMatchObject([{ text: '2', properties: { messageExpirySec: 40 } }]);
    expect(broker.counters.dropped.expired).toBe(1);
  });
});
