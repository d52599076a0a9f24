import { expect, test } from 'vitest';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

interface Page {
  readonly items: readonly { id: number; action: string; group: string; actor: { name: string; remoteAddress?: string } }[];
  readonly cursor?: string;
}

async function entries(api: TestApi, query = '', headers: Record<string, string> = asAdmin): Promise<Page> {
  const answer = await api.app.inject({ url: `/api/v1/audit${query}`, headers });
  expect(answer.statusCode).toBe(200);
  return answer.json<Page>();
}

async function addDevices(api: TestApi, ...ids: readonly (readonly [id: string, group: string])[]): Promise<void> {
  for (const [id, group] of ids) {
    const answer = await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id, group } });
    expect(answer.statusCode).toBe(201);
    api.clock.advance(1000);
  }
}

test('who changed what, when and from where is told, newest first, page by page', async () => {
  await using api = await openTestApi();
  await addDevices(api, ['d1', '/a'], ['d2', '/a'], ['d3', '/b']);
  const all = await entries(api, '?kind=device');
  expect(all.items.map(({ action, group }) => [action, group])).toEqual([
    ['device.create', '/b'],
    ['device.create', '/a'],
    ['device.create', '/a'],
  ]);
  expect(all.items[0]?.actor).toEqual({ kind: 'api-key', id: 'admin', name: 'admin', remoteAddress: '127.0.0.1' });
  const first = await entries(api, '?kind=device&limit=2');
  const rest = await entries(api, `?kind=device&limit=2&cursor=${first.cursor}`);
  expect([...first.items, ...rest.items]).toEqual(all.items);
  expect(rest.cursor).toBeUndefined();
});

test('entries are found by object, actor, action and time', async () => {
  await using api = await openTestApi();
  const start = api.clock.now();
  await addDevices(api, ['d1', '/a'], ['d2', '/a']);
  const count = async (query: string) => (await entries(api, query)).items.length;
  expect(await count('?kind=device&id=d1')).toBe(1);
  expect(await count('?kind=device&id=d9')).toBe(0);
  expect(await count('?actor=admin&action=device.create')).toBe(2);
  expect(await count('?actor=somebody')).toBe(0);
  expect(await count(`?kind=device&from=${start + 1000}`)).toBe(1);
  expect(await count(`?kind=device&to=${start + 1000}`)).toBe(1);
  expect((await api.app.inject({ url: '/api/v1/audit?cursor=x', headers: asAdmin })).statusCode).toBe(400);
  expect((await api.app.inject({ url: '/api/v1/audit?from=yesterdayish', headers: asAdmin })).statusCode).toBe(400);
});

test('who reads the trail of one group sees nothing of others', async () => {
  await using api = await openTestApi();
  await addDevices(api, ['d1', '/a'], ['d2', '/a/x'], ['d3', '/ab'], ['d4', '/b'], ['d5', '/a-2']);
  const key = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', group: '/', grants: [{ role: 'operator', group: '/a' }] },
  });
  const headers = { authorization: `Bearer ${key.json<{ key: string }>().key}` };
  const seen = (await entries(api, '', headers)).items;
  expect(new Set(seen.map(({ group }) => group))).toEqual(new Set(['/a', '/a/x']));
  expect((await entries(api, '?kind=device&id=d4', headers)).items).toEqual([]);
});
