import { expect, test } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { addDevice, asAdmin, columns, openTestApi, type TestApi } from '../api.fixture.ts';
import { keyOf } from '../graphql/graphql.fixture.ts';

const BASE = '/prometheus/api/v1';
const START = 1_700_000_000;

async function openWithDevices(): Promise<TestApi> {
  const api = await openTestApi();
  await addDevice(api, 'pump-1');
  await addDevice(api, 'pump-2');
  const points = Array.from({ length: 61 }, (_, i) => [(START + i * 60) * 1000, i] as const);
  api.telemetry.series = new Map([
    ['temperature', columns(points)],
    ['cpu.load (%)', columns(points)],
    ['cpu.usage;cpu=cpu0;host=a', columns(points)],
    ['state', { times: Float64Array.of(START * 1000, START * 1000 + 1), values: ['on', true] }],
  ]);
  return api;
}

async function form(api: TestApi, url: string, parameters: Record<string, string>) {
  const headers = { ...asAdmin, 'content-type': 'application/x-www-form-urlencoded' };
  return await api.app.inject({
    method: 'POST',
    url: `${BASE}${url}`,
    headers,
    payload: new URLSearchParams(parameters).toString(),
  });
}

test("Grafana's check of a data source, and what it asks to know its kind", async () => {
  await using api = await openWithDevices();
  const check = await form(api, '/query', { query: '1+1', time: String(START) });
  expect(check.json()).toEqual({ status: 'success', data: { resultType: 'scalar', result: [START, '2'] } });
  const info = await api.app.inject({ url: `${BASE}/status/buildinfo`, headers: asAdmin });
  expect(info.json()).toMatchObject({ status: 'success', data: { version: expect.stringMatching(/^2\.\d+\.0$/) } });
});

test('a panel of a device, as Grafana asks for it', async () => {
  await using api = await openWithDevices();
  const answer = await form(api, '/query_range', {
    query: 'temperature{device=~"pump-1|pump-2"}',
    start: String(START + 600),
    end: String(START + 900.25),
    step: '150',
  });
  const [first, second] = [START + 600, START + 750];
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({
    status: 'success',
    data: {
      resultType: 'matrix',
      result: ['pump-1', 'pump-2'].map((device) => ({
        metric: { __name__: 'temperature', device, group: '/' },
        values: [
          [first, '10'],
          [second, '12'],
          [START + 900, '15'],
        ],
      })),
    },
  });
  expect(api.telemetry.plots.map(({ device, metrics }) => [device, metrics])).toEqual([
    ['pump-1', ['temperature']],
    ['pump-2', ['temperature']],
  ]);
});

test('metrics whose names PromQL does not take, and booleans', async () => {
  await using api = await openWithDevices();
  const load = await form(api, '/query', { query: 'sum(max_over_time(cpu_load____[1h]))', time: String(START + 3600) });
  expect(load.json()).toMatchObject({ data: { resultType: 'vector', result: [{ metric: {}, value: [START + 3600, '120'] }] } });
  const quoted = await form(api, '/query', { query: '{"cpu.load (%)", device="pump-2"}', time: String(START) });
  expect(quoted.json()).toMatchObject({
    data: { result: [{ metric: { __name__: 'cpu_load____', device: 'pump-2' }, value: [START, '0'] }] },
  });
  const labelled = await form(api, '/query', { query: 'cpu_usage{cpu="cpu0", device="pump-1"}', time: String(START) });
  const metric = { __name__: 'cpu_usage', cpu: 'cpu0', host: 'a', device: 'pump-1', group: '/' };
  expect(labelled.json()).toMatchObject({ data: { result: [{ metric, value: [START, '0'] }] } });
  const state = await form(api, '/query', { query: 'state{device="pump-1"}', time: String(START + 1) });
  expect(state.json()).toMatchObject({ data: { result: [{ metric: { device: 'pump-1' }, value: [START + 1, '1'] }] } });
});

test("what Grafana's query editor offers", async () => {
  await using api = await openWithDevices();
  const get = async (path: string): Promise<unknown> =>
    (await api.app.inject({ url: `${BASE}${path}`, headers: asAdmin })).json<{ data: unknown }>().data;
  expect(await get('/label/__name__/values')).toEqual(['cpu_load____', 'cpu_usage', 'state', 'temperature']);
  expect(await get('/label/device/values?match[]=temperature&start=1&end=2')).toEqual(['pump-1', 'pump-2']);
  expect(await get('/labels?match[]={device="pump-1"}')).toEqual(['__name__', 'cpu', 'device', 'group', 'host']);
  expect(await get('/series?match[]=state{device="pump-2"}')).toEqual([{ __name__: 'state', device: 'pump-2', group: '/' }]);
  expect(await get('/label/nothing/values')).toEqual([]);
  expect(await get('/metadata')).toEqual({});
  expect(await get('/rules')).toEqual({ groups: [] });
});

