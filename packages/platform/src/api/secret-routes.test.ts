import { expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

async function call(
  api: TestApi,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  payload?: Record<string, unknown>,
  headers: Record<string, string> = asAdmin,
) {
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers, ...(payload !== undefined && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json<unknown>() };
}

async function keyWith(api: TestApi, role: string, group: string): Promise<Record<string, string>> {
  const made = await call(api, 'POST', '/api-keys', { name: `${role} ${group}`, grants: [{ role, group }] });
  return { authorization: `Bearer ${(made.body as { key: string }).key}` };
}

test('a secret is set, listed without its value, shown and removed', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'p1');
  expect(await call(api, 'PUT', '/devices/p1/secrets/wifi', { value: 'psk' })).toEqual({ status: 201, body: { name: 'wifi' } });
  expect(await call(api, 'PUT', '/devices/p1/secrets/wifi', { value: 'psk 2' })).toEqual({ status: 200, body: { name: 'wifi' } });
  const list = await call(api, 'GET', '/devices/p1/secrets');
  expect(list.body).toMatchObject({ items: [{ name: 'wifi' }] });
  expect(JSON.stringify(list.body)).not.toContain('psk');
  expect(await call(api, 'GET', '/devices/p1/secrets/wifi')).toEqual({ status: 200, body: { value: 'psk 2' } });
  expect((await call(api, 'GET', '/devices/p1/secrets/other')).body).toMatchObject({ code: 'secret.not-found' });
  expect((await call(api, 'PUT', '/devices/nobody/secrets/wifi', { value: 'x' })).body).toMatchObject({
    code: 'device.not-found',
  });
  expect((await call(api, 'PUT', '/devices/p1/secrets/a%20b', { value: 'x' })).status).toBe(400);
  expect((await call(api, 'DELETE', '/devices/p1/secrets/wifi')).status).toBe(204);
  expect((await call(api, 'DELETE', '/devices/p1/secrets/wifi')).status).toBe(404);
});

test('only who has the permission, where the device stands, sees or sets a value', async () => {
  await using api = await openTestApi();
  await call(api, 'POST', '/devices', { id: 'p1', group: '/acme' });
  await call(api, 'PUT', '/devices/p1/secrets/wifi', { value: 'psk' });
  const [engineer, elsewhere, there] = [
    await keyWith(api, 'engineer', '/'),
    await keyWith(api, 'administrator', '/other'),
    await keyWith(api, 'administrator', '/acme'),
  ];
  expect((await call(api, 'GET', '/devices/p1/secrets', undefined, engineer)).status).toBe(200);
  expect((await call(api, 'GET', '/devices/p1/secrets/wifi', undefined, engineer)).status).toBe(403);
  for (const method of ['GET', 'DELETE'] as const) {
    expect((await call(api, method, '/devices/p1/secrets/wifi', undefined, elsewhere)).body).toMatchObject({
      code: 'device.not-found',
    });
  }
  expect((await call(api, 'PUT', '/devices/p1/secrets/wifi', { value: 'x' }, elsewhere)).status).toBe(404);
  expect((await call(api, 'POST', '/secrets/rotation', {}, there)).status).toBe(403);
  expect((await call(api, 'GET', '/devices/p1/secrets/wifi', undefined, there)).body).toEqual({ value: 'psk' });
});

test('keys are shown and rotated; values are as before', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'p1');
  await call(api, 'PUT', '/devices/p1/secrets/wifi', { value: 'psk' });
  const before = (await call(api, 'GET', '/secrets')).body as { masterKey: { id: string }; dataKeys: unknown[] };
  expect(before.dataKeys).toHaveLength(1);
  const rotated = (await call(api, 'POST', '/secrets/rotation', { key: 'data' })).body;
  expect(rotated).toMatchObject({ masterKey: before.masterKey, dataKeys: [{ retiredAtMs: expect.any(Number) as number }, {}] });
  const wrapped = (await call(api, 'POST', '/secrets/rotation', { key: 'master' })).body as typeof before;
  expect(wrapped.masterKey.id).not.toBe(before.masterKey.id);
  expect((await call(api, 'GET', '/devices/p1/secrets/wifi')).body).toEqual({ value: 'psk' });
});
