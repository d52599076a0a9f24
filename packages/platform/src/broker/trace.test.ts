import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import type { OutgoingPacket, ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { connectOf, publishOf, subscribeOf } from './broker.fixture.ts';
import type { TraceFilter } from './trace-filter.ts';
import { Tracing, type TraceBatch, type TracedClient, type TraceEvent } from './trace.ts';

const ALL: TraceFilter = { clientId: undefined, topicFilter: undefined, payload: false };
const NOW = 1_700_000_000_000;

function open(filter: Partial<TraceFilter> = {}): {
  tracing: Tracing;
  clock: FakeClock;
  batches: TraceBatch[];
  receive: (client: TracedClient, ...packets: OutgoingPacket[]) => void;
  seen: () => TraceEvent[];
} {
  const clock = new FakeClock(NOW);
  const tracing = new Tracing({ clock, thread: 'gateway-0' });
  const batches: TraceBatch[] = [];
  tracing.start(1, { ...ALL, ...filter }, (batch) => batches.push(batch));
  return {
    tracing,
    clock,
    batches,
    receive(client, ...packets) {
      for (const packet of packets) {
        const version = packet.type === 'connect' ? {} : { version: client.version };
        const decoder = new PacketDecoder({ maxPacketBytes: 1e6, from: 'client', topics: new TopicCache(10), ...version });
        decoder.feed(encodePacket(packet, client.version));
        const decoded = decoder.next();
        if (decoded !== undefined) tracing.received(client, decoded, decoder.packetBytes);
      }
    },
    seen() {
      clock.advance(50);
      const events = batches.splice(0).flatMap((batch) => batch.events);
      tracing.taken(1);
      return events;
    },
  };
}

function client(clientId: string, version: ProtocolVersion = 5): TracedClient {
  return { clientId, version };
}

describe('a trace', () => {
  it('shows what a client sends and is sent, without its user name, its password or a payload', () => {
    const { tracing, receive, seen } = open({ clientId: 'd1' });
    const d1 = client('d1');
    const secret = { username: 'the-user', password: Buffer.from('the-password') };
    receive(d1, connectOf(5, { clientId: 'd1', keepAliveSec: 60, ...secret, properties: { sessionExpirySec: 300 } }));
    tracing.wrote(d1, encodePacket({ type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} }, 5));
    receive(d1, subscribeOf('a/#', 1), publishOf('a/b', 'the-payload', { qos: 1, retain: true }));
    const acks = [
      encodePacket({ type: 'suback', packetId: 77, reasonCodes: [1, 0x87] }, 5),
      encodePacket({ type: 'puback', packetId: 1, reasonCode: 0x10 }, 5),
      encodePacket(publishOf('a/b', 'the-payload', { qos: 1, packetId: 9 }), 5),
    ];
    tracing.wrote(d1, Buffer.concat(acks));
    receive(d1, { type: 'puback', packetId: 9, reasonCode: 0 });
    tracing.closed(d1, 'keep-alive');
    const events = seen();
    const common = { atMs: NOW, thread: 'gateway-0', clientId: 'd1' };
    expect(events).toEqual([
      {
        ...common,
        direction: 'in',
        packet: 'connect',
        sizeBytes: expect.any(Number),
        note: 'MQTT 5.0, clean start, keep-alive 60 s, session expiry 300 s',
      },
      { ...common, direction: 'out', packet: 'connack', sizeBytes: 5, codes: ['0x00 success'], note: 'session present' },
      { ...common, direction: 'in', packet: 'subscribe', sizeBytes: 11, packetId: 77, filters: ['a/# (QoS 1)'] },
      {
        ...common,
        direction: 'in',
        packet: 'publish',
        sizeBytes: 21,
        packetId: 1,
        topic: 'a/b',
        qos: 1,
        retain: true,
        dup: false,
      },
      { ...common, direction: 'out', packet: 'suback', sizeBytes: 7, packetId: 77, codes: ['QoS 1', '0x87 not authorized'] },
      {
        ...common,
        direction: 'out',
        packet: 'puback',
        sizeBytes: acks[1]?.length,
        packetId: 1,
        codes: ['0x10 no matching subscribers'],
      },
      {
        ...common,
        direction: 'out',
        packet: 'publish',
        sizeBytes: 21,
        packetId: 9,
        topic: 'a/b',
        qos: 1,
        retain: false,
        dup: false,
      },
      { ...common, direction: 'in', packet: 'puback', sizeBytes: 4, packetId: 9 },
      { ...common, direction: 'end', packet: 'closed', note: 'keep-alive' },
    ]);
    expect(JSON.stringify(events)).not.toMatch(/the-user|the-password|the-payload/);
  });

  it('of a client shows no other, and of a topic only the messages on it', () => {
    const { tracing, receive, seen } = open({ topicFilter: 'room/+/t' });
    tracing.start(2, { ...ALL, clientId: 'd2', topicFilter: 'room/#' }, () => undefined);
    for (const id of ['d1', 'd2']) {
      receive(client(id), publishOf('room/1/t', id), publishOf('room/1/x', id), subscribeOf('room/1/t'));
      tracing.closed(client(id), 'connection-lost');
    }
    expect(seen().map(({ clientId, topic }) => `${clientId} ${topic}`)).toEqual(['d1 room/1/t', 'd2 room/1/t']);
    const only = open({ clientId: 'd2', topicFilter: 'room/#' });
    for (const id of ['d1', 'd2']) only.receive(client(id), publishOf('room/1/t', id), publishOf('other', id));
    expect(only.seen().map(({ clientId, topic }) => `${clientId} ${topic}`)).toEqual(['d2 room/1/t']);
  });

  it('shows the first 200 bytes of payloads where that was asked for', () => {
    const { receive, seen } = open({ payload: true });
    receive(client('d1'), publishOf('a', 'x'.repeat(1_000)), publishOf('a', ''));
    expect(seen()).toMatchObject([
      { payloadBase64: Buffer.from('x'.repeat(200)).toString('base64'), payloadBytes: 1_000 },
      { payloadBase64: '', payloadBytes: 0 },
    ]);
  });

  it('knows the topic behind an alias, where the connection does', () => {
    const { receive, seen } = open({ topicFilter: 'long/#' });
    const aliased = publishOf('', 'x', { properties: { topicAlias: 3 } });
    receive({ ...client('d1'), topicOfAlias: (direction, alias) => `long/${direction}/${alias}` }, aliased);
    receive(client('d2'), aliased);
    expect(seen().map(({ topic }) => topic)).toEqual(['long/in/3']);
    const all = open();
    all.receive(client('d2'), aliased);
    expect(all.seen().map(({ topic }) => topic)).toEqual(['(alias 3)']);
  });

  it('reads what goes to a 3.1.1 client as such', () => {
    const { tracing, seen } = open();
    const d1 = client('d1', 4);
    tracing.wrote(d1, encodePacket({ type: 'connack', sessionPresent: false, reasonCode: 5, properties: {} }, 4));
    tracing.wrote(d1, encodePacket({ type: 'unsuback', packetId: 3, reasonCodes: [] }, 4));
    expect(seen()).toMatchObject([
      { packet: 'connack', codes: ['5'] },
      { packet: 'unsuback', packetId: 3, codes: [] },
    ]);
  });

  it('gathers no more than it may while nobody takes its batches, and counts what it dropped', () => {
    const { tracing, clock, batches, receive } = open();
    for (let n = 0; n < 10; n++) {
      receive(client('d1'), publishOf('a', String(n)));
      clock.advance(50);
    }
    expect(batches).toHaveLength(4);
    for (let n = 0; n < 1_500; n++) receive(client('d1'), publishOf('a', 'more'));
    clock.advance(1_000);
    expect(batches).toHaveLength(4);
    tracing.taken(1);
    expect(batches).toHaveLength(5);
    expect(batches[4]).toMatchObject({ dropped: 6 + 1_500 - 1_000 });
    expect(batches[4]?.events).toHaveLength(1_000);
    tracing.taken(1);
    receive(client('d1'), publishOf('a', 'last'));
    clock.advance(50);
    expect(batches[5]).toMatchObject({ dropped: 0, events: [{ topic: 'a' }] });
  });

  it('that was stopped sends nothing more', () => {
    const { tracing, clock, batches, receive } = open();
    receive(client('d1'), publishOf('a', 'x'));
    tracing.stop(1);
    receive(client('d1'), publishOf('a', 'x'));
    clock.advance(1_000);
    expect([batches, tracing.size]).toEqual([[], 0]);
  });
});