test('a range that stands alone is answered with its samples as they are', async () => {
  await using api = await openWithDevices();
  const ask = async (query: string): Promise<unknown> =>
    (await form(api, '/query', { query, time: String(START + 190) })).json<{ data: unknown }>().data;
  const metric = { __name__: 'temperature', device: 'pump-1', group: '/' };
  const values = [
    [START + 120, '2'],
    [START + 180, '3'],
  ];
  expect(await ask('temperature{device="pump-1"}[2m]')).toEqual({ resultType: 'matrix', result: [{ metric, values }] });
  expect(await ask('temperature{device="pump-1"}[2m] offset 1d')).toEqual({ resultType: 'matrix', result: [] });
  expect(await ask('max(temperature)[2m:1m]')).toMatchObject({ resultType: 'matrix', result: [{ metric: {} }] });
  const range = await form(api, '/query_range', { query: 'temperature[2m]', start: '1', end: '2', step: '1' });
  expect(range.json()).toMatchObject({ status: 'error', errorType: 'bad_data' });
});

test('names in selectors: by any spelling what is looked for, by none what is left out', async () => {
  await using api = await openWithDevices();
  const names = async (match: string): Promise<unknown> => {
    const url = `${BASE}/label/__name__/values?match[]=${encodeURIComponent(match)}`;
    return (await api.app.inject({ url, headers: asAdmin })).json<{ data: unknown }>().data;
  };
  expect(await names('{"cpu.usage", cpu="cpu0"}')).toEqual(['cpu_usage']);
  expect(await names('{device!="", __name__!="cpu_usage"}')).toEqual(['cpu_load____', 'state', 'temperature']);
  expect(await names('{__name__!~"cpu.*", __name__=~".*e"}')).toEqual(['state', 'temperature']);
});

test('a list is cut where it is asked to be, and says so as Prometheus does', async () => {
  await using api = await openWithDevices();
  const get = async (path: string): Promise<unknown> => (await api.app.inject({ url: BASE + path, headers: asAdmin })).json();
  const warnings = ['results truncated due to limit'];
  expect(await get('/label/__name__/values?limit=2')).toEqual({
    status: 'success',
    data: ['cpu_load____', 'cpu_usage'],
    warnings,
  });
  expect(await get('/labels?limit=1')).toEqual({ status: 'success', data: ['__name__'], warnings });
  expect(await get('/series?match[]=temperature&limit=1')).toMatchObject({ data: [{ device: 'pump-1' }], warnings });
  expect(await get('/label/device/values?limit=2')).toEqual({ status: 'success', data: ['pump-1', 'pump-2'] });
  expect(await get('/label/device/values?limit=0')).toEqual({ status: 'success', data: ['pump-1', 'pump-2'] });
  expect(await get('/labels?limit=some')).toMatchObject({ status: 'error', errorType: 'bad_data' });
});

test('of a fleet that is too large to look through, the metrics of every type are listed all the same', async () => {
  await using api = await openTestApi();
  await api.app.inject({ method: 'POST', url: '/api/v1/device-types', headers: asAdmin, payload: { name: 'late' } });
  const drafts = Array.from({ length: 10_500 }, (_, i) => ({ id: `d-${i}` as DeviceId, ...(i === 10_400 && { type: 'late' }) }));
  const devices = new DeviceStore({ database: api.database, clock: api.clock });
  for (const from of [0, 5_250]) await devices.put(drafts.slice(from, from + 5_250), 'create');
  api.telemetry.metricsOf = async (ids) => new Map(ids.map((id) => [id, [id === 'd-10400' ? 'rare' : 'usual']]));
  const get = async (path: string): Promise<unknown> => (await api.app.inject({ url: BASE + path, headers: asAdmin })).json();
  const warning = 'not all devices were looked at: name a type, a group or devices';
  expect(await get('/label/__name__/values')).toEqual({ status: 'success', data: ['rare', 'usual'], warnings: [warning] });
  expect(await get('/label/__name__/values?match[]={type="late"}')).toEqual({ status: 'success', data: ['rare'] });
  // Points are read of fewer.
  const answer = await form(api, '/query', { query: 'usual', time: String(START) });
  expect(answer.json()).toMatchObject({ status: 'error', errorType: 'execution', error: expect.stringMatching(/2000 devices/) });
});

test('who may not ask is told so in a document that Grafana can read', async () => {
  await using api = await openWithDevices();
  const unknown = await api.app.inject({ url: `${BASE}/query?query=1`, headers: { authorization: 'Bearer wrong' } });
  expect([unknown.statusCode, unknown.json()]).toEqual([
    401,
    { status: 'error', errorType: 'unauthorized', error: 'this server does not know the key, or it has expired' },
  ]);
  await api.app.inject({
    method: 'PUT',
    url: '/api/v1/roles/w',
    headers: asAdmin,
    payload: { permissions: ['telemetry:write'] },
  });
  const headers = await keyOf(api, [{ role: 'w', group: '/' }]);
  const denied = await api.app.inject({ url: `${BASE}/query?query=1`, headers });
  expect([denied.statusCode, denied.json()]).toEqual([
    403,
    { status: 'error', errorType: 'forbidden', error: expect.stringMatching(/telemetry:read/) },
  ]);
});

