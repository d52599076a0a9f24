import { afterAll, beforeAll, expect, test } from 'vitest';
import { Kafka, KAFKA_USER } from '../harness/kafka.ts';
import { Selsyn } from '../harness/selsyn.ts';
import { device, forwarder, forwarderWhen, publish, send } from './forwarding.fixture.ts';

const START_MS = 600_000;

let selsyn: Selsyn;
let kafka: Kafka | undefined;

beforeAll(async () => {
  kafka = await Kafka.start();
  selsyn = await Selsyn.start();
}, START_MS);
afterAll(async () => {
  await selsyn[Symbol.asyncDispose]();
  await kafka?.[Symbol.asyncDispose]();
});

test('Kafka gets each record under the id of its device, in order, also when the broker was killed in between', async (context) => {
  if (kafka === undefined) return context.skip('Kafka cannot be had');
  await kafka.createTopic('telemetry', 4);
  await send(selsyn, 'POST', '/forwarders', {
    id: 'kafka',
    target: { kind: 'kafka', brokers: [kafka.broker], topic: 'telemetry', compression: 'snappy' },
    filter: { idPrefix: 'k' },
  });
  expect(await send(selsyn, 'POST', '/forwarders/kafka/test')).toMatchObject({ ok: true });
  await using first = await device(selsyn, 'k-1');
  await using second = await device(selsyn, 'k-2');
  await Promise.all([publish(first, 'k-1', 0, 500), publish(second, 'k-2', 0, 500)]);
  await forwarderWhen(selsyn, 'kafka', ({ sent }) => sent === 1_000);

  await kafka.kill();
  await Promise.all([publish(first, 'k-1', 500, 1_000), publish(second, 'k-2', 500, 1_000)]);
  const dead = await forwarderWhen(selsyn, 'kafka', ({ failures }) => failures > 0);
  expect(dead.state).toMatchObject({ sent: 1_000 });
  expect(dead.state.circuit).not.toBe('closed');
  await kafka.restart();
  await forwarderWhen(selsyn, 'kafka', ({ sent }) => sent === 2_000);

  const messages = await kafka.consume(
    'telemetry',
    (found) => new Set(found.map(({ headers }) => headers['selsyn-id'])).size >= 2_001,
  );
  for (const id of ['k-1', 'k-2']) {
    const own = messages.filter(({ key }) => key === id);
    // In order, where one that came twice counts as it came first.
    expect([...new Set(own.map(({ value }) => value))]).toEqual(Array.from({ length: 1_000 }, (_, n) => `{"n":${n}}`));
    expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
    expect(own[0]?.headers['selsyn-topic']).toBe(`telemetry/${id}`);
  }
});

test('samples go to Kafka one by one, and a topic that is not there is told', async (context) => {
  if (kafka === undefined) return context.skip('Kafka cannot be had');
  await kafka.createTopic('samples', 1);
  await send(selsyn, 'POST', '/forwarders', {
    id: 'samples',
    target: { kind: 'kafka', brokers: [kafka.broker], topic: 'samples' },
    format: 'samples',
    filter: { idPrefix: 'one' },
  });
  await using sender = await device(selsyn, 'one');
  await sender.publishAsync('telemetry/one', '[{"ts":1000,"t":1.5},{"ts":2000,"t":2,"on":true}]', { qos: 1 });
  const messages = await kafka.consume('samples', (found) => found.length === 2);
  expect(messages.map(({ key, value }) => [key, JSON.parse(value)])).toEqual([
    ['one', { device: 'one', ts: 1000, values: { t: 1.5 } }],
    ['one', { device: 'one', ts: 2000, values: { t: 2, on: true } }],
  ]);

  await send(selsyn, 'POST', '/forwarders', {
    id: 'nowhere',
    target: { kind: 'kafka', brokers: [kafka.broker], topic: 'nowhere' },
    filter: { idPrefix: 'one' },
  });
  await sender.publishAsync('telemetry/one', '{"t":3}', { qos: 1 });
  await forwarderWhen(selsyn, 'nowhere', ({ failures }) => failures > 0);
  const { state } = await forwarder(selsyn, 'nowhere');
  expect(state.lastError?.message).toMatch(/topic/i);
  expect(state).toMatchObject({ sent: 0, refused: 0 });
});

test('Kafka is spoken to by TLS and SASL, with a certificate that is checked and a password that must be right', async (context) => {
  if (kafka === undefined) return context.skip('Kafka cannot be had');
  await kafka.createTopic('secured', 1);
  const { username, password } = KAFKA_USER;
  const { authority, client, clientKey } = kafka.certificates;
  const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
  const targetOf = (mechanism: string, tls?: object) => ({
    kind: 'kafka',
    brokers: [kafka!.securedBroker],
    topic: 'secured',
    secure: true,
    sasl: { mechanism, username },
    ...(tls !== undefined && { tls }),
  });
  const tls = { ca: authority, certificate: client };
  const secrets = { password, clientKey };
  await using sender = await device(selsyn, 'guarded');
  for (const mechanism of mechanisms) {
    const filter = { idPrefix: 'guarded' };
    await send(selsyn, 'POST', '/forwarders', { id: mechanism, target: targetOf(mechanism, tls), filter, secrets });
  }
  await publish(sender, 'guarded', 0, 100);
  for (const mechanism of mechanisms) await forwarderWhen(selsyn, mechanism, ({ sent }) => sent === 100);
  const messages = await kafka.consume('secured', (found) => found.length === 300);
  const counts = Map.groupBy(messages, ({ value }) => value);
  expect([...counts.values()].map((same) => same.length)).toEqual(Array.from({ length: 100 }, () => 3));

  for (const [id, target, given, message] of [
    ['wrong-plain', targetOf('PLAIN', tls), { ...secrets, password: 'wrong' }, /authentication failed/i],
    ['wrong-scram', targetOf('SCRAM-SHA-512', tls), { ...secrets, password: 'wrong' }, /authentication failed/i],
    ['unknown-authority', targetOf('PLAIN'), { password }, /self-signed certificate|unable to (verify|get)/i],
    [
      'no-certificate',
      targetOf('PLAIN', { ca: authority }),
      { password },
      /certificate required|handshake|closed|bad certificate/i,
    ],
  ] as const) {
    await send(selsyn, 'POST', '/forwarders', { id, target, secrets: given });
    expect(await send(selsyn, 'POST', `/forwarders/${id}/test`)).toMatchObject({
      ok: false,
      message: expect.stringMatching(message),
    });
  }
});
