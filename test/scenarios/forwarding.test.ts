import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InfluxDb } from '../harness/influxdb.ts';
import { Mosquitto } from '../harness/mosquitto.ts';
import { findProgram } from '../harness/programs.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';
import { WebhookServer } from '../harness/webhook-server.ts';
import { device, forwarder, forwarderWhen, publish, send } from './forwarding.fixture.ts';

let selsyn: Selsyn;

beforeAll(async () => {
  selsyn = await Selsyn.start();
});
afterAll(async () => {
  await selsyn[Symbol.asyncDispose]();
});

test('a webhook gets what a device sends, signed, and what it was sent before is left out', async () => {
  await using hooks = await WebhookServer.start();
  await using sender = await device(selsyn, 'hooked');
  await publish(sender, 'hooked', 0, 3);
  const made = await send(selsyn, 'POST', '/forwarders', {
    id: 'hook',
    target: { kind: 'webhook', url: hooks.url, headers: { 'x-from': 'selsyn' } },
    filter: { idPrefix: 'hook' },
    secrets: { signingKey: 'the key', authorization: 'Bearer abc' },
  });
  expect(made).toMatchObject({ secretNames: ['authorization', 'signingKey'] });
  expect(JSON.stringify(made)).not.toContain('the key');
  await publish(sender, 'hooked', 3, 10);
  await eventually(async () => (hooks.records.length === 7 ? true : undefined));
  expect(hooks.records.map(({ payload }) => payload)).toEqual([3, 4, 5, 6, 7, 8, 9].map((n) => `{"n":${n}}`));
  expect(hooks.records[0]).toMatchObject({ device: 'hooked', topic: 'telemetry/hooked' });
  const [{ headers, body }] = hooks.requests as [(typeof hooks.requests)[0]];
  expect(headers).toMatchObject({
    authorization: 'Bearer abc',
    'x-from': 'selsyn',
    'idempotency-key': expect.stringMatching(/^[0-9a-f]{8}-\d+-\d+-\d+$/),
  });
  const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-selsyn-signature']))!;
  expect(signature).toBe(createHmac('sha256', 'the key').update(`${seconds}.${body}`).digest('hex'));
  await send(selsyn, 'DELETE', '/forwarders/hook');
});

test('a record that the webhook refuses is set aside, shown, and sent again when somebody says so', async () => {
  await using hooks = await WebhookServer.start();
  await using sender = await device(selsyn, 'poison');
  hooks.answer = (records) => (records.some(({ payload }) => payload === '{"n":17}') ? 400 : 200);
  await send(selsyn, 'POST', '/forwarders', {
    id: 'picky',
    target: { kind: 'webhook', url: hooks.url },
    filter: { topics: ['telemetry/poison'] },
  });
  await publish(sender, 'poison', 0, 50);
  const { state } = await forwarderWhen(selsyn, 'picky', ({ refused, lagRecords }) => refused === 1 && lagRecords === 0);
  expect(state).toMatchObject({ sent: 49, circuit: 'closed' });
  expect(hooks.records.map(({ payload }) => payload)).toEqual(
    Array.from({ length: 50 }, (_, n) => `{"n":${n}}`).filter((_, n) => n !== 17),
  );
  const { items } = await selsyn.get<{ items: { payload: string; reason: string }[] }>('/api/v1/forwarders/picky/refused');
  expect(items).toMatchObject([{ device: 'poison', payload: '{"n":17}', reason: 'answered with the status 400: not like this' }]);
  expect(await send(selsyn, 'POST', '/forwarders/picky/refused/resend')).toEqual({ sent: 0, left: 1 });
  hooks.answer = () => 200;
  expect(await send(selsyn, 'POST', '/forwarders/picky/refused/resend')).toEqual({ sent: 1, left: 0 });
  expect(hooks.records.at(-1)).toMatchObject({ payload: '{"n":17}' });
  await send(selsyn, 'DELETE', '/forwarders/picky');
});

