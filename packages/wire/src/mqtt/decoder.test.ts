import { afterEach, describe, expect, test, vi } from 'vitest';
import { feed, newDecoder } from './decode-all.ts';
import type { PacketDecoder } from './decoder.ts';
import { encodePacket } from './encoder.ts';
import { MqttError } from './mqtt-error.ts';
import type { PublishPacket } from './packets.ts';
import { fromHex } from './packet-vectors.ts';
import { TopicCache } from './topic-cache.ts';

const MEGABYTE = 1_048_576;

function publish(topic: string, payload: Uint8Array, packetId = 1): Uint8Array {
  return encodePacket({ type: 'publish', topic, payload, qos: 1, packetId }, 4);
}

function nextPublish(decoder: PacketDecoder): PublishPacket {
  const packet = decoder.next();
  if (packet?.type !== 'publish') throw new Error('Not a PUBLISH');
  return packet;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a PUBLISH', () => {
  test('is the same object each time, with the topic object of its name', () => {
    const topics = new TopicCache(10);
    const decoder = newDecoder({ version: 4, topics });
    decoder.feed(Buffer.concat([publish('a', Uint8Array.of(1)), publish('a', Uint8Array.of(2)), publish('b', Uint8Array.of(3))]));
    const first = nextPublish(decoder);
    const topic = first.topic;
    const second = nextPublish(decoder);
    expect(second).toBe(first);
    expect(second.topic).toBe(topic);
    const third = nextPublish(decoder);
    expect(third.topic.name).toBe('b');
    expect(topic.name).toBe('a');
    const other = newDecoder({ version: 4, topics });
    other.feed(publish('a', Uint8Array.of()));
    expect(nextPublish(other).topic).toBe(topic);
  });

  test('that lies in one chunk is not copied', () => {
    const set = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array, 'set');
    const decoder = newDecoder({ version: 4 });
    const one = publish('a', new Uint8Array(1000).fill(7));
    decoder.feed(one);
    nextPublish(decoder);
    expect(decoder.next()).toBeUndefined();
    set.mockClear();
    const chunk = Buffer.concat([one, one]);
    decoder.feed(chunk);
    for (const end of [one.length, 2 * one.length]) {
      const packet = nextPublish(decoder);
      expect(packet.data).toBe(chunk);
      expect([packet.start, packet.end]).toEqual([end - 1000, end]);
    }
    expect(decoder.next()).toBeUndefined();
    expect(set).not.toHaveBeenCalled();
  });

  test('of an earlier packet leaves nothing behind', () => {
    const decoder = newDecoder({ version: 5 });
    decoder.feed(Buffer.concat([fromHex('3b 09 0001 61 0007 03 23 0001'), fromHex('30 04 0001 62 00')]));
    expect(nextPublish(decoder)).toMatchObject({ qos: 1, dup: true, retain: true, packetId: 7, properties: { topicAlias: 1 } });
    expect(nextPublish(decoder)).toMatchObject({ qos: 0, dup: false, retain: false, packetId: 0, properties: undefined });
  });

  test('does not keep its chunk in memory once all packets are given out', () => {
    const decoder = newDecoder({ version: 4 });
    const chunk = publish('a', Uint8Array.of(1));
    decoder.feed(chunk);
    const packet = nextPublish(decoder);
    expect(decoder.next()).toBeUndefined();
    expect(packet.data).not.toBe(chunk);
  });
});