test.each([
  ['/query', { query: 'sum(', time: '1' }, 400, 'bad_data', /1:5: parse error/],
  ['/query', { time: '1' }, 400, 'bad_data', /invalid parameter "query"/],
  ['/query', { query: '1', time: 'yesterday' }, 400, 'bad_data', /valid timestamp/],
  ['/query_range', { query: '1', start: '2', end: '1', step: '1' }, 400, 'bad_data', /end timestamp/],
  ['/query_range', { query: '1', start: '1', end: '2', step: '0' }, 400, 'bad_data', /step/],
  ['/query_range', { query: '1', start: '1', end: '99999', step: '1' }, 400, 'bad_data', /maximum resolution/],
  ['/query', { query: 'label_replace(vector(1), "a", "b", "", "(?=x)")', time: '1' }, 400, 'bad_data', /not taken here/],
  [
    '/query_range',
    { query: 'count_values("v", vector(time()))', start: '1', end: '11000', step: '1' },
    422,
    'execution',
    /ask for fewer/,
  ],
  ['/query', { query: 'temperature + on(group) temperature', time: String(START) }, 422, 'execution', /many-to-many/],
] as const)('%s with %j is refused in the words of Prometheus', async (url, parameters, status, errorType, message) => {
  await using api = await openWithDevices();
  const answer = await form(api, url, parameters);
  expect(answer.statusCode).toBe(status);
  expect(answer.json()).toMatchObject({ status: 'error', errorType, error: expect.stringMatching(message) });
});

test('a key is taken as the password of any user, and nobody else is let in', async () => {
  await using api = await openWithDevices();
  const key = asAdmin.authorization.replace('Bearer ', '');
  const basic = (password: string): { authorization: string } => ({
    authorization: `Basic ${Buffer.from(`grafana:${password}`).toString('base64')}`,
  });
  const url = `${BASE}/query?query=1`;
  expect((await api.app.inject({ url, headers: basic(key) })).statusCode).toBe(200);
  expect((await api.app.inject({ url, headers: basic('wrong') })).statusCode).toBe(401);
  expect((await api.app.inject({ url })).statusCode).toBe(401);
  // The other doors of the API take no passwords.
  expect((await api.app.inject({ url: '/api/v1/devices', headers: basic(key) })).statusCode).toBe(401);
});

test('a key of a group sees the devices of the group', async () => {
  await using api = await openWithDevices();
  await api.app.inject({ method: 'POST', url: '/api/v1/groups', headers: asAdmin, payload: { path: '/a' } });
  await api.app.inject({ method: 'PATCH', url: '/api/v1/devices/pump-2', headers: asAdmin, payload: { group: '/a' } });
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'of a', grants: [{ role: 'viewer', group: '/a' }] },
  });
  const headers = { authorization: `Bearer ${made.json<{ key: string }>().key}` };
  for (const query of [
    'temperature',
    'temperature{device=~"pump-1|pump-2"}',
    'temperature{group="/a"}',
    'temperature{device=~"pump.+"}',
  ]) {
    const url = `${BASE}/query?query=${encodeURIComponent(query)}&time=${START}`;
    const { data } = (await api.app.inject({ url, headers })).json<{ data: { result: { metric: unknown }[] } }>();
    expect(data.result.map(({ metric }) => metric)).toEqual([{ __name__: 'temperature', device: 'pump-2', group: '/a' }]);
  }
  const hidden = await api.app.inject({ url: `${BASE}/label/device/values`, headers });
  expect(hidden.json()).toMatchObject({ data: ['pump-2'] });
});

test('so many selectors as nobody has are refused, and queries that are over give their place back', async () => {
  await using api = await openWithDevices();
  const many = Array.from({ length: 65 }, () => 'match[]=temperature').join('&');
  expect((await api.app.inject({ url: `${BASE}/series?${many}`, headers: asAdmin })).statusCode).toBe(400);
  // There are four places.
  for (let i = 0; i < 6; i++) {
    await form(api, '/query', { query: 'sum(', time: '1' });
    expect((await form(api, '/query_range', { query: 'temperature', start: '1', end: '2', step: '1' })).statusCode).toBe(200);
  }
  const all = await Promise.all(
    Array.from({ length: 20 }, async () => await form(api, '/query', { query: 'temperature', time: '1' })),
  );
  expect(all.map(({ statusCode }) => statusCode)).toEqual(all.map(() => 200));
});
