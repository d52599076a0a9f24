import { fastify } from 'fastify';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { addDevice, ADMIN_KEY, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';
import { access, guardAccess } from './access-guard.ts';

async function readKey(api: TestApi): Promise<string> {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'grafana', access: 'read' },
  });
  expect(answer.statusCode).toBe(201);
  return answer.json<{ key: string }>().key;
}

test('a route that names no permission cannot be added', async () => {
  const app = fastify();
  await expect(
    app.register(async (scope) => {
      guardAccess(scope, async () => ({ actor: { kind: 'user', id: 'u', name: 'u' }, grants: [] }));
      scope.get('/open', async () => 'all');
    }),
  ).rejects.toThrow('the route GET /open names no permission');
});

test('a route outside of the guard that asks who calls is a fault of ours', async () => {
  const app = fastify();
  app.get('/unguarded', async (request) => access(request).actor.name);
  expect((await app.inject('/unguarded')).statusCode).toBe(500);
});

test.each([
  '',
  'Bearer',
  'Bearer ',
  `Basic ${ADMIN_KEY}`,
  ADMIN_KEY,
  'Bearer wrong',
  `Bearer ${ADMIN_KEY} more`,
  `Bearer ${'x'.repeat(5000)}`,
])('the header %j lets nobody in', async (authorization) => {
  await using api = await openTestApi();
  const answer = await api.app.inject({ url: '/api/v1/me', headers: { authorization } });
  expect(answer.statusCode).toBe(401);
  expect(answer.json()).toMatchObject({ code: 'access.unauthenticated' });
});

test('the key tells who calls and what they may do, whatever the case of its scheme', async () => {
  await using api = await openTestApi();
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const answer = await api.app.inject({ url: '/api/v1/me', headers: { authorization: `${scheme} ${ADMIN_KEY}` } });
    expect(answer.json()).toEqual({
      kind: 'api-key',
      id: 'admin',
      name: 'admin',
      grants: [{ group: '/', role: 'administrator', permissions: expect.arrayContaining(['users:write', 'devices:read']) }],
    });
  }
});

test('a read key reads, and changes nothing', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'sensor1');
  const headers = { authorization: `Bearer ${await readKey(api)}` };
  const inject = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
    api.app.inject({ method, url: `/api/v1${url}`, headers, ...(payload === undefined ? {} : { payload }) });

  for (const url of [
    '/me',
    '/stats',
    '/devices',
    '/devices/sensor1',
    '/devices/sensor1/telemetry',
    '/devices/sensor1/telemetry/latest',
    '/dead-letters',
  ]) {
    expect([url, (await inject('GET', url)).statusCode]).toEqual([url, 200]);
  }
  const refused = [
    await inject('POST', '/devices', { id: 'sensor2' }),
    await inject('DELETE', '/devices/sensor1'),
    await inject('POST', '/devices/sensor1/token'),
    await inject('POST', '/api-keys', { name: 'mine', access: 'admin' }),
    await inject('DELETE', '/api-keys/any'),
    await inject('GET', '/api-keys'),
  ];
  for (const answer of refused) {
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'access.denied', details: { permission: expect.any(String) } });
  }
  expect(await api.devices.count()).toBe(1);
  expect([api.telemetry.forgotten, api.cut]).toEqual([[], []]);
});

test('a key is made, listed without itself, and refused once it is taken back', async () => {
  await using api = await openTestApi();
  const key = await readKey(api);
  const list = await api.app.inject({ url: '/api/v1/api-keys', headers: asAdmin });
  expect(list.body).not.toContain(key);
  const [{ id }] = list.json<{ items: [{ id: string }] }>().items;
  expect(list.json()).toEqual({
    items: [
      {
        id,
        name: 'grafana',
        prefix: key.slice(0, 17),
        group: '/',
        grants: [{ role: 'viewer', group: '/' }],
        createdAtMs: 1_700_000_000_000,
      },
    ],
  });
  expect((await api.app.inject({ method: 'DELETE', url: `/api/v1/api-keys/${id}`, headers: asAdmin })).statusCode).toBe(204);
  expect((await api.app.inject({ url: '/api/v1/me', headers: { authorization: `Bearer ${key}` } })).statusCode).toBe(401);
});

test('no key and no token is in any log line, whatever goes wrong', async () => {
  const lines: string[] = [];
  const logLines = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  await using api = await openTestApi({ logLines });
  const token = await addDevice(api, 'sensor1');
  const key = await readKey(api);
  api.telemetry.failure = new Error('on purpose');
  const headers = { authorization: `Bearer ${key}` };
  for (const url of [
    '/api/v1/devices/sensor1/telemetry',
    '/api/v1/dead-letters',
    `/api/v1/nothing?key=${key}`,
    '/api/v1/devices?include=latest',
  ]) {
    await api.app.inject({ url, headers });
  }
  await api.app.inject({ method: 'DELETE', url: `/api/v1/devices/sensor1?token=${token}`, headers: asAdmin });
  await api.app.inject({ method: 'DELETE', url: '/api/v1/devices/sensor1', headers: asAdmin });
  expect(lines.length).toBeGreaterThanOrEqual(4);
  for (const secret of [token, key, ADMIN_KEY]) expect(lines.join('')).not.toContain(secret);
});
