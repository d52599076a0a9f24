import { spawnSync } from 'node:child_process';
import type { ProtocolVersion } from '@selsyn/wire/mqtt/packets.ts';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient, type ReceivedPublish } from '../harness/mqtt-client.ts';
import { findProgram } from '../harness/programs.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const MOSQUITTO_SUB = findProgram('mosquitto_sub');
const VERSIONS: readonly ProtocolVersion[] = [4, 5];

let selsyn: Selsyn;
beforeAll(async () => {
  selsyn = await Selsyn.start({
    settings: [
      'access.mode=open',
      'gateway.threads=2',
      'mqtt.receiveMaximum=3',
      'mqtt.topicAliasMaximum=4',
      'mqtt.maxPacketBytes=1000',
      'mqtt.maxQueuedMessages=5',
      'access.openPolicy={"denySubscribe":["a/b","secret/#"],"denyPublish":["locked"]}',
    ],
  });
});
afterAll(async () => await selsyn[Symbol.asyncDispose]());

/** How long the sessions of clients that are away are kept at most: long enough to come back on a busy machine. */
const SESSION_SEC = 6;
/** Another server: its bounds of time would end what other tests have, where a machine is slow. */
let hasty: Selsyn;
beforeAll(async () => {
  hasty = await Selsyn.start({
    settings: ['access.mode=open', 'gateway.threads=2', 'mqtt.keepAliveMaxSec=2', `mqtt.sessionExpiryMaxSec=${SESSION_SEC}`],
  });
});
afterAll(async () => await hasty[Symbol.asyncDispose]());

const open = async (options: Parameters<typeof RawClient.connect>[0] | object = {}) =>
  await RawClient.connect({ port: selsyn.mqttPort, ...options });

/** A client that subscribes one filter and keeps what it gets. */
const listen = async (filter: string, options: object = {}): Promise<{ client: RawClient; heard: ReceivedPublish[] }> => {
  const heard: ReceivedPublish[] = [];
  const client = await open({
    onPacket: (packet: { type: string }) => packet.type === 'publish' && heard.push(packet as ReceivedPublish),
    ...options,
  });
  await client.subscribe([{ filter, qos: 1 }]);
  return { client, heard };
};

describe('mqtt.keepAliveMaxSec', () => {
  it('is told to a client that asks for longer, and holds for it', async () => {
    const port = hasty.mqttPort;
    using long = await open({ port, connect: { keepAliveSec: 60 } });
    using none = await open({ port, connect: { keepAliveSec: 0 } });
    using short = await open({ port, connect: { keepAliveSec: 1 } });
    expect([long, none, short].map(({ connack }) => connack.properties.serverKeepAliveSec)).toEqual([2, 2, undefined]);
    await Promise.all([long.closed, none.closed]);
    expect([long, none].map(({ disconnected }) => disconnected?.reasonCode)).toEqual([0x8d, 0x8d]);
  });
});

describe('mqtt.receiveMaximum', () => {
  it('is told to the client, which is disconnected when it goes beyond [MQTT-3.3.4-7]', async () => {
    using client = await open();
    expect(client.connack.properties.receiveMaximum).toBe(3);
    const publish = (packetId: number) => ({ type: 'publish', topic: 'x', payload: Buffer.from('x'), qos: 2, packetId }) as const;
    const third = client.answer('pubrec', 3);
    client.send(publish(1), publish(2), publish(3));
    await third;
    await client.ping();
    client.send(publish(4));
    await client.closed;
    expect(client.disconnected?.reasonCode).toBe(0x93);
  });
});

describe('mqtt.topicAliasMaximum', () => {
  it('is told to the client, which may use so many', async () => {
    using client = await open();
    expect(client.connack.properties.topicAliasMaximum).toBe(4);
    const { client: other, heard } = await listen('alias/#');
    using _ = other;
    await client.publish('alias/in', 'one', { qos: 1, properties: { topicAlias: 4 } });
    await client.publish('', 'two', { qos: 1, properties: { topicAlias: 4 } });
    await eventually(async () => (heard.length === 2 ? true : undefined));
    expect(heard.map(({ topic, text, properties }) => [topic, text, properties?.topicAlias])).toEqual([
      ['alias/in', 'one', undefined],
      ['alias/in', 'two', undefined],
    ]);
    client.send({ type: 'publish', topic: 'x', payload: Buffer.alloc(0), qos: 0, properties: { topicAlias: 5 } });
    await client.closed;
    expect(client.disconnected?.reasonCode).toBe(0x94);
  });

  it('counts towards a client too, as far as it offers them: the topic goes over the wire once', async () => {
    const topic = 'a/topic/that/is/long/enough';
    const offered = await listen(topic, { connect: { properties: { topicAliasMaximum: 2 } } });
    const plain = await listen(topic);
    using publisher = await open();
    for (let n = 0; n < 6; n++) await publisher.publish(topic, String(n), { qos: 1 });
    for (const { heard } of [offered, plain]) await eventually(async () => (heard.length === 6 ? true : undefined));
    expect(plain.heard.map((message) => [message.topic, message.properties?.topicAlias])).toEqual(
      Array(6).fill([topic, undefined]),
    );
    const seen = offered.heard.map((message) => [message.topic, message.properties?.topicAlias]);
    expect(seen).toEqual([[topic, undefined], [topic, 1], ...Array<unknown>(4).fill(['', 1])]);
    for (const { client } of [offered, plain]) client.destroy();
  });
});