test('what comes while a target is dead, and while it is paused, is sent afterwards', async () => {
  await using hooks = await WebhookServer.start();
  await using sender = await device(selsyn, 'away');
  hooks.answer = () => 503;
  await send(selsyn, 'POST', '/forwarders', {
    id: 'dead',
    target: { kind: 'webhook', url: hooks.url },
    filter: { topics: ['telemetry/away'] },
  });
  await publish(sender, 'away', 0, 20);
  const failing = await forwarderWhen(selsyn, 'dead', ({ circuit, failures }) => circuit !== 'closed' && failures > 0);
  expect(failing.state.lastError?.message).toContain('503');
  expect(failing.state.lagRecords).toBeGreaterThan(0);
  expect(failing.state.lagBytes).toBeGreaterThan(0);
  await send(selsyn, 'PATCH', '/forwarders/dead', { paused: true });
  await publish(sender, 'away', 20, 40);
  hooks.answer = () => 200;
  expect(await forwarder(selsyn, 'dead')).toMatchObject({ paused: true, state: { sent: 0 } });
  expect(hooks.records).toEqual([]);
  await send(selsyn, 'PATCH', '/forwarders/dead', { paused: false });
  await forwarderWhen(selsyn, 'dead', ({ sent }) => sent === 40);
  expect(hooks.records.map(({ payload }) => payload)).toEqual(Array.from({ length: 40 }, (_, n) => `{"n":${n}}`));

  await send(selsyn, 'POST', '/forwarders/dead/reset', { to: 'beginning' });
  await forwarderWhen(selsyn, 'dead', ({ sent }) => sent === 80);
  expect(hooks.records.slice(40)).toEqual(hooks.records.slice(0, 40));
  await send(selsyn, 'DELETE', '/forwarders/dead');
});

test('samples are forwarded as the store reads them, of the devices and metrics that are wanted', async () => {
  await using hooks = await WebhookServer.start();
  await send(selsyn, 'POST', '/device-types', { name: 'pump' });
  await using first = await device(selsyn, 'pump-1');
  await send(selsyn, 'PATCH', '/devices/pump-1', { type: 'pump', tags: ['north'] });
  await using second = await device(selsyn, 'pump-2');
  await send(selsyn, 'PATCH', '/devices/pump-2', { type: 'pump' });
  await send(selsyn, 'POST', '/forwarders', {
    id: 'samples',
    target: { kind: 'webhook', url: hooks.url },
    format: 'samples',
    filter: { filter: 'tags has "north"', types: ['pump'], metrics: ['temp*'] },
  });
  for (const [id, sender] of [
    ['pump-1', first],
    ['pump-2', second],
  ] as const) {
    await sender.publishAsync(`telemetry/${id}`, '[{"ts":1000,"values":{"temperature":1.5,"x":1}},{"ts":2000,"x":2}]', {
      qos: 1,
    });
    await sender.publishAsync(`telemetry/${id}`, 'nothing', { qos: 1 });
  }
  const { state } = await forwarderWhen(selsyn, 'samples', ({ sent, lagRecords }) => sent === 1 && lagRecords === 0);
  expect(state).toMatchObject({ undecodable: 1 });
  expect(hooks.records).toMatchObject([{ device: 'pump-1', samples: [{ ts: 1000, values: { temperature: 1.5 } }] }]);

  // From now on the other one is wanted too: the registry is followed.
  await send(selsyn, 'PATCH', '/devices/pump-2', { tags: ['north'] });
  await eventually(async () => {
    const token = ((await send(selsyn, 'POST', '/devices/pump-2/token')) as { token: string }).token;
    const sender = await connectAsync(selsyn.mqttUrl, { clientId: 'pump-2', username: 'pump-2', password: token });
    await sender.publishAsync('telemetry/pump-2', '{"temp":7}', { qos: 1 });
    await sender.endAsync();
    return (await forwarder(selsyn, 'samples')).state.sent > 1 ? true : undefined;
  });
  expect(hooks.records.at(-1)).toMatchObject({ device: 'pump-2' });
  await send(selsyn, 'DELETE', '/forwarders/samples');
});

