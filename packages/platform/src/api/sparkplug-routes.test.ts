import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
let viewer: Record<string, string>;

beforeAll(async () => {
  api = await openTestApi();
  for (const [id, group] of Object.entries({ 'G:N': '/x', 'G:N:D': '/x', 'G:O': '/y' })) {
    await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id, group } });
  }
  for (const id of ['G:N', 'G:O', 'G:P']) api.sparkplug.add(id);
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants: [{ role: 'viewer', group: '/x' }] },
  });
  viewer = { authorization: `Bearer ${made.json<{ key: string }>().key}` };
});
afterAll(async () => await api[Symbol.asyncDispose]());

async function get(url: string, headers: Record<string, string> = asAdmin) {
  const answer = await api.app.inject({ url: `/api/v1${url}`, headers });
  return {
    status: answer.statusCode,
    body: answer.json<Record<string, unknown> & { items?: { id: string }[]; cursor?: string }>(),
  };
}

test('nodes are listed in pages, and only those of the caller', async () => {
  const first = await get('/sparkplug/nodes?limit=2');
  expect(first.body.items?.map(({ id }) => id)).toEqual(['G:N', 'G:O']);
  expect(first.body.items?.[0]).toEqual({
    id: 'G:N',
    group: 'G',
    node: 'N',
    state: 'alive',
    sinceMs: 1,
    devices: 1,
    messages: 4,
    refused: 1,
    gaps: 2,
    missing: 3,
    rebirths: 1,
    lastMs: 2,
  });
  const second = await get(`/sparkplug/nodes?limit=2&cursor=${first.body.cursor}`);
  expect([second.body.items?.map(({ id }) => id), second.body.cursor]).toEqual([['G:P'], undefined]);
  expect((await get('/sparkplug/nodes', viewer)).body.items?.map(({ id }) => id)).toEqual(['G:N']);
});

test('a node is shown with what is behind it, and a device with what its birth says', async () => {
  expect((await get('/sparkplug/nodes/G:N', viewer)).body).toMatchObject({
    behind: [{ id: 'G:N:D', state: 'dead', sinceMs: 3 }],
  });
  expect((await get('/devices/G:N:D/sparkplug', viewer)).body).toEqual({
    id: 'G:N:D',
    state: 'dead',
    sinceMs: 3,
    metrics: [{ name: 'temperature', alias: 7, type: 'Int16', unit: '°C' }],
  });
  for (const url of ['/sparkplug/nodes/G:O', '/devices/G:O/sparkplug', '/sparkplug/nodes/G:X', '/devices/nobody/sparkplug']) {
    expect([url, (await get(url, viewer)).status]).toEqual([url, 404]);
  }
});

test('who may send commands asks for a birth', async () => {
  const ask = async (id: string, headers: Record<string, string>) =>
    (await api.app.inject({ method: 'POST', url: `/api/v1/sparkplug/nodes/${id}/rebirth`, headers })).statusCode;
  expect([await ask('G:N', viewer), await ask('G:N', asAdmin), await ask('G:X', asAdmin)]).toEqual([403, 202, 404]);
  expect(api.sparkplug.asked).toEqual(['G/N']);
});

test('the report of series is for those who see all devices', async () => {
  expect((await get('/cardinality', viewer)).status).toBe(403);
  const { status, body } = await get('/cardinality');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    series: 9,
    limit: 10,
    state: 'near',
    newInHour: 2,
    newInDay: 4,
    devices: 2,
    fullAtMs: 7_201_000,
    types: [{ type: 'pump', series: 8, seriesPerDevice: 20, state: 'ok' }],
    topDevices: [{ device: 'a', type: 'pump', limit: 10, series: 8, newInHour: 2, newInDay: 4 }],
    growingDevices: [{ device: 'b', series: 1, newInHour: 0, newInDay: 1 }],
    suspects: [{ pattern: 'door_{uuid}', kind: 'uuid', names: 7, device: 'a' }],
  });
  expect(JSON.stringify(body)).not.toContain('null');
});