describe('mqtt.maxPacketBytes', () => {
  it('is told to the client, whose larger packet ends the connection', async () => {
    using client = await open();
    expect(client.connack.properties.maxPacketBytes).toBe(1_000);
    expect(await client.publish('x', 'x'.repeat(990), { qos: 1 })).toBeLessThan(0x80);
    client.send({ type: 'publish', topic: 'x', payload: Buffer.alloc(1_000), qos: 0 });
    await client.closed;
    expect(client.disconnected?.reasonCode).toBe(0x95);
    using old = await open({ version: 4 });
    old.send({ type: 'publish', topic: 'x', payload: Buffer.alloc(1_000), qos: 0 });
    await old.closed;
  });

  it('of the client is kept by the server, which leaves out what is larger [MQTT-3.1.2-24]', async () => {
    const { client, heard } = await listen('size', { connect: { properties: { maxPacketBytes: 100 } } });
    using _ = client;
    using publisher = await open();
    for (const length of [10, 200, 20]) await publisher.publish('size', 'x'.repeat(length), { qos: 1 });
    await eventually(async () => (heard.length === 2 ? true : undefined));
    expect(heard.map(({ text }) => text.length)).toEqual([10, 20]);
  });
});

describe('mqtt.maxQueuedMessages', () => {
  it.each(VERSIONS)(
    'is what waits for a client that is away; the publisher of one more (%i) is not told that all is well',
    async (version) => {
      const clientId = `away-${version}`;
      const kept = { connect: { clientId, cleanStart: false, properties: { sessionExpirySec: 1_000 } } };
      const { client } = await listen(`queue/${version}`, kept);
      await client.disconnect();
      using publisher = await open({ version });
      for (let n = 0; n < 5; n++) expect(await publisher.publish(`queue/${version}`, String(n), { qos: 1 })).toBe(0);
      const sixth = publisher.publish(`queue/${version}`, '5', { qos: 1 });
      if (version === 5) expect(await sixth).toBe(0x97);
      else await expect(sixth).rejects.toThrow(/closed/);
      const heard: string[] = [];
      using back = await open({
        onPacket: (packet: { type: string }) => packet.type === 'publish' && heard.push((packet as ReceivedPublish).text),
        ...kept,
      });
      expect(back.connack.sessionPresent).toBe(true);
      await eventually(async () => (heard.length === 5 ? true : undefined));
      await back.ping();
      expect(heard).toEqual(['0', '1', '2', '3', '4']);
    },
  );
});

describe('mqtt.sessionExpiryMaxSec', () => {
  it('ends the sessions of clients that stay away for longer, whatever they ask for', async () => {
    const ends = async (version: ProtocolVersion): Promise<void> => {
      const clientId = `expires-${version}`;
      const options = {
        port: hasty.mqttPort,
        version,
        connect: { clientId, cleanStart: false, properties: { sessionExpirySec: 1_000 } },
      };
      const first = await open(options);
      if (version === 5) expect(first.connack.properties.sessionExpirySec).toBe(SESSION_SEC);
      await first.disconnect();
      using again = await open(options);
      expect(again.connack.sessionPresent).toBe(true);
      await again.disconnect();
      await eventually(async () => {
        const { items } = await hasty.get<{ items: { clientId: string; state: string }[] }>('/api/v1/clients');
        return items.some((item) => item.clientId === clientId && item.state !== 'gone') ? undefined : true;
      });
      using late = await open(options);
      expect(late.connack.sessionPresent).toBe(false);
    };
    await Promise.all(VERSIONS.map(ends));
  });
});

describe('access.openPolicy', () => {
  it.skipIf(MOSQUITTO_SUB === undefined).each([
    ['mqttv311', 0x80],
    ['mqttv5', 0x87],
  ])('refuses mosquitto_sub (%s) a denied filter with %i', (version, code) => {
    const run = spawnSync(
      MOSQUITTO_SUB ?? '',
      ['-h', '127.0.0.1', '-p', String(selsyn.mqttPort), '-V', version, '-t', 'a/b', '-d', '-W', '30'],
      { encoding: 'utf8' },
    );
    expect(run.stdout).toContain(`Subscribed (mid: 1): ${code}\n`);
    expect(run.stderr).toContain('All subscription requests were denied');
  });

  it.each([
    [4, 0x80],
    [5, 0x87],
  ] as const)('refuses mqtt.js (%i) a denied filter with %i, and gives it the others', async (protocolVersion, code) => {
    const client = await connectAsync(selsyn.mqttUrl, { protocolVersion, reconnectPeriod: 0 });
    await expect(client.subscribeAsync(['a/b', 'a/c'], { qos: 1 })).rejects.toMatchObject({ packet: { granted: [code, 1] } });
    await expect(client.subscribeAsync('$share/group/a/b', { qos: 1 })).rejects.toMatchObject({ packet: { granted: [code] } });
    await client.endAsync();
  });

  it('keeps denied topics from wider filters, and refuses to publish where that is denied', async () => {
    const { client, heard } = await listen('#');
    using _ = client;
    for (const topic of ['a/b', 'secret', 'secret/x', 'a/b/c', 'end']) await client.publish(topic, topic, { qos: 1 });
    await eventually(async () => (heard.some(({ topic }) => topic === 'end') ? true : undefined));
    expect(heard.map(({ topic }) => topic)).toEqual(['a/b/c', 'end']);
    expect(await client.publish('locked', 'x', { qos: 1 })).toBe(0x87);
  });
});
