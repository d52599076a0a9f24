import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

async function send(api: TestApi, method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH', path: string, payload?: object) {
  const answer = await api.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: asAdmin,
    ...(payload !== undefined && { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json<Record<string, unknown>>() };
}

const REPORT = {
  replica: 'gw-1',
  clock: { 'gw-1': 2 },
  state: { reported: { mode: 'off', fan: { speed: 2 } } },
  stamps: { reported: { mode: [1, 1, 'gw-1'], fan: { speed: [1, 2, 'gw-1'] } } },
};

test('an edge brings what it has, gets what it is to have, and what was written on both sides is told and listed', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'pump7');
  await send(api, 'PATCH', '/devices/pump7/shadow', { desired: { mode: 'auto' }, reported: { mode: 'auto' } });
  const merged = await send(api, 'POST', '/devices/pump7/shadow/merge', REPORT);
  expect(merged).toMatchObject({
    status: 200,
    body: {
      version: 2,
      clock: { 'gw-1': 2 },
      state: { desired: { mode: 'auto' }, reported: { mode: 'auto', fan: { speed: 2 } } },
      stamps: { reported: { fan: { speed: [1, 2, 'gw-1'] } } },
      conflicts: [
        { section: 'reported', path: '/mode', chosen: 'ours', by: 'last-write', theirs: { value: 'off', replica: 'gw-1' } },
      ],
    },
  });
  const { conflicts } = merged.body;
  const listed = await send(api, 'GET', '/devices/pump7/shadow/conflicts');
  expect(listed.body).toMatchObject({ items: [{ version: 2, replica: 'gw-1', conflicts }] });
  expect((await send(api, 'GET', '/devices/pump7/shadow/history')).body).toMatchObject({
    items: [{ version: 2, by: 'replica:gw-1' }, { version: 1 }],
  });
  // The edge has it then, and nothing is new.
  const { version, createdAtMs, clock, state, stamps } = merged.body as Record<string, object>;
  const again = { replica: 'gw-1', clock: { ...clock, cloud: version }, createdAtMs, state, stamps };
  expect(await send(api, 'POST', '/devices/pump7/shadow/merge', again)).toMatchObject({
    status: 200,
    body: { version: 2, conflicts: [] },
  });
});

test('a named shadow is merged the same way', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'pump7');
  expect(await send(api, 'POST', '/devices/pump7/shadows/config/merge', REPORT)).toMatchObject({
    status: 200,
    body: { version: 1 },
  });
  expect((await send(api, 'GET', '/devices/pump7/shadows/config')).body).toMatchObject({
    reported: { mode: 'off', fan: { speed: 2 } },
  });
  expect((await send(api, 'GET', '/devices/pump7/shadows/config/conflicts')).body).toEqual({ items: [] });
});

test.each([
  ['a device that is not there', '/devices/none/shadow/merge', REPORT, 404, 'device.not-found'],
  [
    'a shadow that is not there, by an edge that has none',
    '/devices/pump7/shadow/merge',
    { ...REPORT, state: {}, stamps: {} },
    404,
    'shadow.not-found',
  ],
  ['a value without a stamp', '/devices/pump7/shadow/merge', { ...REPORT, stamps: {} }, 422, 'shadow.invalid'],
  [
    'a stamp that is a text',
    '/devices/pump7/shadow/merge',
    { ...REPORT, stamps: { reported: { mode: 'x', fan: 'y' } } },
    422,
    'shadow.invalid',
  ],
  ['a name that is none', '/devices/pump7/shadows/a%20b/merge', REPORT, 400, 'request.invalid'],
  ['something else', '/devices/pump7/shadow/merge', { desired: {} }, 400, 'request.invalid'],
])('%s is refused', async (_, path, payload, status, code) => {
  await using api = await openTestApi();
  await addDevice(api, 'pump7');
  expect(await send(api, 'POST', path, payload)).toMatchObject({ status, body: { code } });
});

test('merge policies are put, listed and removed, and a script that is none is refused with its line', async () => {
  await using api = await openTestApi();
  const script = 'function merge({ ours }) { return ours.value }';
  expect(await send(api, 'PUT', '/merge-policies', { deviceType: 'pump', shadow: '', policy: 'custom', script })).toMatchObject({
    status: 200,
  });
  await send(api, 'PUT', '/merge-policies', { policy: 'desired-wins' });
  expect((await send(api, 'GET', '/merge-policies')).body).toMatchObject({
    items: [{ policy: 'desired-wins' }, { deviceType: 'pump', shadow: '', policy: 'custom', script }],
  });
  expect(
    await send(api, 'PUT', '/merge-policies', { policy: 'custom', script: 'function merge() {\n  return ( }' }),
  ).toMatchObject({
    status: 422,
    body: { code: 'script.invalid', detail: expect.stringContaining('line 2') },
  });
  expect(await send(api, 'DELETE', '/merge-policies?deviceType=pump&shadow=')).toMatchObject({ status: 204 });
  expect(await send(api, 'DELETE', '/merge-policies?deviceType=pump&shadow=')).toMatchObject({
    status: 404,
    body: { code: 'merge-policy.not-found' },
  });
  expect((await send(api, 'GET', '/merge-policies')).body).toMatchObject({ items: [{ policy: 'desired-wins' }] });
});

test('a field of shadows is declared, filters and fleets ask for it, and it is dropped', async () => {
  await using api = await openTestApi();
  await addDevice(api, 'pump7');
  await addDevice(api, 'pump8');
  await send(api, 'PATCH', '/devices/pump7/shadow', { reported: { mode: 'auto' } });
  const filter = encodeURIComponent('shadow.reported.mode = "auto"');
  expect(await send(api, 'GET', `/devices?filter=${filter}`)).toMatchObject({
    status: 400,
    body: { code: 'request.invalid', detail: expect.stringContaining('not searchable') },
  });
  expect(await send(api, 'PUT', '/search/shadow-fields/shadow.reported.mode', {})).toMatchObject({
    status: 200,
    body: { field: 'shadow.reported.mode' },
  });
  while ((await api.searchFields.list()).some(({ isFilling }) => isFilling)) await setImmediate();
  await api.searchFields.follow();
  expect((await send(api, 'GET', `/devices?filter=${filter}&include=total`)).body).toMatchObject({
    items: [{ id: 'pump7' }],
    total: 1,
  });
  await send(api, 'POST', '/fleets', { id: 'auto', filter: 'shadow.reported.mode = "auto"' });
  expect((await send(api, 'GET', '/fleets/auto')).body).toMatchObject({ devices: 1 });
  expect((await send(api, 'GET', '/search/shadow-fields')).body).toMatchObject({
    items: [{ field: 'shadow.reported.mode', filling: false }],
  });
  expect(await send(api, 'PUT', '/search/shadow-fields/reported.mode', {})).toMatchObject({
    status: 400,
    body: { code: 'request.invalid' },
  });
  expect(await send(api, 'DELETE', '/search/shadow-fields/shadow.reported.mode')).toMatchObject({ status: 204 });
  expect(await send(api, 'DELETE', '/search/shadow-fields/shadow.reported.mode')).toMatchObject({
    status: 404,
    body: { code: 'search-field.not-found' },
  });
  expect(await send(api, 'GET', `/devices?filter=${filter}`)).toMatchObject({ status: 400 });
});
