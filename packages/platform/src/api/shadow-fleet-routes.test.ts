import { describe, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly headers: Record<string, unknown> };

async function ask(
  api: TestApi,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
  key?: string,
) {
  const headers = key === undefined ? asAdmin : { authorization: `Bearer ${key}` };
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers, ...(payload && { payload }) });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<Record<string, unknown>>() } satisfies Answer;
}

/** Devices `a1`, `a2` in /a, `b1` in /b, and the key of an operator of /a. */
async function withDevices(api: TestApi): Promise<string> {
  for (const [id, group] of [
    ['a1', '/a'],
    ['a2', '/a'],
    ['b1', '/b'],
  ] as const) {
    await addDevice(api, id);
    await ask(api, 'PATCH', `/devices/${id}`, { group });
  }
  const made = await ask(api, 'POST', '/api-keys', { name: 'of a', grants: [{ role: 'operator', group: '/a' }] });
  return String(made.body['key']);
}

async function finish(api: TestApi): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { body } = await ask(api, 'GET', '/shadow-updates?state=running');
    if ((body['items'] as unknown[]).length === 0) return;
    api.clock.advance(50);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  throw new Error('an update does not come to its end');
}

describe('updates of many shadows', () => {
  test('are accepted, shown, listed, and say which devices failed', async () => {
    await using api = await openTestApi();
    await withDevices(api);
    const made = await ask(api, 'POST', '/shadow-updates', {
      target: ['a1', 'b1', 'nobody'],
      desired: { fan: 2 },
      ratePerSec: 500,
    });
    expect(made).toMatchObject({
      status: 202,
      body: { kind: 'desired', state: 'running', target: 'devices', total: 3, failed: 1, left: 2, ratePerSec: 500 },
    });
    const id = String(made.body['id']);
    expect(made.headers['location']).toBe(`/api/v1/shadow-updates/${id}`);
    await finish(api);
    expect((await ask(api, 'GET', `/shadow-updates/${id}`)).body).toMatchObject({ state: 'done', done: 2, failed: 1, left: 0 });
    expect((await ask(api, 'GET', `/shadow-updates/${id}/failures`)).body).toEqual({
      items: [{ device: 'nobody', code: 'device.not-found', reason: 'there is no device nobody' }],
    });
    expect((await ask(api, 'GET', '/devices/a1/shadow')).body).toMatchObject({ desired: { fan: 2 }, version: 1 });
    for (const target of ['group:/a', 'filter:id = "a1"'])
      expect((await ask(api, 'POST', '/shadow-updates', { target, shadow: 'config', desired: {} })).status).toBe(202);
    const first = (await ask(api, 'GET', '/shadow-updates?limit=2')).body as { items: { id: string }[]; cursor: string };
    expect(first.items).toHaveLength(2);
    const rest = (await ask(api, 'GET', `/shadow-updates?limit=2&cursor=${first.cursor}`)).body;
    expect(rest).toEqual({ items: [expect.objectContaining({ id })] });
  });

  test('are cancelled once', async () => {
    await using api = await openTestApi();
    await withDevices(api);
    const { body } = await ask(api, 'POST', '/shadow-updates', { target: 'group:/', desired: { fan: 2 }, ratePerSec: 1 });
    const path = `/shadow-updates/${String(body['id'])}`;
    expect(await ask(api, 'POST', `${path}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    expect((await ask(api, 'GET', path)).body).not.toHaveProperty('etaMs');
    expect(await ask(api, 'POST', '/shadow-updates/none/cancel')).toMatchObject({
      status: 404,
      body: { code: 'shadow-update.not-found' },
    });
  });

  test('are refused where they are not right', async () => {
    await using api = await openTestApi();
    await withDevices(api);
    for (const [payload, status] of [
      [{ desired: {} }, 400],
      [{ target: 'group:/a' }, 400],
      [{ target: 'group:/a', desired: {}, ratePerSec: 0 }, 400],
      [{ target: 'group:/a', desired: {}, shadow: 'a b' }, 400],
      [{ target: 'group:/a', desired: { a: [null] } }, 400],
      [{ target: 'filter:type ~ 1', desired: {} }, 400],
      [{ target: 'group:/none', desired: {} }, 404],
      [{ target: 'type:none', desired: {} }, 404],
    ] as const) {
      expect([payload, (await ask(api, 'POST', '/shadow-updates', payload)).status]).toEqual([payload, status]);
    }
  });

  test('change and show nothing outside of the nodes of who asks', async () => {
    await using api = await openTestApi();
    const key = await withDevices(api);
    expect((await ask(api, 'POST', '/shadow-updates', { target: 'group:/b', desired: {} }, key)).status).toBe(404);
    const { body } = await ask(api, 'POST', '/shadow-updates', { target: 'filter:id like "*"', desired: { fan: 1 } }, key);
    expect(body).toMatchObject({ total: 2 });
    await finish(api);
    expect((await ask(api, 'GET', '/devices/b1/shadow')).status).toBe(404);
    const wide = await ask(api, 'POST', '/shadow-updates', { target: 'group:/', desired: { fan: 3 }, ratePerSec: 1 });
    const path = `/shadow-updates/${String(wide.body['id'])}`;
    for (const [method, suffix] of [
      ['GET', ''],
      ['GET', '/failures'],
      ['POST', '/cancel'],
    ] as const)
      expect((await ask(api, method, path + suffix, undefined, key)).status).toBe(404);
    expect((await ask(api, 'GET', '/shadow-updates', undefined, key)).body).toMatchObject({ items: [{ id: body['id'] }] });
  });
});

describe('defaults of shadows', () => {
  test('are put, reach the devices, are listed, explained and removed', async () => {
    await using api = await openTestApi();
    await withDevices(api);
    await ask(api, 'POST', '/device-types', { name: 'boiler' });
    await ask(api, 'PATCH', '/devices/a1', { type: 'boiler' });
    const put = await ask(api, 'PUT', '/shadow-defaults', { target: 'type:boiler', desired: { mode: 'eco', fan: 1 } });
    expect(put).toMatchObject({
      status: 200,
      body: { target: 'type:boiler', version: 1, update: { kind: 'defaults', total: 1, target: 'type:boiler' } },
    });
    await ask(api, 'PUT', '/shadow-defaults', { target: 'group:/a', desired: { fan: 2 }, expectedVersion: 0 });
    expect(
      (await ask(api, 'PUT', '/shadow-defaults', { target: 'group:/a', desired: { fan: 3 }, expectedVersion: 0 })).status,
    ).toBe(409);
    await finish(api);
    expect((await ask(api, 'GET', '/devices/a1/shadow')).body).toMatchObject({ effective: { mode: 'eco', fan: 2 } });
    expect((await ask(api, 'GET', '/devices/a1/shadow-origin')).body).toEqual({
      type: 'boiler',
      group: '/a',
      layers: [
        { target: 'type:boiler', desired: { mode: 'eco', fan: 1 } },
        { target: 'group:/a', desired: { fan: 2 } },
      ],
      inherited: { mode: 'eco', fan: 2 },
    });
    const page = (await ask(api, 'GET', '/shadow-defaults?limit=1')).body as { items: object[]; cursor: string };
    expect(page.items).toMatchObject([{ target: 'type:boiler' }]);
    expect((await ask(api, 'GET', `/shadow-defaults?limit=1&cursor=${page.cursor}`)).body).toEqual({
      items: [expect.objectContaining({ target: 'group:/a', desired: { fan: 2 } })],
    });
    expect((await ask(api, 'GET', '/shadow-defaults?target=group:/b')).body).toEqual({ items: [] });
    expect(await ask(api, 'DELETE', '/shadow-defaults?target=group:/a')).toMatchObject({
      status: 200,
      body: { update: { total: 2 } },
    });
    expect((await ask(api, 'DELETE', '/shadow-defaults?target=group:/a')).status).toBe(404);
    await finish(api);
    expect((await ask(api, 'GET', '/devices/a1/shadow')).body).toMatchObject({ effective: { mode: 'eco', fan: 1 } });
  });

  test('of other groups look not there, and those of types are for who may change all', async () => {
    await using api = await openTestApi();
    const key = await withDevices(api);
    await ask(api, 'POST', '/device-types', { name: 'boiler' });
    const put = async (target: string, who?: string) =>
      (await ask(api, 'PUT', '/shadow-defaults', { target, desired: { a: 1 } }, who)).status;
    expect(await put('group:/b', key)).toBe(404);
    expect(await put('group:/', key)).toBe(404);
    expect(await put('type:boiler', key)).toBe(403);
    expect(await put('group:/a', key)).toBe(200);
    expect(await put('group:/b')).toBe(200);
    const { body } = await ask(api, 'GET', '/shadow-defaults', undefined, key);
    expect(body).toMatchObject({ items: [{ target: 'group:/a' }] });
    expect((await ask(api, 'GET', '/devices/b1/shadow-origin', undefined, key)).status).toBe(404);
    expect((await ask(api, 'DELETE', '/shadow-defaults?target=group:/b', undefined, key)).status).toBe(404);
  });
});

test('a schema of a type keeps a desired state from its devices, and shows what is reported against it', async () => {
  await using api = await openTestApi();
  await withDevices(api);
  const schema = { type: 'object', properties: { target: { type: 'number', maximum: 90 } } };
  const type = { name: 'boiler', shadowSchemas: [{ desired: schema, reported: schema }] };
  expect(await ask(api, 'POST', '/device-types', type)).toMatchObject({ status: 201, body: type });
  await ask(api, 'PATCH', '/devices/a1', { type: 'boiler' });
  expect(await ask(api, 'PATCH', '/devices/a1/shadow', { desired: { target: 95 } })).toMatchObject({
    status: 422,
    body: { code: 'shadow.refused', detail: 'Does not fit the desired schema of the device type boiler: target must be <= 90' },
  });
  expect((await ask(api, 'GET', '/devices/a1/shadow')).status).toBe(404);
  expect((await ask(api, 'PATCH', '/devices/a1/shadow', { reported: { target: 95 } })).status).toBe(200);
  expect((await ask(api, 'GET', '/devices/a1/shadow-origin')).body).toEqual({
    type: 'boiler',
    group: '/a',
    layers: [],
    reportedFault: 'Does not fit the reported schema of the device type boiler: target must be <= 90',
  });
  expect(await ask(api, 'PATCH', '/device-types/boiler', { shadowSchemas: [{ desired: { patern: 'x' } }] })).toMatchObject({
    status: 400,
    body: { code: 'request.invalid', detail: 'desired: there is no keyword "patern", or it is not taken here' },
  });
});
