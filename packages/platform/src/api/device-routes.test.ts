import { expect, test } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { parseDeviceId } from '../kernel/device-id.ts';
import { addDevice, asAdmin, openTestApi } from './api.fixture.ts';

const url = '/api/v1/devices';

/** A device of which nothing but the id was said. */
function asMade(id: string) {
  return { id, group: '/', attributes: {}, tags: [], createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000 };
}

test('a device is added with a token that is shown once', async () => {
  await using api = await openTestApi();
  const made = await api.app.inject({
    method: 'POST',
    url,
    headers: asAdmin,
    payload: { id: 'a:b', name: 'Boiler', tags: ['demo'] },
  });
  expect(made.statusCode).toBe(201);
  expect(made.headers.location).toBe('/api/v1/devices/a%3Ab');
  const { token } = made.json<{ token: string }>();
  expect(made.json()).toEqual({ id: 'a:b', token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
  const shown = await api.app.inject({ url: made.headers.location ?? '', headers: asAdmin });
  expect(shown.json()).toEqual({ ...asMade('a:b'), name: 'Boiler', tags: ['demo'] });
  const again = await api.app.inject({ method: 'POST', url, headers: asAdmin, payload: { id: 'a:b' } });
  expect(again.statusCode).toBe(409);
  for (const answer of [shown, again]) expect(answer.body).not.toContain(token);
});

test('a list is paged, filtered and counted, and brings the newest values along', async () => {
  await using api = await openTestApi();
  for (const id of ['b1', 'a1', 'a2', 'a3']) await addDevice(api, id);
  await api.app.inject({ method: 'POST', url, headers: asAdmin, payload: { id: 'a4', tags: ['demo'] } });
  api.telemetry.latestValues = new Map([
    [
      'a1',
      [
        { metric: '__proto__', timeMs: 1, value: true },
        { metric: 'temperature', timeMs: 2, value: 23.5 },
      ],
    ],
  ]);
  const get = async (query: string): Promise<{ items: { id: string }[]; cursor?: string; total?: number }> => {
    const answer = await api.app.inject({ url: `${url}?${query}`, headers: asAdmin });
    expect(answer.statusCode).toBe(200);
    return answer.json();
  };

  const first = await get('limit=2&q=a&include=latest,total');
  expect(first).toEqual({
    items: [
      {
        ...asMade('a1'),
        latest: JSON.parse('{"__proto__":[1,true],"temperature":[2,23.5]}') as unknown,
      },
      { ...asMade('a2'), latest: {} },
    ],
    cursor: expect.any(String),
    total: 4,
  });
  const second = await get(`limit=2&q=a&cursor=${first.cursor ?? ''}`);
  expect(second.items.map((item) => item.id)).toEqual(['a3', 'a4']);
  expect(second).not.toHaveProperty('cursor');
  expect(second).not.toHaveProperty('total');
  expect((await get('tag=demo')).items.map((item) => item.id)).toEqual(['a4']);
  expect(await get('q=zzz&include=latest&include=total')).toEqual({ items: [], total: 0 });
});

test.each([
  'limit=0',
  'limit=1001',
  'limit=-1',
  'limit=1e2',
  'limit=',
  'cursor=!',
  'include=secrets',
  'tag=a%20b',
  'q=a&q=b',
  'offset=3',
])('a list with %s is refused', async (query) => {
  await using api = await openTestApi();
  const answer = await api.app.inject({ url: `${url}?${query}`, headers: asAdmin });
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ code: 'request.invalid' });
});

test('removing a device cuts it off and ends its sessions, then erases its telemetry, then forgets it', async () => {
  const order: string[] = [];
  await using api = await openTestApi({
    endSessions: async (device) => void order.push(`end sessions of ${device}`),
    accessChanged: (devices) => void order.push(`look again at ${String(devices)}`),
  });
  await addDevice(api, 'sensor1');
  const { forget } = api.telemetry;
  api.telemetry.forget = async (device) => {
    const tokens = await api.database.selectFrom('device_token').selectAll().execute();
    order.push(`erase ${device}, ${tokens.length} tokens, ${await api.devices.count()} device`);
    await forget.call(api.telemetry, device);
  };
  const answer = await api.app.inject({ method: 'DELETE', url: `${url}/sensor1`, headers: asAdmin });
  expect([answer.statusCode, answer.body]).toEqual([204, '']);
  expect(order).toEqual(['end sessions of sensor1', 'erase sensor1, 0 tokens, 1 device', 'look again at sensor1']);
  expect(await api.devices.find(parseDeviceId('sensor1'))).toBeUndefined();
});

test('a removal that failed half-way can be repeated', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  api.telemetry.failure = new SelsynError('telemetry.store-failed', 'the volume is full');
  expect((await api.app.inject({ method: 'DELETE', url: `${url}/sensor1`, headers: asAdmin })).statusCode).toBe(503);
  api.telemetry.failure = undefined;
  expect((await api.app.inject({ method: 'DELETE', url: `${url}/sensor1`, headers: asAdmin })).statusCode).toBe(204);
  expect((await api.app.inject({ method: 'DELETE', url: `${url}/sensor1`, headers: asAdmin })).statusCode).toBe(404);
});

test('a new token is another one, and the connections of the old one are cut', async () => {
  await using api = await openTestApi();
  const old = await addDevice(api, 'sensor1');
  const answer = await api.app.inject({ method: 'POST', url: `${url}/sensor1/token`, headers: asAdmin });
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({ id: 'sensor1', token: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) });
  expect(answer.json<{ token: string }>().token).not.toBe(old);
  expect(api.cut).toEqual(['sensor1']);
});
