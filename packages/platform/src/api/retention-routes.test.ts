import { afterEach, beforeEach, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function ask(method: Method, url: string, payload?: object, headers: Record<string, string> = asAdmin) {
  return await api.app.inject({ method, url: `/api/v1${url}`, headers, ...(payload === undefined ? {} : { payload }) });
}

async function keyAt(group: string): Promise<Record<string, string>> {
  await ask('POST', '/groups', { path: group });
  const made = await ask('POST', '/api-keys', { name: 'k', grants: [{ role: 'engineer', group }] });
  return { authorization: `Bearer ${made.json<{ key: string }>().key}` };
}

test('shows the policies with all levels of the default, and what was let go', async () => {
  const answer = (await ask('GET', '/retention')).json<{ policies: object[] }>();
  const keepDays = { raw: 7, hourly: 90, daily: 1826, archive: null };
  expect(answer.policies).toEqual([{ name: 'default', keepDays, effectiveDays: keepDays }]);
  expect(answer).toMatchObject({
    clock: { believed: true },
    lastPass: { freedBytes: 4096, blocked: [{ because: 'held' }] },
    letGo: [{ atMs: 1_700_000_000_000, level: 'raw', because: 'age', freedBytes: 4096 }],
  });
});

test('a policy is made, changed and removed; the upkeep thread hears of each change, and the trail keeps it', async () => {
  await ask('POST', '/device-types', { name: 'meter' });
  const made = await ask('PUT', '/retention/policies/meters', { deviceType: 'meter', keepDays: { raw: 365, archive: null } });
  expect(made.json()).toMatchObject({ name: 'meters', deviceType: 'meter', keepDays: { raw: 365, archive: null } });
  await ask('PUT', '/retention/policies/meters', { deviceType: 'meter', keepDays: { raw: 30 } });
  expect((await ask('GET', '/retention/policies/meters')).json()).toMatchObject({ keepDays: { raw: 30 } });
  expect((await ask('DELETE', '/retention/policies/meters')).statusCode).toBe(204);
  expect((await ask('GET', '/retention/policies/meters')).json()).toMatchObject({ code: 'retention-policy.not-found' });
  expect(api.retention.asked).toEqual(['changed', 'changed', 'changed']);
  const trail = await api.audit.list({ objectKind: 'retention-policy', limit: 10 });
  expect(trail.map(({ action }) => action)).toEqual([
    'retention-policy.delete',
    'retention-policy.update',
    'retention-policy.create',
  ]);
});

test('a level that finer ones outlast is refused, and one that they lift is shown as it is really kept', async () => {
  const put = async (name: string, body: object) => (await ask('PUT', `/retention/policies/${name}`, body)).json<object>();
  const days = { code: 'request.invalid', details: { field: 'keepDays', level: 'daily', finer: 'hourly' } };
  expect(await put('default', { keepDays: { raw: 7, hourly: 90, daily: 2 } })).toMatchObject(days);
  expect(await put('default', { keepDays: { daily: 2 } })).toMatchObject(days);
  expect(await put('short', { metric: 't', keepDays: { daily: 2 } })).toMatchObject(days);
  const plan = await ask('POST', '/retention/plan', { policies: [{ name: 'default', keepDays: { daily: 2 } }] });
  expect(plan.json()).toMatchObject(days);
  expect(await put('default', { keepDays: { raw: 1, hourly: 2, daily: 2 } })).toMatchObject({ name: 'default' });
  expect(await put('short', { metric: 't', keepDays: { daily: 3 } })).toMatchObject({
    effectiveDays: { raw: 1, hourly: 2, daily: 3 },
  });
  // What was right becomes wrong when others change.
  await put('default', { keepDays: { raw: 1, hourly: 30 } });
  expect((await ask('GET', '/retention/policies/short')).json()).toMatchObject({
    keepDays: { daily: 3 },
    effectiveDays: { raw: 1, hourly: 30, daily: 30, archive: null },
  });
});

test('a policy that cannot be is refused, with the field that is wrong', async () => {
  const put = async (name: string, body: object) => (await ask('PUT', `/retention/policies/${name}`, body)).json();
  expect(await put('x', { keepDays: { raw: 1 } })).toMatchObject({ code: 'request.invalid', details: { field: 'name' } });
  expect(await put('x', { metric: 't', keepDays: {} })).toMatchObject({ details: { field: 'keepDays' } });
  expect(await put('x', { metric: 't', keepDays: { raw: 0 } })).toMatchObject({ code: 'request.invalid' });
  expect(await put('default', { metric: 't', keepDays: { raw: 1 } })).toMatchObject({ details: { field: 'name' } });
  expect(await put('x', { group: '/nowhere', keepDays: { raw: 1 } })).toMatchObject({ code: 'group.not-found' });
  expect(await put('x', { deviceType: 'none', keepDays: { raw: 1 } })).toMatchObject({ code: 'device-type.not-found' });
  expect(await put('x', { metric: 't', keepDays: { raw: 1 } })).toMatchObject({ name: 'x' });
  expect(await put('y', { metric: 't', keepDays: { raw: 2 } })).toMatchObject({ code: 'retention-policy.exists' });
});

test('a dry run tells what would go, also by policies that are not stored', async () => {
  const plan = await ask('POST', '/retention/plan', {});
  expect(plan.json()).toMatchObject({
    freesBytes: 4096,
    more: 0,
    steps: [
      { level: 'raw', action: 'drop', bytes: 4096, freesBytes: 4096 },
      { level: 'hourly', action: 'trim', blocked: 'held' },
    ],
  });
  expect(api.retention.policies).toBeUndefined();
  await ask('POST', '/retention/plan', { policies: [{ name: 'default', keepDays: { raw: 3 } }] });
  expect(api.retention.policies).toEqual([{ name: 'default', keepDays: { raw: 3 }, updatedAtMs: 0 }]);
  expect((await ask('GET', '/retention/policies/default')).json()).toMatchObject({ keepDays: { raw: 7 } });
});

test('a pass can be asked for, and a clock that has jumped be confirmed', async () => {
  expect((await ask('POST', '/retention/run')).json()).toMatchObject({ files: 1, freedBytes: 4096, interrupted: false });
  api.retention.believed = false;
  expect((await ask('GET', '/retention')).json()).toMatchObject({ clock: { believed: false, message: 'the clock has jumped' } });
  expect((await ask('POST', '/retention/confirm-clock')).statusCode).toBe(204);
  expect((await ask('GET', '/retention')).json()).toMatchObject({ clock: { believed: true } });
});

test('the report of the storage says what is where and where that leads', async () => {
  expect((await ask('GET', '/storage')).json()).toMatchObject({
    volume: { state: 'low', freeBytes: 9e7 },
    levels: { raw: { bytes: 4096, files: 1, from: '2023-11-01' } },
    forecast: {
      bytesPerDay: { raw: 4096 },
      rateOf: '2023-11-01',
      archive: { bytes: 3000, bytesPerDay: 1000, onVolume: true },
      points: [{ inDays: 1, bytes: 8192, archiveBytes: 4000 }],
    },
  });
});

test('what is held cannot be removed or lose its group, and can again once it is released', async () => {
  await ask('POST', '/groups', { path: '/acme' });
  await ask('POST', '/groups', { path: '/other' });
  await addDevice(api, 'd1');
  await ask('PATCH', '/devices/d1', { group: '/acme' });
  const made = await ask('POST', '/holds', { target: { kind: 'group', group: '/acme' }, reason: 'case 7' });
  expect(made.statusCode).toBe(201);
  const { id } = made.json<{ id: string }>();
  expect(api.retention.asked).toEqual(['changed']);
  await ask('POST', '/devices/d1/token');
  expect((await ask('DELETE', '/devices/d1')).json()).toMatchObject({ code: 'hold.active', details: { holds: [id] } });
  // Nothing was taken from it by the attempt.
  expect(await api.database.selectFrom('device_token').select('device_id').execute()).toEqual([{ device_id: 'd1' }]);
  expect((await ask('DELETE', '/groups/%2Facme?force=true')).json()).toMatchObject({ code: 'hold.active' });
  expect((await ask('GET', '/devices/d1')).statusCode).toBe(200);
  // It leaves the group, and stays held.
  expect((await ask('PATCH', '/devices/d1', { group: '/other' })).statusCode).toBe(200);
  expect((await ask('DELETE', '/devices/d1')).json()).toMatchObject({ code: 'hold.active' });
  expect((await ask('GET', '/holds?state=in-force')).json()).toMatchObject({ items: [{ id, reason: 'case 7' }] });
  const released = (await ask('DELETE', `/holds/${id}`)).json<{ releasedAtMs: number }>();
  expect(released.releasedAtMs).toBe(api.clock.now());
  expect((await ask('GET', '/holds?state=in-force')).json()).toEqual({ items: [] });
  expect((await ask('DELETE', '/devices/d1')).statusCode).toBe(204);
  const trail = await api.audit.list({ objectKind: 'legal-hold', limit: 10 });
  expect(trail.map(({ action }) => action)).toEqual(['legal-hold.release', 'legal-hold.create']);
});

test('somebody with a part of the tree sees and makes holds there, and nothing else of the storage', async () => {
  const key = await keyAt('/acme');
  await ask('POST', '/device-types', { name: 'meter' });
  const other = await ask('POST', '/holds', { target: { kind: 'type', deviceType: 'meter' }, reason: 'r' });
  await addDevice(api, 'd1');
  const hold = async (target: object) => await ask('POST', '/holds', { target, reason: 'r' }, key);
  expect((await hold({ kind: 'device', device: 'd1' })).json()).toMatchObject({ code: 'device.not-found' });
  expect((await hold({ kind: 'group', group: '/' })).json()).toMatchObject({ code: 'group.not-found' });
  expect((await hold({ kind: 'type', deviceType: 'meter' })).statusCode).toBe(403);
  expect((await hold({ kind: 'group', group: '/acme' })).statusCode).toBe(201);
  expect((await ask('GET', '/holds', undefined, key)).json<{ items: object[] }>().items).toHaveLength(1);
  const { id } = other.json<{ id: string }>();
  expect((await ask('DELETE', `/holds/${id}`, undefined, key)).json()).toMatchObject({ code: 'hold.not-found' });
  for (const url of ['/retention', '/storage']) expect((await ask('GET', url, undefined, key)).statusCode).toBe(403);
});
