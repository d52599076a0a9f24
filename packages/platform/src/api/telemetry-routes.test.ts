import { expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import type { PointColumns } from '../telemetry/telemetry-queries.ts';
import { addDevice, asAdmin, columns, openTestApi, type TestApi } from './api.fixture.ts';

const url = '/api/v1/devices/sensor1/telemetry';

async function openWithDevice(): Promise<TestApi> {
  const api = await openTestApi();
  await addDevice(api, 'sensor1');
  return api;
}

test('points come as pairs under the name of their metric, and nothing else', async () => {
  await using api = await openWithDevice();
  const mixed: PointColumns = { times: Float64Array.of(3, 4, 5), values: [true, 'on "fire"', -0.5] };
  api.telemetry.series = new Map([
    [
      'a',
      columns([
        [1, 1.5],
        [2, 1e21],
      ]),
    ],
    ['b', columns([])],
    ['__proto__', mixed],
  ]);
  const answer = await api.app.inject({ url: `${url}?metrics=a,b`, headers: asAdmin });
  expect(answer.body).toBe('{"a":[[1,1.5],[2,1e+21]],"b":[],"__proto__":[[3,true],[4,"on \\"fire\\""],[5,-0.5]]}');
  expect(answer.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  expect(answer.headers).not.toHaveProperty('link');
});

test('without parameters all metrics and all times are asked for, 10,000 points', async () => {
  await using api = await openWithDevice();
  expect((await api.app.inject({ url, headers: asAdmin })).body).toBe('{}');
  expect(api.telemetry.ranges).toEqual([{ device: 'sensor1', fromMs: -MAX_TIME_MS, toMs: MAX_TIME_MS, limit: 10_000 }]);
});

test('parameters arrive at the store as they are meant', async () => {
  await using api = await openWithDevice();
  await api.app.inject({
    url: `${url}?metrics=a,b&metrics=c,a&from=now-1h&to=2023-11-14T23:00:00%2B01:00&limit=1000000&cursor=xyz`,
    headers: asAdmin,
  });
  expect(api.telemetry.ranges).toEqual([
    {
      device: 'sensor1',
      metrics: ['a', 'b', 'c'],
      fromMs: 1_700_000_000_000 - 3_600_000,
      toMs: Date.UTC(2023, 10, 14, 22),
      limit: 1_000_000,
      cursor: 'xyz',
    },
  ]);
});

test('where more is left, the headers say how to go on', async () => {
  await using api = await openWithDevice();
  api.telemetry.series = new Map([['a', columns([[1, 1]])]]);
  api.telemetry.nextCursor = 'next one';
  const answer = await api.app.inject({ url: `${url}?metrics=a&limit=1&cursor=before`, headers: asAdmin });
  expect(answer.headers['selsyn-next-cursor']).toBe('next one');
  const link = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers['link']))?.[1] ?? '';
  await api.app.inject({ url: link, headers: asAdmin });
  expect(api.telemetry.ranges.at(-1)).toMatchObject({ metrics: ['a'], limit: 1, cursor: 'next one' });
});

test('an answer of many points is made while it is sent, and is the same text', async () => {
  await using api = await openWithDevice();
  const points = Array.from({ length: 200_000 }, (_, i) => [i * 1000, i / 4] as const);
  api.telemetry.series = new Map([
    ['a', columns(points)],
    ['b', columns([[1, 2]])],
  ]);
  const answer = await api.app.inject({ url, headers: asAdmin });
  expect(answer.headers).not.toHaveProperty('content-length');
  expect(answer.json()).toEqual({ a: points, b: [[1, 2]] });
});

test('an interval asks for one value each', async () => {
  await using api = await openWithDevice();
  api.telemetry.series = new Map([['a', columns([[0, 2]])]]);
  const answer = await api.app.inject({
    url: `${url}?metrics=a&from=0&to=10&every=1d&fn=max&tz=europe/berlin&limit=5`,
    headers: asAdmin,
  });
  expect(answer.json()).toEqual({ a: [[0, 2]] });
  await api.app.inject({ url: `${url}?every=15m`, headers: asAdmin });
  expect(api.telemetry.aggregates).toEqual([
    {
      device: 'sensor1',
      metrics: ['a'],
      fromMs: 0,
      toMs: 10,
      limit: 5,
      every: { calendar: 'day', count: 1 },
      fn: 'max',
      timeZone: 'Europe/Berlin',
    },
    {
      device: 'sensor1',
      fromMs: -MAX_TIME_MS,
      toMs: MAX_TIME_MS,
      limit: 10_000,
      every: { ms: 900_000 },
      fn: 'mean',
      timeZone: 'UTC',
    },
  ]);
});

