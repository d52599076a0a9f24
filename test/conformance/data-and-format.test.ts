import { PacketDecoder } from '@selsyn/wire/mqtt/decoder.ts';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { TopicCache } from '@selsyn/wire/mqtt/topic-cache.ts';
import { describe, expect, it } from 'vitest';
import { publishOf, subscribeOf, TestClient } from '../../packages/platform/src/broker/broker.fixture.ts';
import {
  BOTH,
  connectBytes,
  expectClosed,
  expectOpen,
  field,
  openBroker,
  packetOf,
  packetsAsBytes,
  types,
} from './conformance.fixture.ts';

const ILL_FORMED: readonly (readonly [string, Uint8Array])[] = [
  ['a surrogate', Uint8Array.of(0x61, 0xed, 0xa0, 0x80)],
  ['an overlong form', Uint8Array.of(0x61, 0xc0, 0x80)],
  ['a byte that never occurs', Uint8Array.of(0xff)],
  ['a cut sequence', Uint8Array.of(0x61, 0xe2, 0x82)],
  ['a value above U+10FFFF', Uint8Array.of(0xf4, 0x90, 0x80, 0x80)],
];
const SUBSCRIPTION = { filter: 'a', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
const WITH_NULL = Uint8Array.of(0x61, 0x00, 0x62);

/** Every packet with a string in it, of either version. */
function packetsWith(text: Uint8Array, version: ProtocolVersion): Uint8Array[] {
  const none = version === 5 ? [0] : [];
  return [
    packetOf(0x30, field(text), ...none, 1),
    packetOf(0x82, 0, 1, ...none, field(text), 0),
    packetOf(0xa2, 0, 1, ...none, field(text)),
  ];
}

function connectsWith(text: Uint8Array, version: ProtocolVersion): Uint8Array[] {
  const willProperties = version === 5 ? [Uint8Array.of(0)] : [];
  return [
    connectBytes(version, 0x02, field(text)),
    connectBytes(version, 0x06, field('c'), ...willProperties, field(text), field('')),
    connectBytes(version, 0x82, field('c'), field(text)),
  ];
}

describe('strings', () => {
  it.each(BOTH)(
    'that are ill-formed close the connection [MQTT-1.5.4-1] [MQTT-1.5.3-1] [MQTT-3.3.2-1] [MQTT-3.8.3-1] [MQTT-3.10.3-1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const [, text] of ILL_FORMED) {
        for (const bytes of packetsWith(text, version)) {
          const client = await connect(version);
          client.sendBytes(bytes);
          await expectClosed(client, 0x81);
        }
      }
    },
  );

  it.each(BOTH)('with U+0000 close the connection [MQTT-1.5.4-2] [MQTT-1.5.3-2] [MQTT-4.7.3-2] (level %i)', async (version) => {
    const { connect } = await openBroker();
    for (const bytes of packetsWith(WITH_NULL, version)) {
      const client = await connect(version);
      client.sendBytes(bytes);
      await expectClosed(client, 0x81);
    }
  });

  it.each(BOTH)(
    'of a CONNECT are UTF-8 too, or nobody is let in [MQTT-3.1.3-4] [MQTT-3.1.3-11 v5.0] [MQTT-3.1.3-12] [MQTT-3.1.3-10 v3.1.1] [MQTT-3.1.3-11 v3.1.1] (level %i)',
    async (version) => {
      const { broker } = await openBroker();
      for (const text of [...ILL_FORMED.map(([, bytes]) => bytes), WITH_NULL]) {
        for (const bytes of connectsWith(text, version)) {
          const client = new TestClient(broker, version);
          client.sendBytes(bytes);
          expect(await client.take()).toMatchObject(version === 5 ? [{ type: 'connack', reasonCode: 0x81 }] : []);
          expect(client.transport.ended).toBe(true);
        }
      }
      expect(broker.counters.sessions).toBe(0);
    },
  );

  it.each([
    ['content type [MQTT-3.3.2-19]', 0x03],
    ['response topic [MQTT-3.3.2-13]', 0x08],
    ['name of a user property [MQTT-1.5.7-1]', 0x26],
  ] as const)('of properties are UTF-8: the %s', async (_name, property) => {
    const { connect } = await openBroker();
    const second = property === 0x26 ? [field('v')] : [];
    for (const text of [...ILL_FORMED.map(([, bytes]) => bytes), WITH_NULL]) {
      const properties = Buffer.concat([Uint8Array.of(property), field(text), ...second]);
      const client = await connect(5);
      client.sendBytes(packetOf(0x30, field('a'), properties.length, properties));
      await expectClosed(client, 0x81);
    }
  });

  it('of a pair are both UTF-8 [MQTT-1.5.7-1]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    const pair = Buffer.concat([Uint8Array.of(0x26), field('k'), field(Uint8Array.of(0xff))]);
    client.sendBytes(packetOf(0x30, field('a'), pair.length, pair));
    await expectClosed(client, 0x81);
  });

  it.each(BOTH)('keep EF BB BF wherever it stands, as U+FEFF [MQTT-1.5.4-3] [MQTT-1.5.3-3] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(subscribeOf('\uFEFFa/\uFEFF'), subscribeOf('a/'));
    expect(types(await client.take())).toEqual(['suback', 'suback']);
    client.publish('\uFEFFa/\uFEFF', 'x');
    const [got, ...more] = await packetsAsBytes(client);
    expect(Buffer.from(got ?? []).includes(Buffer.from('efbbbf612fefbbbf', 'hex'))).toBe(true);
    expect(more).toEqual([]);
  });
});