test.skipIf(findProgram('mosquitto') === undefined)(
  'another MQTT broker gets messages on the topics that the template says',
  async () => {
    await using broker = (await Mosquitto.start())!;
    const subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5 });
    const got: string[] = [];
    subscriber.on('message', (topic, payload, { qos }) => got.push(`${topic} ${payload.toString()} ${qos}`));
    await subscriber.subscribeAsync('#', { qos: 1 });
    await using sender = await device(selsyn, 'bridged');
    await send(selsyn, 'POST', '/forwarders', {
      id: 'bridge',
      target: { kind: 'mqtt', url: `mqtt://127.0.0.1:${broker.port}`, topic: 'site/7/${topic}' },
      filter: { topics: ['telemetry/bridged'] },
    });
    expect(await send(selsyn, 'POST', '/forwarders/bridge/test')).toMatchObject({ ok: true });
    await publish(sender, 'bridged', 0, 3_000);
    await eventually(async () => (got.length >= 3_001 ? true : undefined));
    expect(got[0]).toBe('site/7/telemetry/selsyn-test {"test":1} 1');
    expect(got.slice(1)).toEqual(Array.from({ length: 3_000 }, (_, n) => `site/7/telemetry/bridged {"n":${n}} 1`));
    await subscriber.endAsync();
    await send(selsyn, 'DELETE', '/forwarders/bridge');
  },
);

test.skipIf(findProgram('mosquitto') === undefined)(
  'a record that is too large for a broker of MQTT 3.1.1, which can only close the connection, is set aside and stops nothing',
  async () => {
    await using broker = (await Mosquitto.start(['max_packet_size 20000']))!;
    const subscriber = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 5 });
    const got = new Set<string>();
    subscriber.on('message', (_, payload) => got.add(payload.toString()));
    await subscriber.subscribeAsync('#', { qos: 1 });
    await using sender = await device(selsyn, 'bulky');
    await send(selsyn, 'POST', '/forwarders', {
      id: 'old-bridge',
      target: { kind: 'mqtt', url: `mqtt://127.0.0.1:${broker.port}`, version: 4 },
      filter: { topics: ['telemetry/bulky'] },
    });
    await publish(sender, 'bulky', 0, 300);
    await sender.publishAsync('telemetry/bulky', JSON.stringify({ text: 'x'.repeat(30_000) }), { qos: 1 });
    await publish(sender, 'bulky', 300, 600);
    const { state } = await forwarderWhen(selsyn, 'old-bridge', ({ refused, lagRecords }) => refused === 1 && lagRecords === 0);
    expect(state).toMatchObject({ sent: 600, circuit: 'closed', health: 'well' });
    expect(state.lastRefusal?.message).toMatch(/closed the connection 3 times in a row on this record alone, of 30011 bytes/);
    await eventually(async () => (got.size === 600 ? true : undefined));
    const { items } = await selsyn.get<{ items: { payload: string }[] }>('/api/v1/forwarders/old-bridge/refused');
    expect(items.map(({ payload }) => payload.length)).toEqual([30_011]);
    await publish(sender, 'bulky', 600, 610);
    await eventually(async () => (got.has('{"n":609}') ? true : undefined));
    await subscriber.endAsync();
    await send(selsyn, 'DELETE', '/forwarders/old-bridge');
  },
);

test.skipIf(findProgram('influxd') === undefined)(
  'InfluxDB gets every sample, also those without a time of their own',
  async () => {
    await using influx = (await InfluxDb.start())!;
    await influx.query('CREATE DATABASE site');
    await using sender = await device(selsyn, 'metered');
    await send(selsyn, 'POST', '/forwarders', {
      id: 'influx',
      target: { kind: 'influxdb', url: influx.url, database: 'site' },
      filter: { topics: ['telemetry/metered'] },
    });
    const at = Date.now();
    await publish(sender, 'metered', 0, 500);
    await sender.publishAsync(
      'telemetry/metered',
      JSON.stringify({ ts: at, values: { door: 'op"en, or=so', on: true, 'a b': -1.5 } }),
      { qos: 1 },
    );
    await forwarderWhen(selsyn, 'influx', ({ sent }) => sent === 501);
    const counted = await influx.query('SELECT count(n), sum(n) FROM telemetry', 'site');
    expect(counted.rows[0]?.slice(1)).toEqual([500, (499 * 500) / 2]);
    const { columns, rows } = await influx.query(
      `SELECT door, "on", "a b", device FROM telemetry WHERE time = ${at}000000`,
      'site',
    );
    expect(columns).toEqual(['time', 'door', 'on', 'a b', 'device']);
    expect(rows[0]?.slice(1)).toEqual(['op"en, or=so', true, -1.5, 'metered']);

    // A point that does not fit its field is refused by InfluxDB, and does not keep the others back.
    await sender.publishAsync('telemetry/metered', '{"n":"text"}', { qos: 1 });
    await publish(sender, 'metered', 500, 510);
    const { state } = await forwarderWhen(selsyn, 'influx', ({ refused, lagRecords }) => refused === 1 && lagRecords === 0);
    expect(state.sent).toBe(511);
    expect((await influx.query('SELECT count(n) FROM telemetry', 'site')).rows[0]?.[1]).toBe(510);
    await send(selsyn, 'DELETE', '/forwarders/influx');
  },
);

