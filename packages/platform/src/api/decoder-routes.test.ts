import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) {
  const answer = await api.app.inject({
    method,
    url: `/api/v1${url}`,
    headers: asAdmin,
    ...(payload !== undefined && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json<Record<string, unknown>>() };
}

const format = { kind: 'packed', layout: '>Bb', fields: ['n', { metric: 't', unit: '°F' }] };

test('decoders are declared, shown, changed and removed, each with an audit entry', async () => {
  const made = await ask('POST', '/decoders', { name: 'probe-v1', description: 'two bytes', format });
  expect(made).toMatchObject({ status: 201, body: { name: 'probe-v1', builtIn: false, format, compression: 'none' } });
  expect((await ask('POST', '/decoders', { name: 'probe-v1', format })).body).toMatchObject({ code: 'decoder.exists' });
  expect((await ask('GET', '/decoders/probe-v1')).body).toEqual(made.body);
  expect((await ask('GET', '/decoders/none')).body).toMatchObject({ code: 'decoder.not-found' });
  const { items } = (await ask('GET', '/decoders')).body as { items: { name: string; builtIn: boolean }[] };
  expect(items.filter(({ builtIn }) => !builtIn).map(({ name }) => name)).toEqual(['probe-v1']);
  expect(items.map(({ name }) => name)).toEqual(expect.arrayContaining(['json', 'cbor', 'senml', 'batch', 'thingsboard']));
  expect((await ask('GET', '/decoders/senml')).body).toMatchObject({ builtIn: true, compression: 'auto' });
  expect((await ask('PATCH', '/decoders/probe-v1', { compression: 'gzip' })).body).toMatchObject({ format, compression: 'gzip' });
  expect((await ask('PATCH', '/decoders/none', {})).body).toMatchObject({ code: 'decoder.not-found' });
  expect((await ask('DELETE', '/decoders/probe-v1')).status).toBe(204);
  expect((await ask('DELETE', '/decoders/probe-v1')).body).toMatchObject({ code: 'decoder.not-found' });
  expect((await ask('DELETE', '/decoders/senml')).body).toMatchObject({ detail: expect.stringContaining('senml is built in') });
  const entries = await api.audit.list({ limit: 10 });
  expect(entries.map(({ action }) => action).filter((action) => action.startsWith('decoder.'))).toEqual([
    'decoder.delete',
    'decoder.update',
    'decoder.create',
  ]);
});

test.each([
  [{ name: 'json', format: { kind: 'json' } }, /is built in/],
  [{ name: 'a b', format }, /.*/],
  [{ name: 'x', format: { kind: 'none' } }, /.*/],
  [{ name: 'x', format: { ...format, layout: 'Qf' } }, /begins with >/],
  [{ name: 'x', format: { ...format, fields: ['a'] } }, /has 2 items/],
  [{ name: 'x', format: { kind: 'paths', metrics: [{ metric: 'a', path: '$..a' }] } }, /is not understood/],
  [{ name: 'x', format, more: 1 }, /.*/],
])('%j is refused, and told why', async (draft, message) => {
  expect(await ask('POST', '/decoders', draft)).toMatchObject({
    status: 400,
    body: { code: 'request.invalid', detail: expect.stringMatching(message) },
  });
});

test('a message is tried before devices send it, by a decoder, by one that is not declared yet, and as a type would read it', async () => {
  const telemetry = [{ metric: 't', type: 'number', unit: '°C', max: 30 }];
  await ask('POST', '/decoders', { name: 'probe', format, compression: 'auto' });
  expect((await ask('POST', '/device-types', { name: 'probe', codec: 'probe', telemetry })).status).toBe(201);
  expect((await ask('POST', '/decoders/probe/test', { payloadHex: '07 4d' })).body).toEqual({
    ok: true,
    points: [
      { metric: 'n', value: 7 },
      { metric: 't', value: 77 },
    ],
    count: 2,
    unitsKept: [],
  });
  const asType = { ok: true, count: 2, points: [{ metric: 'n' }, { metric: 't', value: 25, unit: '°C' }] };
  const payloadBase64 = gzipSync(Uint8Array.of(7, 77)).toString('base64');
  expect((await ask('POST', '/decoders/probe/test', { payloadBase64, type: 'probe' })).body).toMatchObject(asType);
  expect((await ask('POST', '/device-types/probe/decode', { payloadBase64 })).body).toMatchObject(asType);
  expect((await ask('POST', '/decoders/test', { format, payloadHex: '07 7f', type: 'probe' })).body).toMatchObject({
    points: [{ metric: 'n' }, { metric: 't', value: 52.7777777778, outOfRange: true }],
  });
  expect(
    (await ask('POST', '/decoders/senml/test', { payload: '[{"n":"a","u":"Beaufort","v":1,"t":1320067464}]' })).body,
  ).toMatchObject({
    points: [{ metric: 'a', value: 1, timeMs: 1_320_067_464_000 }],
  });
  expect((await ask('POST', '/device-types/probe/decode', { payloadHex: '07' })).body).toEqual({
    ok: false,
    points: [],
    count: 0,
    unitsKept: [],
    error: { code: 'telemetry.malformed', reason: 'The message has 1 bytes, and the layout 2.' },
  });
  await ask('PATCH', '/device-types/probe', { codec: '' });
  expect((await ask('POST', '/device-types/probe/decode', { payload: '{"t":31}' })).body).toMatchObject({
    points: [{ metric: 't', value: 31, outOfRange: true }],
  });
  for (const body of [{}, { payload: 'x', payloadHex: '00' }, { payloadHex: '0' }]) {
    expect((await ask('POST', '/device-types/probe/decode', body)).status).toBe(400);
  }
  expect((await ask('POST', '/decoders/none/test', { payload: '' })).body).toMatchObject({ code: 'decoder.not-found' });
  expect((await ask('POST', '/device-types/none/decode', { payload: '' })).body).toMatchObject({ code: 'device-type.not-found' });
  expect((await ask('POST', '/decoders/test', { format: { ...format, layout: '>z' }, payload: '' })).status).toBe(400);
});

test('a type names only what there is, and what it names stays', async () => {
  const refused = await ask('POST', '/device-types', { name: 'probe', codec: 'probe' });
  expect(refused).toMatchObject({ status: 400, body: { detail: 'there is no decoder "probe": declare it first' } });
  await ask('POST', '/decoders', { name: 'probe', format });
  expect((await ask('POST', '/device-types', { name: 'probe', codec: 'probe' })).status).toBe(201);
  expect((await ask('DELETE', '/decoders/probe')).body).toMatchObject({ code: 'decoder.in-use', details: { types: ['probe'] } });
  expect((await ask('PATCH', '/device-types/probe', { codec: 'other' })).status).toBe(400);
  expect((await ask('GET', '/device-types/probe')).body).not.toHaveProperty('codecMissing');
  // As an older program has left it, or a backup.
  await api.database.deleteFrom('decoder').execute();
  expect((await ask('GET', '/device-types/probe')).body).toMatchObject({ codec: 'probe', codecMissing: true });
  expect((await ask('POST', '/device-types/probe/decode', { payload: '{}' })).body).toMatchObject({
    error: { reason: 'The codec of the device type is "probe", and there is no decoder of this name.' },
  });
  expect((await ask('PATCH', '/device-types/probe', { codec: '' })).body).not.toHaveProperty('codec');
});

test('the newest value says whether it is out of range, and what was is listed', async () => {
  const device = parseDeviceId('d1');
  await ask('POST', '/device-types', { name: 'probe', telemetry: [{ metric: 't', type: 'number', min: 0, max: 30 }] });
  await ask('POST', '/devices', { id: 'd1', type: 'probe' });
  const latest = async () => (await ask('GET', '/devices/d1/telemetry/latest')).body;
  api.telemetry.latestValues = new Map([
    ['d1', [{ metric: 't', timeMs: 5, value: 31 }, { metric: 'u', timeMs: 6, value: 99 }]],
  ]); // prettier-ignore
  expect(await latest()).toEqual({ t: [5, 31, { outOfRange: true }], u: [6, 99] });
  await ask('PATCH', '/device-types/probe', { telemetry: [{ metric: 't', type: 'number', max: 31 }] });
  expect(await latest()).toEqual({ t: [5, 31], u: [6, 99] });
  api.telemetry.quality = [{ device, metric: 't', kind: 'out-of-range', count: 3, lastMs: 5, lastValue: 31 }];
  expect((await ask('GET', '/telemetry-quality?device=d1&kind=out-of-range')).body).toEqual({ items: api.telemetry.quality });
  expect((await ask('GET', '/telemetry-quality?kind=none')).status).toBe(400);
});
