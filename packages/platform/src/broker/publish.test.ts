import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { openTestBroker, publishOf, settled, subscribeOf, type TestClient } from './broker.fixture.ts';

async function codes(client: TestClient): Promise<[type: string, packetId: number, code: number][]> {
  return (await client.take()).flatMap((packet) =>
    'packetId' in packet && 'reasonCode' in packet ? [[packet.type, packet.packetId, packet.reasonCode]] : [],
  );
}

describe('a PUBLISH', () => {
  it('reaches its subscribers at the lower QoS of the two', async () => {
    const { connect } = openTestBroker();
    const subscribers = await Promise.all([0, 1, 2].map((qos) => connect(5, { clientId: `s${qos}` })));
    for (const [qos, subscriber] of subscribers.entries()) subscriber.send(subscribeOf('a/+', qos as 0 | 1 | 2));
    const publisher = await connect(4, { clientId: 'p' });
    for (const qos of [0, 1, 2] as const) publisher.publish('a/b', `at ${qos}`, { qos, packetId: 9 + qos });
    for (const [limit, subscriber] of subscribers.entries()) {
      const got = (await subscriber.take()).flatMap((packet) =>
        packet.type === 'publish' ? [[packet.text, packet.qos, packet.retain]] : [],
      );
      expect(got).toEqual([0, 1, 2].map((qos) => [`at ${qos}`, Math.min(qos, limit), false]));
    }
  });

  it('is acknowledged at once when nothing wants it in the log, and says when nobody subscribes', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    client.publish('a', 'x', { qos: 1, packetId: 5 });
    client.publish('a', 'x', { qos: 2, packetId: 6 });
    expect(await codes(client)).toEqual([
      ['puback', 5, 0x10],
      ['pubrec', 6, 0x10],
    ]);
    client.send(subscribeOf('a'));
    client.publish('a', 'x', { qos: 1, packetId: 7 });
    expect(await codes(client)).toEqual([['puback', 7, 0]]);
  });

  it('to the intake is acknowledged when it is durable, not before', async () => {
    const { connect, intake } = openTestBroker();
    const client = await connect(4);
    client.publish('telemetry/d', '1', { qos: 1, packetId: 1 });
    client.publish('telemetry/d', '2', { qos: 2, packetId: 2 });
    client.publish('telemetry/d', '3', { qos: 0 });
    client.publish('telemetry/d', '4', { qos: 1, packetId: 4 });
    expect(intake.accepted).toEqual(['1', '2', '3', '4']);
    expect(intake.claimed).toEqual(['telemetry/d']);
    expect(await client.take()).toEqual([]);
    intake.settle(2);
    expect(await codes(client)).toEqual([
      ['puback', 1, 0],
      ['pubrec', 2, 0],
    ]);
    intake.settle();
    expect(await codes(client)).toEqual([['puback', 4, 0]]);
  });

  it('is acknowledged in order with those that wait for the log [MQTT-4.6.0-2]', async () => {
    const { connect, intake } = openTestBroker();
    const client = await connect(5);
    const other = await connect(5, { clientId: 'other' });
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    client.publish('plain', 'x', { qos: 1, packetId: 2 });
    client.publish('secret', 'x', { qos: 1, packetId: 3 });
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 4 });
    other.publish('plain', 'x', { qos: 1, packetId: 9 });
    expect(await codes(client)).toEqual([]);
    expect(await codes(other)).toEqual([['puback', 9, 0x10]]);
    intake.settle(1);
    expect(await codes(client)).toEqual([
      ['puback', 1, 0],
      ['puback', 2, 0x10],
      ['puback', 3, 0x87],
    ]);
    intake.settle(2);
    expect(await codes(client)).toEqual([['puback', 4, 0]]);
  });

  it('writes the acknowledgements of one turn at once', async () => {
    const { connect, intake } = openTestBroker();
    const client = await connect(4);
    client.send(...Array.from({ length: 20 }, (_, i) => publishOf('telemetry/d', 'x', { qos: 1, packetId: i + 1 })));
    intake.settle();
    await settled();
    expect(client.transport.chunks.map(({ length }) => length)).toEqual([80]);
  });

  it('of QoS 2 is taken once, however often it is sent before PUBREL', async () => {
    const { connect, intake } = openTestBroker();
    const client = await connect(4);
    client.publish('telemetry/d', 'x', { qos: 2, packetId: 7 });
    client.publish('telemetry/d', 'x', { qos: 2, packetId: 7, dup: true });
    expect(await client.take()).toEqual([]);
    intake.settle();
    client.publish('telemetry/d', 'x', { qos: 2, packetId: 7, dup: true });
    expect(await codes(client)).toEqual([
      ['pubrec', 7, 0],
      ['pubrec', 7, 0],
    ]);
    expect(intake.accepted.length).toBe(1);
    client.send({ type: 'pubrel', packetId: 7, reasonCode: 0 }, { type: 'pubrel', packetId: 7, reasonCode: 0 });
    expect((await client.take()).map(({ type }) => type)).toEqual(['pubcomp', 'pubcomp']);
    client.publish('telemetry/d', 'y', { qos: 2, packetId: 7 });
    expect(intake.accepted.length).toBe(2);
  });

  it('a PUBREL without its PUBLISH is told so in 5.0', async () => {
    const { connect } = openTestBroker();
    const client = await connect(5);
    client.send({ type: 'pubrel', packetId: 3, reasonCode: 0 });
    expect(await codes(client)).toEqual([['pubcomp', 3, 0x92]]);
  });

  it('that the log has no room for is refused in 5.0, and ends a 3.1.1 connection unacknowledged', async () => {
    const { connect, intake, broker } = openTestBroker();
    const modern = await connect(5, { clientId: 'modern' });
    const old = await connect(4, { clientId: 'old' });
    modern.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    modern.publish('telemetry/d', 'x', { qos: 2, packetId: 2 });
    old.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    intake.reject('log.full');
    expect(await codes(modern)).toEqual([
      ['puback', 1, 0x97],
      ['pubrec', 2, 0x97],
    ]);
    expect(await old.take()).toEqual([]);
    expect(old.transport.ended).toBe(true);
    expect([broker.counters.dropped['log-rejected'], broker.counters.closed['no-room']]).toEqual([3, 1]);
    modern.publish('telemetry/d', 'x', { qos: 2, packetId: 2 });
    intake.reject('log.failed');
    expect(await codes(modern)).toEqual([['pubrec', 2, 0x83]]);
    modern.publish('telemetry/d', 'x', { qos: 2, packetId: 2 });
    intake.settle();
    expect(await codes(modern)).toEqual([['pubrec', 2, 0]]);
  });

  it('that the intake does not take at all is refused', async () => {
    const { connect, intake } = openTestBroker();
    intake.failure = new SelsynError('request.too-large', 'too large');
    const client = await connect(5);
    client.publish('telemetry/d', 'x', { qos: 1, packetId: 1 });
    client.publish('telemetry/d', 'x', { qos: 0 });
    expect(await codes(client)).toEqual([['puback', 1, 0x83]]);
  });

  it('that is not allowed is refused where there is a way, and else ends the connection', async () => {
    const { connect, broker } = openTestBroker();
    const modern = await connect(5, { clientId: 'modern' });
    modern.publish('secret', 'x', { qos: 1, packetId: 1 });
    modern.publish('secret', 'x', { qos: 2, packetId: 2 });
    expect(await codes(modern)).toEqual([
      ['puback', 1, 0x87],
      ['pubrec', 2, 0x87],
    ]);
    modern.publish('secret', 'x');
    expect(await modern.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x87 }]);
    for (const qos of [0, 1, 2] as const) {
      const old = await connect(4, { clientId: 'old' });
      old.publish('secret', 'x', { qos, packetId: qos === 0 ? 0 : 1 });
      expect(await old.take()).toEqual([]);
      expect(old.transport.ended).toBe(true);
    }
    expect(broker.counters.closed['not-authorized']).toBe(4);
  });

  it('stands no more than the receive maximum unacknowledged [MQTT-3.3.4-7]', async () => {
    const { connect, intake } = openTestBroker({ limits: { receiveMaximum: 3 } });
    const client = await connect(5);
    for (let round = 0; round < 5; round++) {
      for (let id = 1; id <= 3; id++) client.publish('telemetry/d', 'x', { qos: id === 3 ? 2 : 1, packetId: id });
      intake.settle();
      client.send({ type: 'pubrel', packetId: 3, reasonCode: 0 });
    }
    expect((await client.take()).length).toBe(20);
    for (let id = 1; id <= 4; id++) client.publish('telemetry/d', 'x', { qos: 1, packetId: id });
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x93 }]);
  });

  it('may use topic aliases up to the maximum', async () => {
    const { connect } = openTestBroker();
    const subscriber = await connect(5, { clientId: 's' });
    subscriber.send(subscribeOf('a/#'));
    await subscriber.take();
    const client = await connect(5);
    client.publish('a/b', '1', { properties: { topicAlias: 32 } });
    client.publish('', '2', { properties: { topicAlias: 32 } });
    client.publish('a/c', '3', { properties: { topicAlias: 32 } });
    client.publish('', '4', { properties: { topicAlias: 32 } });
    expect(await subscriber.take()).toMatchObject([
      { topic: 'a/b', text: '1', properties: undefined },
      { topic: 'a/b', text: '2' },
      { topic: 'a/c', text: '3' },
      { topic: 'a/c', text: '4' },
    ]);
    client.publish('', 'x', { properties: { topicAlias: 5 } });
    expect(await client.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x82 }]);
    const greedy = await connect(5);
    greedy.publish('a', 'x', { properties: { topicAlias: 33 } });
    expect(await greedy.take()).toMatchObject([{ type: 'disconnect', reasonCode: 0x94 }]);
  });

  it('takes its properties along to 5.0 subscribers, and none to 3.1.1 ones', async () => {
    const { connect } = openTestBroker();
    const modern = await connect(5, { clientId: 'modern' });
    const old = await connect(4, { clientId: 'old' });
    modern.send(subscribeOf('a'));
    old.send(subscribeOf('a'));
    const properties = {
      payloadIsUtf8: true,
      messageExpirySec: 30,
      responseTopic: 'r',
      correlationData: Buffer.from('c'),
      contentType: 'text/plain',
      userProperties: [
        ['k', '1'],
        ['k', '2'],
      ],
    } as const;
    const publisher = await connect(5, { clientId: 'p' });
    publisher.publish('a', 'x', { properties: { ...properties, topicAlias: 1 } });
    const got = (await modern.take()).at(-1);
    expect(got).toMatchObject({ properties: { ...properties, correlationData: expect.anything() } });
    expect(got).not.toHaveProperty('properties.topicAlias');
    expect((await old.take()).at(-1)).toMatchObject({ text: 'x', properties: undefined });
  });

  it('with too many levels is refused', async () => {
    const { connect } = openTestBroker({ limits: { maxTopicLevels: 3 } });
    const client = await connect(5);
    client.publish('a/b/c', 'x', { qos: 1, packetId: 1 });
    client.publish('a/b/c/d', 'x', { qos: 1, packetId: 2 });
    expect(await codes(client)).toEqual([
      ['puback', 1, 0x10],
      ['puback', 2, 0x90],
    ]);
  });

  it('is not read while the intake is saturated, and goes on when it has drained', async () => {
    const { connect, intake, broker } = openTestBroker();
    const client = await connect(4);
    intake.saturated = true;
    client.send(publishOf('telemetry/d', '1', { qos: 1, packetId: 1 }), publishOf('telemetry/d', '2', { qos: 1, packetId: 2 }));
    expect([client.transport.paused, intake.accepted.length]).toEqual([true, 0]);
    intake.drain();
    expect([client.transport.paused, intake.accepted.length, broker.counters.readingPauses]).toEqual([false, 2, 1]);
  });

  it('in pieces is put together', async () => {
    const { connect, intake } = openTestBroker();
    const client = await connect(4);
    const bytes = encodePacket(publishOf('telemetry/d', 'whole', { qos: 1, packetId: 1 }), 4);
    for (const byte of bytes) client.sendBytes(Uint8Array.of(byte));
    expect(intake.accepted).toEqual(['whole']);
  });
});
