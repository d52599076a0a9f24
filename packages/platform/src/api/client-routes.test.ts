import { expect, test } from 'vitest';
import { ADMIN_KEY, asAdmin, openTestApi } from './api.fixture.ts';
import { CLIENT, CLIENT_DETAIL } from './fakes.fixture.ts';

const url = '/api/v1/clients';

test('a list is asked for by prefix and state, page by page', async () => {
  await using api = await openTestApi();
  const answer = await api.app.inject({ url: `${url}?prefix=sen&state=offline&limit=7&cursor=abc`, headers: asAdmin });
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({ items: [CLIENT], totals: { connected: 1, offline: 0 } });
  await api.app.inject({ url, headers: asAdmin });
  expect(api.clients.queries).toEqual([
    { prefix: 'sen', state: 'offline', limit: 7, cursor: 'abc' },
    { prefix: '', state: undefined, limit: 100, cursor: undefined },
  ]);
});

test.each(['state=asleep', 'limit=0', 'limit=1001', 'after=x', `prefix=${'x'.repeat(513)}`])(
  'a list with %.20s is refused',
  async (query) => {
    await using api = await openTestApi();
    const answer = await api.app.inject({ url: `${url}?${query}`, headers: asAdmin });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'request.invalid' });
  },
);

test('a client is shown; one that nobody knows is not found', async () => {
  await using api = await openTestApi();
  expect((await api.app.inject({ url: `${url}/sensor1`, headers: asAdmin })).json()).toEqual({ items: [CLIENT_DETAIL] });
  const answer = await api.app.inject({ url: `${url}/${encodeURIComponent('a/b c')}`, headers: asAdmin });
  expect(answer.statusCode).toBe(404);
  expect(answer.json()).toMatchObject({ code: 'client.not-found', details: { clientId: 'a/b c' } });
});

test('a client is disconnected, with its session if that is asked for', async () => {
  await using api = await openTestApi();
  const remove = async (path: string): Promise<number> =>
    (await api.app.inject({ method: 'DELETE', url: `${url}/${path}`, headers: asAdmin })).statusCode;
  expect(await remove('sensor1')).toBe(204);
  expect(await remove('sensor1?session=discard')).toBe(204);
  expect(await remove('sensor1?session=burn')).toBe(400);
  expect(await remove('sensor2')).toBe(404);
  expect(api.clients.disconnected).toEqual(['sensor1 keep', 'sensor1 discard']);
});

test('a key that may only read sees clients, and neither disconnects nor traces them', async () => {
  await using api = await openTestApi();
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
    payload: { name: 'reader', access: 'read' },
  });
  const headers = { authorization: `Bearer ${made.json<{ key: string }>().key}` };
  expect((await api.app.inject({ url, headers })).statusCode).toBe(200);
  expect((await api.app.inject({ url: `${url}/sensor1`, headers })).statusCode).toBe(200);
  expect((await api.app.inject({ method: 'DELETE', url: `${url}/sensor1`, headers })).statusCode).toBe(403);
  expect((await api.app.inject({ url: '/api/v1/trace?client=sensor1', headers })).statusCode).toBe(403);
  expect([api.clients.disconnected, api.traces.running.size]).toEqual([[], 0]);
});