describe('the fixed header', () => {
  const FLAGS: readonly (readonly [packet: string, bytes: Uint8Array])[] = [
    ['PUBACK', packetOf(0x41, 0, 1)],
    ['PUBREC', packetOf(0x58, 0, 1)],
    ['PUBREL', packetOf(0x60, 0, 1)],
    ['PUBCOMP', packetOf(0x72, 0, 1)],
    ['PINGREQ', packetOf(0xc1)],
    ['DISCONNECT', packetOf(0xe8)],
  ];
  it.each(BOTH)(
    'has its reserved bits as the table says, or the connection is closed [MQTT-2.1.3-1] [MQTT-2.2.2-1 v3.1.1] [MQTT-2.2.2-2] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      for (const [, bytes] of FLAGS) {
        const client = await connect(version);
        client.sendBytes(bytes);
        await expectClosed(client, 0x81);
      }
    },
  );

  it.each([
    ['PUBREL [MQTT-3.6.1-1]', 6],
    ['SUBSCRIBE [MQTT-3.8.1-1]', 8],
    ['UNSUBSCRIBE [MQTT-3.10.1-1]', 10],
  ] as const)('of %s has the flags 0010 and no others', async (_name, type) => {
    for (const version of BOTH) {
      const { connect } = await openBroker();
      const none = version === 5 ? [0] : [];
      const body = type === 6 ? [0, 1] : type === 8 ? [0, 1, ...none, field('a'), 0] : [0, 1, ...none, field('a')];
      for (let flags = 0; flags < 16; flags++) {
        const client = await connect(version);
        client.sendBytes(packetOf((type << 4) | flags, ...body));
        if (flags === 2) await expectOpen(client);
        else await expectClosed(client, 0x81);
      }
    }
  });

  it('has a remaining length in its shortest form [MQTT-1.5.5-1]', async () => {
    const { connect } = await openBroker();
    for (const bytes of [
      [0xc0, 0x80, 0x00],
      [0x30, 0x84, 0x00, 0, 1, 0x61, 0],
      [0x30, 5, 0, 1, 0x61, 0x80, 0x00],
    ]) {
      const client = await connect(5);
      client.sendBytes(Uint8Array.from(bytes));
      await expectClosed(client, 0x81);
    }
  });

  it('of what the server sends is in its shortest form, at every size [MQTT-1.5.5-1]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send(subscribeOf('a'));
    await client.take();
    for (const size of [0, 122, 123, 124, 125, 16_378, 16_379, 16_380]) {
      client.publish('a', 'x'.repeat(size));
      const [bytes] = await packetsAsBytes(client);
      const decoder = new PacketDecoder({ maxPacketBytes: 1e6, from: 'server', topics: new TopicCache(1), version: 5 });
      decoder.feed(bytes ?? new Uint8Array());
      expect(decoder.next()).toMatchObject({ type: 'publish' });
      expect(bytes?.length).toBe(1 + (size + 4 < 128 ? 1 : size + 4 < 16_384 ? 2 : 3) + size + 4);
    }
  });
});

