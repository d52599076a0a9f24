import { afterEach, beforeEach, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from '../api.fixture.ts';
import { ask, keyOf } from './graphql.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
  await addDevice(api, 'a');
  api.telemetry.series = new Map([
    ['on', { times: Float64Array.of(5, 6), values: [true, 'text'] }],
    ['temp', { times: Float64Array.of(-1, 7), values: Float64Array.of(1.5, 2) }],
    ['unused', { times: new Float64Array(), values: new Float64Array() }],
  ]);
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const ITEMS = [
  { metric: 'on', time: 5, value: true },
  { metric: 'on', time: 6, value: 'text' },
  { metric: 'temp', time: -1, value: 1.5 },
  { metric: 'temp', time: 7, value: 2 },
];

test('points of a range of time are given page by page', async () => {
  api.telemetry.nextCursor = 'more';
  api.telemetry.incompleteBeforeMs = 4;
  const query = `query ($after: String) { device(id: "a") {
    points(metrics: ["on", "temp"], from: "now-1h", to: "1700000000000", first: 4, after: $after) {
      items { metric time value } cursor incompleteBefore
    } } }`;
  const first = await ask(api, query);
  expect(first).toMatchObject({ data: { device: { points: { items: ITEMS, cursor: 'more', incompleteBefore: 4 } } } });
  api.telemetry.nextCursor = undefined;
  expect((await ask(api, query, { after: 'more' })).data).toMatchObject({ device: { points: { cursor: null } } });
  const asked = {
    device: 'a',
    metrics: ['on', 'temp'],
    fromMs: 1_700_000_000_000 - 3_600_000,
    toMs: 1_700_000_000_000,
    limit: 4,
  };
  expect(api.telemetry.ranges).toEqual([asked, { ...asked, cursor: 'more' }]);
});

test('one value for each interval is what hours and days are asked for', async () => {
  const query =
    '{ device(id: "a") { points(every: "1d", fn: max, tz: "europe/berlin", first: 50) { items { metric time value } cursor } } }';
  expect((await ask(api, query)).data).toEqual({ device: { points: { items: ITEMS, cursor: null } } });
  await ask(api, '{ device(id: "a") { points(every: "15m") { cursor } } }');
  expect(api.telemetry.aggregates).toMatchObject([
    { device: 'a', every: { calendar: 'day', count: 1 }, fn: 'max', timeZone: 'Europe/Berlin', limit: 50 },
    { fn: 'mean', timeZone: 'UTC', limit: 100 },
  ]);
});

test.each([
  ['fn: max', /"every"/],
  ['tz: "UTC"', /"every"/],
  ['every: "1d", after: "x"', /always whole/],
  ['every: "soon"', /interval/],
  ['every: "1d", tz: "Mars/Olympus"', /time zone/],
  ['from: "yesterday-ish"', /time/i],
  ['from: "now", to: "now-1h"', /after "to"/],
  ['first: 4001', /1 to 4000/],
  ['first: 0', /1 to 4000/],
  [`metrics: [${'"m",'.repeat(257)}]`, /at most 256/],
])('points(%s) is refused, and told why', async (args, message) => {
  const answer = await ask(api, `{ device(id: "a") { id points(${args}) { cursor } } }`);
  expect(answer).toMatchObject({
    data: { device: { id: 'a', points: null } },
    errors: [{ extensions: { code: 'request.invalid' } }],
  });
  expect(answer.errors?.[0]?.message).toMatch(message);
});

test('it costs what it may give: neither many points of many devices nor many queries at once', async () => {
  const cost = async (query: string) => (await ask(api, query)).errors?.[0]?.extensions;
  expect(await cost('{ devices(first: 40) { items { points(first: 70) { items { value } } } } }')).toBeUndefined();
  expect(await cost('{ devices(first: 40) { items { points(first: 80) { items { value } } } } }')).toMatchObject({
    code: 'query.too-large',
  });
  expect(await cost('{ devices(first: 101) { items { points(first: 1) { cursor } } } }')).toMatchObject({
    code: 'query.too-large',
  });
  const many = Array.from({ length: 60 }, (_, n) => `p${n}: points(every: "1h") { cursor }`).join(' ');
  expect(await cost(`{ device(id: "a") { ${many} } }`)).toMatchObject({ code: 'query.too-large' });
});

test('who may not see telemetry gets none of it', async () => {
  const query = '{ device(id: "a") { id points { cursor } } }';
  await api.app.inject({
    method: 'PUT',
    url: '/api/v1/roles/devices-only',
    headers: asAdmin,
    payload: { permissions: ['devices:read'] },
  });
  const nowhere = await keyOf(api, [{ role: 'devices-only', group: '/' }]);
  expect(await ask(api, query, {}, nowhere)).toMatchObject({
    data: { device: { id: 'a', points: null } },
    errors: [{ path: ['device', 'points'], extensions: { code: 'access.denied' } }],
  });
  const elsewhere = await keyOf(api, [
    { role: 'devices-only', group: '/' },
    { role: 'viewer', group: '/elsewhere' },
  ]);
  const answer = await ask(api, query, {}, elsewhere);
  expect(answer.errors).toBeUndefined();
  expect(answer.data).toEqual({ device: { id: 'a', points: null } });
  expect(api.telemetry.ranges).toEqual([]);
});
