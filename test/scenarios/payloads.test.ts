import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, Selsyn } from '../harness/selsyn.ts';

/** Each format by real MQTT: a device of a type that is read so, from its token to what the API answers. */
let selsyn: Selsyn;
const clients: MqttClient[] = [];

beforeAll(async () => {
  selsyn = await Selsyn.start();
});
afterAll(async () => {
  for (const client of clients) await client.endAsync();
  await selsyn[Symbol.asyncDispose]();
});

async function post(path: string, body: object): Promise<{ readonly token?: string }> {
  const answer = await selsyn.fetch(`/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { token?: string };
}

/** A device of a type of its own, connected. */
async function deviceOf(id: string, type: object): Promise<MqttClient> {
  await post('/device-types', { name: `type-of-${id}`, ...type });
  const { token = '' } = await post('/devices', { id, type: `type-of-${id}` });
  const client = await connectAsync(selsyn.mqttUrl, { clientId: id, username: id, password: token });
  clients.push(client);
  return client;
}

type Latest = Readonly<Record<string, readonly [number, unknown, object?]>>;

/** The newest values once there are so many. */
async function latest(id: string, count: number): Promise<Latest> {
  return await eventually(async () => {
    const found = await selsyn.get<Latest>(`/api/v1/devices/${id}/telemetry/latest`);
    return Object.keys(found).length >= count ? found : undefined;
  });
}

const values = (found: Latest): Record<string, unknown> =>
  Object.fromEntries(Object.entries(found).map(([metric, [, value]]) => [metric, value]));

const SAMPLE = { temperature: 21.5, door: true, state: 'idle' };
/** The same in CBOR (RFC 8949). */
const CBOR_BYTES = Buffer.from('a36b74656d7065726174757265f94d6064646f6f72f56573746174656469646c65', 'hex');
const JSON_BYTES = Buffer.from(JSON.stringify(SAMPLE));

test.each<[string, object | undefined, object, Uint8Array, object]>([
  ['no-codec', undefined, {}, JSON_BYTES, SAMPLE],
  ['json-gzip', undefined, { codec: 'json' }, gzipSync(JSON_BYTES), SAMPLE],
  ['json-zlib', undefined, { codec: 'json' }, deflateSync(JSON_BYTES), SAMPLE],
  ['json-zstd', undefined, { codec: 'json' }, zstdCompressSync(JSON_BYTES), SAMPLE],
  ['cbor', undefined, { codec: 'cbor' }, CBOR_BYTES, SAMPLE],
  ['cbor-gzip', undefined, { codec: 'cbor' }, gzipSync(CBOR_BYTES), SAMPLE],
  [
    'senml-json',
    undefined,
    { codec: 'senml', telemetry: [{ metric: 'urn:x:t', type: 'number', unit: '°C' }] },
    Buffer.from('[{"bn":"urn:x:","n":"t","u":"K","v":294.65},{"n":"label","vs":"Machine Room"},{"n":"open","vb":false}]'),
    { 'urn:x:t': 21.5, 'urn:x:label': 'Machine Room', 'urn:x:open': false },
  ],
  [
    'senml-cbor',
    { format: { kind: 'senml', names: 'local' } },
    {},
    Buffer.from('81a3216675726e3a783a00617402f94d60', 'hex'),
    { t: 21.5 },
  ],
  [
    'packed',
    { format: { kind: 'packed', layout: '>fHB', fields: ['temperature', { metric: 'battery', scale: 0.001 }, { bits: [{ metric: 'door', at: 7 }] }] } }, // prettier-ignore
    {},
    Buffer.from('41ac00000ce480', 'hex'),
    { temperature: 21.5, battery: 3.3, door: true },
  ],
  [
    'packed-zstd',
    {
      format: { kind: 'packed', layout: '<h', fields: [{ metric: 'temperature', scale: 0.01 }], repeat: true },
      compression: 'zstd',
    },
    {},
    zstdCompressSync(Buffer.from('6608', 'hex')),
    { temperature: 21.5 },
  ],
  [
    'paths',
    { format: { kind: 'paths', metrics: [{ metric: 'temperature', path: '$.object.t', unit: '°F' }] } },
    { telemetry: [{ metric: 'temperature', type: 'number', unit: '°C' }] },
    Buffer.from('{"object":{"t":70.7},"rx":[]}'),
    { temperature: 21.5 },
  ],
  ['batch', { format: { kind: 'batch', metric: 'temperature' } }, {}, Buffer.from('{"values":[20,21,21.5],"interval":60}'), { temperature: 21.5 }], // prettier-ignore
])('%s', async (id, decoder, type, payload, expected) => {
  if (decoder !== undefined) await post('/decoders', { name: `decoder-of-${id}`, ...decoder });
  const client = await deviceOf(id, { ...(decoder !== undefined && { codec: `decoder-of-${id}` }), ...type });
  await client.publishAsync(`telemetry/${id}`, Buffer.from(payload), { qos: 1 });
  expect(values(await latest(id, Object.keys(expected).length))).toEqual(expected);
});

test('a batch is as many points, at equal distances', async () => {
  const found = await selsyn.get<{ temperature: [number, number][] }>('/api/v1/devices/batch/telemetry');
  expect(found.temperature.map(([, value]) => value)).toEqual([20, 21, 21.5]);
  expect(found.temperature[2]![0] - found.temperature[0]![0]).toBe(120_000);
});

test('a device of ThingsBoard connects with nothing but its token, and sends where it always did', async () => {
  const token = await selsyn.addDevice('board');
  const client = await connectAsync(selsyn.mqttUrl, { clientId: 'any-client-id', username: token });
  clients.push(client);
  await client.publishAsync('v1/devices/me/telemetry', '{"temperature":21.5,"config":{"on":[1,2]}}', { qos: 1 });
  await client.publishAsync('v2/t', '{"short":1}', { qos: 1 });
  expect(values(await latest('board', 3))).toEqual({ temperature: 21.5, config: '{"on":[1,2]}', short: 1 });
  await expect(connectAsync(selsyn.mqttUrl, { username: `${token.slice(1)}x`, reconnectPeriod: 0 })).rejects.toThrow(/Not authorized|Bad user/i); // prettier-ignore
});

test('what is out of range is stored, marked and counted', async () => {
  const client = await deviceOf('ranged', { telemetry: [{ metric: 't', type: 'number', min: 0, max: 30 }] });
  for (const t of [31, 12, 99]) await client.publishAsync('telemetry/ranged', JSON.stringify({ t }), { qos: 1 });
  await eventually(async () => {
    const { t } = await selsyn.get<Latest>('/api/v1/devices/ranged/telemetry/latest');
    return t?.[1] === 99 ? expect(t[2]).toEqual({ outOfRange: true }) === undefined : undefined;
  });
  const item = await eventually(async () => {
    const { items } = await selsyn.get<{ items: readonly object[] }>('/api/v1/telemetry-quality?device=ranged');
    return items[0];
  });
  expect(item).toMatchObject({ device: 'ranged', metric: 't', kind: 'out-of-range', count: 2, lastValue: 99 });
});

test('what a codec refuses is a dead letter with its reason, and a codec that is changed counts at once', async () => {
  await post('/decoders', { name: 'changing', format: { kind: 'packed', layout: '>B', fields: ['v'] } });
  const client = await deviceOf('changing', { codec: 'changing' });
  const publish = async (hex: string): Promise<void> =>
    void (await client.publishAsync('telemetry/changing', Buffer.from(hex, 'hex'), { qos: 1 }));
  await publish('0102');
  const letter = await eventually(async () => {
    const { items } = await selsyn.get<{ items: readonly object[] }>('/api/v1/dead-letters?device=changing');
    return items[0];
  });
  expect(letter).toMatchObject({ code: 'telemetry.malformed', reason: 'The message has 2 bytes, and the layout 1.', payloadBase64: 'AQI=' }); // prettier-ignore
  // No pause before the message: what is answered before it is sent holds for it. What is not read yet would be read by the next.
  for (const [metric, byte] of [
    ['a', '01'],
    ['b', '02'],
    ['c', '03'],
  ] as const) {
    // prettier-ignore
    const body = JSON.stringify({ format: { kind: 'packed', layout: '>B', fields: [metric] } });
    const headers = { 'content-type': 'application/json' };
    expect((await selsyn.fetch('/api/v1/decoders/changing', { method: 'PATCH', headers, body })).status).toBe(200);
    await publish(byte);
    await eventually(async () => (await latest('changing', 1))[metric]);
  }
  expect(values(await latest('changing', 3))).toEqual({ a: 1, b: 2, c: 3 });
});