test('payloads that a decoder reads are forwarded as samples', async () => {
  await using hooks = await WebhookServer.start();
  await send(selsyn, 'POST', '/device-types', { name: 'compact', codec: 'cbor' });
  await using sender = await device(selsyn, 'cbor-1');
  await send(selsyn, 'PATCH', '/devices/cbor-1', { type: 'compact' });
  const target = { kind: 'webhook', url: hooks.url };
  await send(selsyn, 'POST', '/forwarders', { id: 'decoded', target, format: 'samples', filter: { idPrefix: 'cbor' } });
  await send(selsyn, 'POST', '/forwarders', { id: 'bytes', target, filter: { idPrefix: 'cbor' } });
  // {"t": 7}
  const payload = Buffer.from('a1617407', 'hex');
  await sender.publishAsync('telemetry/cbor-1', payload, { qos: 1 });
  await eventually(async () => (hooks.records.length === 2 ? true : undefined));
  const { samples } = hooks.records.find((record) => record.samples !== undefined) ?? {};
  expect(samples?.map(({ values }) => values)).toEqual([{ t: 7 }]);
  expect(hooks.records.find((record) => record.samples === undefined)).toMatchObject({
    payloadBase64: payload.toString('base64'),
  });
  for (const id of ['decoded', 'bytes']) await send(selsyn, 'DELETE', `/forwarders/${id}`);
});

test('another Selsyn takes what is bridged to it over TLS', async () => {
  await using other = await Selsyn.start({ settings: ['access.mode=open'] });
  const target = { kind: 'mqtt', url: other.mqttsUrl.replace('localhost', '127.0.0.1') };
  await send(selsyn, 'POST', '/forwarders', { id: 'tls', target, filter: { idPrefix: 'far' } });
  expect(await send(selsyn, 'POST', '/forwarders/tls/test')).toMatchObject({
    ok: false,
    message: expect.stringMatching(/certificate/i),
  });
  await send(selsyn, 'PATCH', '/forwarders/tls', { target: { ...target, tls: { ca: readFileSync(other.caFile, 'utf8') } } });
  expect(await send(selsyn, 'POST', '/forwarders/tls/test')).toMatchObject({ ok: true });
  await using sender = await device(selsyn, 'far-1');
  await sender.publishAsync('telemetry/far-1', '{"depth":11}', { qos: 1 });
  const shown = await eventually(async () => {
    const found = await other.fetch('/api/v1/devices/far-1/telemetry?metrics=depth');
    const text = await found.text();
    return found.ok && text.includes('depth') ? text : undefined;
  });
  expect(shown).toMatch(/"depth":\[\[\d+,11\]\]/);
  await send(selsyn, 'DELETE', '/forwarders/tls');
});

test('an address at which clouds keep the secrets of machines is refused', async () => {
  for (const target of [
    { kind: 'webhook', url: 'http://169.254.169.254/latest' },
    { kind: 'influxdb', url: 'http://[fd00:ec2::254]/', database: 'x' },
    { kind: 'mqtt', url: 'mqtt://169.254.169.254' },
    { kind: 'kafka', brokers: ['169.254.169.254:9092'], topic: 't' },
  ]) {
    const format = target.kind === 'influxdb' ? 'samples' : 'raw';
    await expect(send(selsyn, 'POST', '/forwarders', { id: 'evil', target, format })).rejects.toThrow('400');
  }
});