describe('packet identifiers', () => {
  it.each(BOTH)('that are 0 are refused where one is needed [MQTT-2.2.1-3] [MQTT-2.3.1-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const none = version === 5 ? [0] : [];
    for (const bytes of [
      packetOf(0x32, field('a'), 0, 0, ...none),
      packetOf(0x34, field('a'), 0, 0, ...none),
      packetOf(0x82, 0, 0, ...none, field('a'), 0),
      packetOf(0xa2, 0, 0, ...none, field('a')),
    ]) {
      const client = await connect(version);
      client.sendBytes(bytes);
      await expectClosed(client, 0x81);
    }
  });

  it.each(BOTH)('are absent at QoS 0, from client and from server [MQTT-2.2.1-2] [MQTT-2.3.1-5] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(subscribeOf('a', 2));
    await client.take();
    const properties = version === 5 ? [0] : [];
    const bytes = packetOf(0x30, field('a'), ...properties, Uint8Array.of(0, 9, 0x78));
    client.sendBytes(bytes);
    // What would be a packet id is payload, and nothing is put in front of it.
    expect((await packetsAsBytes(client)).map((packet) => Buffer.from(packet).toString('hex'))).toEqual([
      Buffer.from(bytes).toString('hex'),
    ]);
  });

  it.each(BOTH)(
    'of what the server sends are not 0 and not in use [MQTT-2.2.1-4] [MQTT-2.3.1-4] [MQTT-2.3.1-1] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const subscriber = await connect(version, { clientId: 's' });
      subscriber.send(subscribeOf('a', 2));
      await subscriber.take();
      const publisher = await connect(5, { clientId: 'p' });
      const send = (count: number): void => {
        for (let i = 0; i < count; i++) publisher.publish('a', 'x', { qos: 1, packetId: 1 + i });
      };
      const inUse = new Set<number>();
      for (let round = 0; round < 30; round++) {
        send(50);
        for (const packet of await subscriber.take()) {
          if (packet.type !== 'publish') continue;
          expect(packet.packetId).toBeGreaterThan(0);
          expect(inUse.has(packet.packetId)).toBe(false);
          inUse.add(packet.packetId);
        }
        // The oldest stay unacknowledged while thousands of others come and go.
        for (const packetId of [...inUse].slice(10)) {
          subscriber.send({ type: 'puback', packetId, reasonCode: 0 });
          inUse.delete(packetId);
        }
      }
      expect(inUse.size).toBe(10);
    },
  );

  it.each(BOTH)('of the answers are those of the PUBLISH [MQTT-2.2.1-5] [MQTT-2.3.1-6] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.publish('a', 'x', { qos: 1, packetId: 0x1234 });
    client.publish('a', 'x', { qos: 2, packetId: 0xfffe });
    client.send({ type: 'pubrel', packetId: 0xfffe, reasonCode: 0 });
    expect(await client.take()).toMatchObject([
      { type: 'puback', packetId: 0x1234 },
      { type: 'pubrec', packetId: 0xfffe },
      { type: 'pubcomp', packetId: 0xfffe },
    ]);
    const subscriber = await connect(version, { clientId: 's' });
    subscriber.send(subscribeOf('a', 2));
    await subscriber.take();
    client.publish('a', 'x', { qos: 2, packetId: 7 });
    const [got] = await subscriber.take();
    const packetId = got?.type === 'publish' ? got.packetId : 0;
    subscriber.send({ type: 'pubrec', packetId, reasonCode: 0 });
    expect(await subscriber.take()).toMatchObject([{ type: 'pubrel', packetId }]);
  });

  it.each(BOTH)('of SUBACK and UNSUBACK are those of the request [MQTT-2.2.1-6] [MQTT-2.3.1-7] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.send(
      { type: 'subscribe', packetId: 0xabcd, subscriptions: [SUBSCRIPTION] },
      { type: 'unsubscribe', packetId: 0x0102, filters: ['a'] },
    );
    expect(await client.take()).toMatchObject([
      { type: 'suback', packetId: 0xabcd },
      { type: 'unsuback', packetId: 0x0102 },
    ]);
  });
});

describe('properties', () => {
  it('that there are none of have the length 0 [MQTT-2.2.2-1]', async () => {
    const { connect } = await openBroker();
    const client = await connect(5);
    client.send(subscribeOf('a', 0), publishOf('a', 'x'));
    const hex = (await packetsAsBytes(client)).map((packet) => Buffer.from(packet).toString('hex'));
    // SUBACK: packet id, property length 0, one code. PUBLISH: topic, property length 0, payload.
    expect(hex).toEqual(['9004004d0000', '3005000161' + '00' + '78']);
  });

  it('must be announced, if only by the length 0 [MQTT-2.2.2-1]', async () => {
    const { connect } = await openBroker();
    for (const bytes of [packetOf(0x30, field('a')), packetOf(0x82, 0, 1, field('a'), 0)]) {
      const client = await connect(5);
      client.sendBytes(bytes);
      await expectClosed(client, 0x81);
    }
  });
});
