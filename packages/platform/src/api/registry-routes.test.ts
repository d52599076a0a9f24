import { expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
interface Answer {
  readonly status: number;
  // The shape differs by route: each test looks at what it asked for.
  readonly body: Record<string, unknown> & { readonly items?: readonly { readonly id: string }[] };
}

async function ask(api: TestApi, method: Method, path: string, payload?: object, key?: string): Promise<Answer> {
  const headers = key === undefined ? asAdmin : { authorization: `Bearer ${key}` };
  const answer = await api.app.inject({ method, url: `/api/v1${path}`, headers, ...(payload !== undefined && { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json<Answer['body']>() };
}

/** A key that has a role at a group. */
async function keyAt(api: TestApi, role: string, group: string): Promise<string> {
  const made = await ask(api, 'POST', '/api-keys', { name: `${role} of ${group}`, grants: [{ role, group }] });
  expect(made.status).toBe(201);
  return String(made.body['key']);
}

const ids = ({ body }: Answer): readonly string[] => (body.items ?? []).map(({ id }) => id);
const query = (filter: string): string => `/devices?filter=${encodeURIComponent(filter)}`;

test('a device is made with type, group and attributes, changed, and found by each of them', async () => {
  await using api = await openTestApi();
  await ask(api, 'POST', '/device-types', { name: 'boiler', hardwareVersions: ['a', 'b'] });
  const draft = { type: 'boiler', group: '/acme/b1', attributes: { fw: { version: '2.9' } } };
  expect((await ask(api, 'POST', '/devices', { id: 'd1', ...draft })).status).toBe(201);
  expect(ids(await ask(api, 'GET', query('type = "boiler" and group under "/acme" and attributes.fw.version < "2.10"')))).toEqual(
    ['d1'],
  );
  const changed = await ask(api, 'PATCH', '/devices/d1', {
    attributes: { fw: { version: '2.10' }, hardwareVersion: 'b' },
    group: '/acme',
    name: 'One',
  });
  expect(changed.body).toMatchObject({
    group: '/acme',
    name: 'One',
    attributes: { fw: { version: '2.10' }, hardwareVersion: 'b' },
  });
  expect(api.accessChanges).toContainEqual(['d1']);
  expect(ids(await ask(api, 'GET', query('attributes.fw.version < "2.10"')))).toEqual([]);
  expect(ids(await ask(api, 'GET', '/devices?group=%2Facme'))).toEqual(['d1']);
  const cleared = await ask(api, 'PATCH', '/devices/d1', { name: null, type: null, attributes: { fw: null } });
  expect(cleared.body).toMatchObject({ attributes: { hardwareVersion: 'b' } });
  expect(cleared.body).not.toHaveProperty('type');
  expect(cleared.body).not.toHaveProperty('name');
  expect((await ask(api, 'GET', `${query('type exists')}&include=total`)).body['total']).toBe(0);
});

test.each([
  ['no device type', { type: 'none' }],
  ['hardware versions', { attributes: { hardwareVersion: 'z' }, type: 'boiler' }],
  ['levels deep', { attributes: { a: { b: { c: { d: { e: 1 } } } } } }],
  ['name of an attribute', { attributes: { 'a.b': 1 } }],
  ['8192 bytes', { attributes: { a: 'x'.repeat(9000) } }],
  ['a path', { group: 'acme' }],
  ['a path', { group: '/acme/' }],
])('a device is refused: %#, %s', async (reason, fields) => {
  await using api = await openTestApi();
  await ask(api, 'POST', '/device-types', { name: 'boiler', hardwareVersions: ['a'] });
  await addDevice(api, 'd1');
  for (const [method, path, payload] of [
    ['POST', '/devices', { id: 'd2', ...fields }],
    ['PATCH', '/devices/d1', fields],
  ] as const) {
    const answer = await ask(api, method, path, payload);
    expect([answer.status, answer.body['detail']]).toEqual([400, expect.stringContaining(reason)]);
  }
  expect((await ask(api, 'GET', '/devices/d2')).status).toBe(404);
});

test('a filter that is none is refused with the place and the reason', async () => {
  await using api = await openTestApi();
  const answer = await ask(api, 'GET', query('type = boiler'));
  expect(answer.status).toBe(400);
  expect(answer.body).toMatchObject({ code: 'request.invalid', details: { field: 'filter', position: 8 } });
  expect((await ask(api, 'GET', query('shadow.reported.on = true'))).body['detail']).toContain('is not searchable');
});

test('groups are made, counted, moved and removed, and their devices go with them', async () => {
  await using api = await openTestApi();
  expect((await ask(api, 'POST', '/groups', { path: '/acme/b1/f1' })).status).toBe(201);
  expect((await ask(api, 'POST', '/groups', { path: '/acme/b1' })).body['code']).toBe('group.exists');
  await ask(api, 'POST', '/devices', { id: 'd1', group: '/acme/b1/f1' });
  await ask(api, 'POST', '/devices', { id: 'd2', group: '/acme' });
  const top = await ask(api, 'GET', '/groups');
  expect(top.body.items).toMatchObject([{ path: '/acme', devices: 1, devicesBelow: 2, groups: 1 }]);
  expect((await ask(api, 'DELETE', '/groups/%2Facme%2Fb1')).body['code']).toBe('group.not-empty');
  const moved = await ask(api, 'PATCH', '/groups/%2Facme%2Fb1', { path: '/other/b-one' });
  expect(moved.body).toMatchObject({ path: '/other/b-one', devicesBelow: 1 });
  expect((await ask(api, 'GET', '/devices/d1')).body['group']).toBe('/other/b-one/f1');
  expect(api.accessChanges).toContain('all');
  expect((await ask(api, 'DELETE', '/groups/%2Fother%2Fb-one?force=true')).status).toBe(204);
  expect((await ask(api, 'GET', '/devices/d1')).body['group']).toBe('/other');
  expect((await ask(api, 'GET', '/groups/%2Fother%2Fb-one')).status).toBe(404);
});

test('who has a role at a group does nothing with groups, devices and fleets outside of it', async () => {
  await using api = await openTestApi();
  for (const group of ['/a', '/b']) {
    await ask(api, 'POST', '/devices', { id: `d${group[1]}`, group: `${group}/x` });
    await ask(api, 'POST', '/fleets', { id: `f${group[1]}`, group, filter: 'id exists' });
  }
  await ask(api, 'POST', '/fleets', { id: 'all', filter: 'id exists' });
  const key = await keyAt(api, 'administrator', '/a');
  const as = async (method: Method, path: string, payload?: object) => await ask(api, method, path, payload, key);

  expect(ids(await as('GET', '/devices'))).toEqual(['da']);
  expect((await as('GET', '/devices?include=total')).body['total']).toBe(1);
  expect(ids(await as('GET', query('id exists or group under "/b"')))).toEqual(['da']);
  expect(ids(await as('GET', '/devices?group=%2Fb'))).toEqual([]);
  expect((await as('PATCH', '/devices/db', { name: 'x' })).status).toBe(404);
  expect((await as('PATCH', '/devices/da', { group: '/b' })).status).toBe(403);
  expect((await as('POST', '/devices', { id: 'new', group: '/b' })).status).toBe(403);

  expect((await as('GET', '/groups')).body.items).toMatchObject([{ path: '/a' }]);
  expect((await as('GET', '/groups?parent=%2Fb')).status).toBe(404);
  expect((await as('GET', '/groups/%2Fb')).status).toBe(404);
  expect((await as('POST', '/groups', { path: '/b/new' })).status).toBe(403);
  expect((await as('PATCH', '/groups/%2Fb%2Fx', { path: '/a/y' })).status).toBe(404);
  expect((await as('PATCH', '/groups/%2Fa%2Fx', { path: '/b/y' })).status).toBe(403);
  expect((await as('PATCH', '/groups/%2Fa', { path: '/a2' })).status).toBe(403);
  expect((await as('DELETE', '/groups/%2Fa?force=true')).status).toBe(403);
  expect((await as('DELETE', '/groups/%2Fb%2Fx?force=true')).status).toBe(404);

  expect(ids(await as('GET', '/fleets'))).toEqual(['fa']);
  for (const id of ['fb', 'all']) {
    expect((await as('GET', `/fleets/${id}`)).status).toBe(404);
    expect((await as('GET', `/fleets/${id}/devices`)).status).toBe(404);
    expect((await as('PATCH', `/fleets/${id}`, { name: 'x' })).status).toBe(404);
    expect((await as('DELETE', `/fleets/${id}`)).status).toBe(404);
  }
  expect((await as('PATCH', '/fleets/fa', { group: '/' })).status).toBe(403);
  expect((await as('POST', '/fleets', { id: 'fx', group: '/b', filter: 'id exists' })).status).toBe(403);
  expect((await as('POST', '/fleets', { id: 'mine', filter: 'id exists' })).body).toMatchObject({ group: '/a' });
  expect((await as('POST', '/device-types', { name: 't' })).status).toBe(403);
});

test('a fleet has the members of now, of its group, and says how many', async () => {
  await using api = await openTestApi();
  for (const id of ['a1', 'a2', 'b1'])
    await ask(api, 'POST', '/devices', { id, group: id[0] === 'a' ? '/a' : '/b', tags: ['t'] });
  const made = await ask(api, 'POST', '/fleets', { id: 'f', group: '/a', filter: 'tags has "t"' });
  expect([made.status, made.body['name']]).toEqual([201, 'f']);
  expect((await ask(api, 'GET', '/fleets/f')).body['devices']).toBe(2);
  await ask(api, 'PATCH', '/devices/a1', { tags: [] });
  expect(ids(await ask(api, 'GET', '/fleets/f/devices'))).toEqual(['a2']);
  expect((await ask(api, 'POST', '/fleets', { id: 'g', filter: 'tags' })).body['code']).toBe('request.invalid');
  expect((await ask(api, 'PATCH', '/fleets/f', { filter: 'id = "b1"' })).status).toBe(200);
  expect((await ask(api, 'GET', '/fleets/f')).body['devices']).toBe(0);
  expect((await ask(api, 'DELETE', '/fleets/f')).status).toBe(204);
  expect((await ask(api, 'GET', '/fleets/f')).status).toBe(404);
});

test('types are checked, and stay while devices are of them', async () => {
  await using api = await openTestApi();
  const telemetry = [{ metric: 'temperature', unit: '°C', type: 'number', min: -40, max: 120 }];
  expect((await ask(api, 'POST', '/device-types', { name: 'boiler', telemetry, codec: 'cbor' })).status).toBe(201);
  for (const wrong of [
    [{ metric: 'on', type: 'boolean', min: 1 }],
    [{ metric: 'a', type: 'number', min: 2, max: 1 }],
    [
      { metric: 'a', type: 'number' },
      { metric: 'a', type: 'text' },
    ],
  ]) {
    expect((await ask(api, 'POST', '/device-types', { name: 'x', telemetry: wrong })).body['code']).toBe('request.invalid');
  }
  await ask(api, 'POST', '/devices', { id: 'd1', type: 'boiler', group: '/a' });
  const key = await keyAt(api, 'viewer', '/b');
  expect((await ask(api, 'GET', '/device-types/boiler')).body).toMatchObject({ devices: 1, telemetry, codec: 'cbor' });
  expect((await ask(api, 'GET', '/device-types/boiler', undefined, key)).body).toMatchObject({ devices: 0 });
  expect((await ask(api, 'GET', '/device-types', undefined, key)).body.items?.[0]).not.toHaveProperty('devices');
  for (const [patch, limits] of [
    [
      { maxSeries: 1000, maxSeriesPerDevice: 50 },
      { maxSeries: 1000, maxSeriesPerDevice: 50 },
    ],
    [{ maxSeries: 0 }, { maxSeriesPerDevice: 50 }],
    [{ description: 'b' }, { maxSeriesPerDevice: 50 }],
  ] as const) {
    const { maxSeries, maxSeriesPerDevice } = (await ask(api, 'PATCH', '/device-types/boiler', patch)).body;
    expect(JSON.parse(JSON.stringify({ maxSeries, maxSeriesPerDevice }))).toEqual(limits);
  }
  expect((await ask(api, 'PATCH', '/device-types/boiler', { maxSeries: -1 })).status).toBe(400);
  expect((await ask(api, 'DELETE', '/device-types/boiler')).body['code']).toBe('device-type.in-use');
  await ask(api, 'PATCH', '/devices/d1', { type: null });
  expect((await ask(api, 'DELETE', '/device-types/boiler')).status).toBe(204);
});

test('every change is in the trail, with who made it', async () => {
  await using api = await openTestApi();
  await ask(api, 'POST', '/device-types', { name: 't' });
  await ask(api, 'POST', '/devices', { id: 'd', group: '/a' });
  await ask(api, 'PATCH', '/devices/d', { type: 't' });
  await ask(api, 'POST', '/fleets', { id: 'f', filter: 'id exists' });
  await ask(api, 'PATCH', '/groups/%2Fa', { path: '/b' });
  await ask(api, 'DELETE', '/devices/d');
  const ours = new Set(['device', 'device-type', 'group', 'fleet']);
  const entries = (await api.audit.list({ limit: 100 })).filter(({ object }) => ours.has(object.kind));
  expect(entries.map(({ action }) => action).reverse()).toEqual([
    'device-type.create',
    'group.create',
    'device.create',
    'device.update',
    'fleet.create',
    'group.move',
    'group.move',
    'device.delete',
  ]);
  expect(new Set(entries.map(({ actor }) => actor.kind))).toEqual(new Set(['api-key']));
  expect(entries.find(({ action }) => action === 'device.update')).toMatchObject({ before: {}, after: { type: 't' } });
});