describe('what a decoder keeps', () => {
  test('outlives the chunk it came in', () => {
    const decoder = newDecoder({});
    const chunk = encodePacket(
      {
        type: 'connect',
        version: 5,
        clientId: 'c',
        cleanStart: true,
        keepAliveSec: 0,
        username: 'u',
        password: Uint8Array.of(1, 2),
        will: {
          topic: 'w',
          payload: Uint8Array.of(3, 4),
          qos: 0,
          retain: false,
          properties: { correlationData: Uint8Array.of(5) },
        },
        properties: {},
      },
      5,
    );
    const [packet] = feed(decoder, Buffer.from(chunk));
    chunk.fill(0xee);
    expect(packet).toMatchObject({
      password: Uint8Array.of(1, 2),
      will: { payload: Uint8Array.of(3, 4), properties: { correlationData: Uint8Array.of(5) } },
    });
  });

  test('of a cut packet does not depend on the chunk afterwards', () => {
    const decoder = newDecoder({ version: 4 });
    const bytes = publish('topic', Uint8Array.of(1, 2, 3));
    const head = Uint8Array.from(bytes.subarray(0, 6));
    expect(feed(decoder, head)).toEqual([]);
    head.fill(0xee);
    expect(feed(decoder, bytes.subarray(6))).toMatchObject([{ topic: 'topic', payload: Uint8Array.of(1, 2, 3) }]);
  });

  test('grows with the bytes that came, not with those announced', () => {
    const allocated = vi.fn<(bytes: number) => void>();
    const RealUint8Array = Uint8Array;
    vi.stubGlobal(
      'Uint8Array',
      class extends RealUint8Array {
        constructor(...args: readonly unknown[]) {
          super(...(args as [number])); // any of its forms
          if (typeof args[0] === 'number') allocated(args[0]);
        }
      },
    );
    try {
      const decoder = newDecoder({ version: 4 });
      // A PUBLISH of 256 MB of which 100 bytes come.
      feed(decoder, fromHex('30 ffffff7f'));
      feed(decoder, RealUint8Array.from(Array.from({ length: 100 }, () => 0)));
      expect(decoder.bufferedBytes).toBe(105);
      const most = Math.max(...allocated.mock.calls.map(([bytes]) => bytes));
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(256);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test.each([1, 7, 1000])('is copied a few times at most when a packet of a megabyte comes in chunks of %d', (size) => {
    let copied = 0;
    let most = Infinity;
    const prototype = Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array;
    const set = prototype.set;
    vi.spyOn(prototype, 'set').mockImplementation(function (this: Uint8Array, source, offset) {
      copied += source.length;
      if (copied > most) throw new Error('Too much is copied');
      set.call(this, source, offset);
    });
    const payload = new Uint8Array(size === 1 ? MEGABYTE / 4 : MEGABYTE).map((_, i) => i % 251);
    const bytes = publish('a', payload);
    const decoder = newDecoder({ version: 4 });
    copied = 0;
    most = 3 * bytes.length;
    let found = 0;
    for (let at = 0; at < bytes.length; at += size) {
      decoder.feed(bytes.subarray(at, at + size));
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet.type !== 'publish') continue;
        found++;
        expect(Buffer.compare(packet.data.subarray(packet.start, packet.end), payload)).toBe(0);
      }
    }
    expect(found).toBe(1);
    expect(copied).toBeGreaterThanOrEqual(payload.length);
  });

  test('is let go with a large packet, and a small buffer is used again', () => {
    const decoder = newDecoder({ version: 4 });
    const large = publish('a', new Uint8Array(100_000));
    feed(decoder, large.subarray(0, 50_000));
    decoder.feed(large.subarray(50_000));
    const packet = nextPublish(decoder);
    const gathered = packet.data;
    expect(gathered.length).toBe(large.length);
    expect(decoder.next()).toBeUndefined();
    const small = publish('b', Uint8Array.of(1));
    feed(decoder, small.subarray(0, 5));
    decoder.feed(small.subarray(5));
    const again = nextPublish(decoder);
    expect(again.data.buffer.byteLength).toBeLessThanOrEqual(256);
  });
});

describe('the maximum packet size', () => {
  const bytes = publish('a', new Uint8Array(100));

  test('counts the whole packet', () => {
    expect(feed(newDecoder({ version: 4, maxPacketBytes: bytes.length }), bytes)).toHaveLength(1);
    expect(() => feed(newDecoder({ version: 4, maxPacketBytes: bytes.length - 1 }), bytes)).toThrow(MqttError);
  });

  test('is enforced as soon as the length is known, before anything is kept', () => {
    const decoder = newDecoder({ version: 4, maxPacketBytes: 1000 });
    expect(feed(decoder, fromHex('30 ff'))).toEqual([]);
    expect(() => feed(decoder, fromHex('ffff7f'))).toThrow(
      expect.objectContaining({ reasonCode: 0x95, clause: '[MQTT-3.2.2-15]' }) as MqttError,
    );
    expect(decoder.bufferedBytes).toBe(0);
  });

  test('cites the clause of the side that broke it', () => {
    const decoder = newDecoder({ version: 4, maxPacketBytes: 10, from: 'server' });
    expect(() => feed(decoder, bytes)).toThrow(
      expect.objectContaining({ reasonCode: 0x95, clause: '[MQTT-3.1.2-24]' }) as MqttError,
    );
  });
});

describe('after an error', () => {
  test('the packets before it were given out and nothing comes any more', () => {
    const decoder = newDecoder({ version: 4 });
    decoder.feed(Buffer.concat([publish('a', Uint8Array.of(1)), fromHex('00 00'), publish('a', Uint8Array.of(1))]));
    expect(nextPublish(decoder).packetId).toBe(1);
    expect(() => decoder.next()).toThrow(MqttError);
    expect(() => decoder.next()).toThrow(MqttError);
    expect(() => {
      decoder.feed(publish('a', Uint8Array.of(1)));
    }).toThrow(MqttError);
    expect(decoder.bufferedBytes).toBe(0);
  });
});

test('a wrong first byte is an error before the rest has come', () => {
  expect(() => feed(newDecoder({ version: 4 }), fromHex('66'))).toThrow(MqttError);
  expect(() => feed(newDecoder({}), fromHex('30 ffff'))).toThrow(MqttError);
});

test('feeding before the chunk is used up is a fault of the caller', () => {
  const decoder = newDecoder({ version: 4 });
  decoder.feed(publish('a', Uint8Array.of(1)));
  expect(() => {
    decoder.feed(publish('a', Uint8Array.of(1)));
  }).toThrow('before next() had returned undefined');
});

test('reading may pause within a chunk and go on', () => {
  const decoder = newDecoder({ version: 4 });
  const one = publish('a', Uint8Array.of(1));
  decoder.feed(Buffer.concat([one, one]));
  nextPublish(decoder);
  expect(decoder.bufferedBytes).toBe(one.length);
  nextPublish(decoder);
  expect(decoder.bufferedBytes).toBe(0);
  expect(decoder.next()).toBeUndefined();
});