test.each([
  ['from=yesterday', 'from'],
  ['to=2026-02-30', 'to'],
  ['from=1e400', 'from'],
  ['from=99999999999999999', 'from'],
  ['from=10&to=5', 'from'],
  ['limit=1000001', 'limit'],
  ['every=0m', 'every'],
  ['every=fortnight', 'every'],
  ['every=1h&fn=median', 'fn'],
  ['fn=mean', 'fn'],
  ['tz=UTC', 'tz'],
  ['every=1h&tz=Mars/Olympus', 'tz'],
  ['every=1h&cursor=abc', 'cursor'],
  ['cursor=', 'cursor'],
  [`metrics=${'x'.repeat(257)}`, 'metrics.0'],
  [`metrics=${Array.from({ length: 257 }, (_, i) => `m${i}`).join(',')}`, 'metrics'],
  ['metric=a', 'metric'],
])('%s is refused by the name of the parameter', async (query, field) => {
  await using api = await openWithDevice();
  const answer = await api.app.inject({ url: `${url}?${query}`, headers: asAdmin });
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({
    code: 'request.invalid',
    details: { issues: [{ in: 'query', field, message: expect.any(String) }] },
  });
});

test('an error of the store arrives as it is', async () => {
  await using api = await openWithDevice();
  api.telemetry.failure = new SelsynError('query.too-large', 'the query would read 60,000,000 points', {
    details: { points: 6e7 },
  });
  const answer = await api.app.inject({ url: `${url}?every=1m`, headers: asAdmin });
  expect(answer.statusCode).toBe(422);
  expect(answer.json()).toMatchObject({ code: 'query.too-large', details: { points: 6e7 } });
});

test('a query ends when its client has gone', async () => {
  await using api = await openWithDevice();
  await api.app.listen({ port: 0, host: '127.0.0.1' });
  const asked = Promise.withResolvers<AbortSignal>();
  api.telemetry.range = async (_query, signal) => {
    if (signal !== undefined) asked.resolve(signal);
    return await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)));
  };
  const leaving = new AbortController();
  const answer = fetch(new URL(url, api.app.listeningOrigin), { headers: asAdmin, signal: leaving.signal });
  const signal = await asked.promise;
  expect(signal.aborted).toBe(false);
  const ended = new Promise((resolve) => signal.addEventListener('abort', resolve));
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await ended;
});

test('the newest values come without lists', async () => {
  await using api = await openWithDevice();
  api.telemetry.latestValues = new Map([
    [
      'sensor1',
      [
        { metric: 'state', timeMs: 5, value: 'on' },
        { metric: 'temperature', timeMs: 6, value: 1.25 },
      ],
    ],
  ]);
  expect((await api.app.inject({ url: `${url}/latest`, headers: asAdmin })).body).toBe(
    '{"state":[5,"on"],"temperature":[6,1.25]}',
  );
});

test('dead letters show their payload as text and exactly', async () => {
  await using api = await openWithDevice();
  const letter = {
    partition: 0,
    offset: 7,
    arrivalMs: 8,
    device: parseDeviceId('sensor1'),
    topic: 'telemetry/sensor1',
    code: 'telemetry.malformed',
    reason: 'no JSON',
  };
  api.telemetry.letters = [{ ...letter, payload: Uint8Array.of(0x7b, 0xff), payloadBytes: 4000 }];
  const answer = await api.app.inject({ url: '/api/v1/dead-letters?device=sensor1&limit=5', headers: asAdmin });
  expect(answer.json()).toEqual({ items: [{ ...letter, payload: '{�', payloadBase64: 'e/8=', payloadBytes: 4000 }] });
});

test('a plot is asked for by its width, and says what it was made of', async () => {
  await using api = await openWithDevice();
  api.telemetry.series = new Map([['a', columns([[1, 2]])]]);
  const answer = await api.app.inject({ url: `${url}?every=auto&width=800&plot=lttb&from=0&to=9&metrics=a`, headers: asAdmin });
  expect(answer.json()).toEqual({ a: [[1, 2]] });
  expect(answer.headers['selsyn-resolution']).toBe('1h');
  expect(api.telemetry.plots).toMatchObject([
    { device: 'sensor1', metrics: ['a'], fromMs: 0, toMs: 9, width: 800, method: 'lttb' },
  ]);
  expect(answer.headers).not.toHaveProperty('selsyn-points-from');
  api.telemetry.pointsFromMs = Date.UTC(2026, 10, 16);
  const partly = await api.app.inject({ url: `${url}?every=auto`, headers: asAdmin });
  expect(partly.headers['selsyn-points-from']).toBe('2026-11-16T00:00:00.000Z');
  expect((await api.app.inject({ url: `${url}?every=auto&fn=mean`, headers: asAdmin })).statusCode).toBe(400);
  expect((await api.app.inject({ url: `${url}?every=auto&width=2`, headers: asAdmin })).statusCode).toBe(400);
});

test('points that are gone are announced', async () => {
  await using api = await openWithDevice();
  const whole = await api.app.inject({ url: `${url}?every=1m`, headers: asAdmin });
  expect(whole.headers).not.toHaveProperty('selsyn-incomplete-before');
  api.telemetry.incompleteBeforeMs = Date.UTC(2026, 10, 16);
  for (const asked of [`${url}?every=1m`, url]) {
    const answer = await api.app.inject({ url: asked, headers: asAdmin });
    expect(answer.headers['selsyn-incomplete-before']).toBe('2026-11-16T00:00:00.000Z');
  }
});
