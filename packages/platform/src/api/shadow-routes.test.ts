import { afterEach, beforeEach, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;
beforeEach(async () => {
  api = await openTestApi();
  await addDevice(api, 'sensor1');
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const SHADOW = '/api/v1/devices/sensor1/shadow';
const CONFIG = '/api/v1/devices/sensor1/shadows/config';

async function send(method: 'GET' | 'PUT' | 'PATCH' | 'DELETE', url: string, payload?: object, headers: object = {}) {
  return await api.app.inject({ method, url, headers: { ...asAdmin, ...headers }, ...(payload && { payload }) });
}

test('a shadow is made by a merge, changed by the next, and shown with what is left to do', async () => {
  expect((await send('GET', SHADOW)).json()).toMatchObject({ status: 404, code: 'shadow.not-found' });
  const made = await send('PATCH', SHADOW, { desired: { mode: 'eco', fan: { speed: 3, on: true } } });
  expect(made.statusCode).toBe(200);
  expect(made.headers.etag).toBe('"1"');
  api.clock.advance(5_000);
  await send('PATCH', SHADOW, { desired: { fan: { on: null } }, reported: { mode: 'eco', fan: { speed: 1 } } });
  const shown = await send('GET', SHADOW);
  expect(shown.headers.etag).toBe('"2"');
  expect(shown.json()).toEqual({
    version: 2,
    desired: { mode: 'eco', fan: { speed: 3 } },
    effective: { mode: 'eco', fan: { speed: 3 } },
    reported: { mode: 'eco', fan: { speed: 1 } },
    delta: { fan: { speed: 3 } },
    metadata: {
      desired: { mode: { atMs: 1_700_000_000_000, version: 1 }, fan: { speed: { atMs: 1_700_000_000_000, version: 1 } } },
      reported: { mode: { atMs: 1_700_000_005_000, version: 2 }, fan: { speed: { atMs: 1_700_000_005_000, version: 2 } } },
    },
    createdAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_005_000,
  });
});

test('a merge comes as a merge patch too, and no other media type is taken', async () => {
  const patch = await send('PATCH', SHADOW, { desired: { a: 1 } }, { 'content-type': 'application/merge-patch+json' });
  expect([patch.statusCode, patch.json()]).toEqual([200, expect.objectContaining({ desired: { a: 1 } })]);
  expect((await send('PUT', SHADOW, { desired: {} }, { 'content-type': 'application/merge-patch+json' })).statusCode).toBe(415);
  expect((await send('PATCH', SHADOW, { desired: {} }, { 'content-type': 'application/json-patch+json' })).statusCode).toBe(415);
});

test('a replacement leaves nothing else of desired, and reported as it was', async () => {
  await send('PATCH', SHADOW, { desired: { a: 1, b: { c: 2 } }, reported: { a: 1 } });
  const put = await send('PUT', SHADOW, { desired: { b: { d: 3 } } });
  expect(put.json()).toMatchObject({ version: 2, desired: { b: { d: 3 } }, reported: { a: 1 } });
  expect(put.json<{ desired: object }>().desired).toEqual({ b: { d: 3 } });
  expect((await send('PUT', SHADOW, { desired: null })).json()).toMatchObject({ desired: {}, reported: { a: 1 } });
});

test('named shadows stand beside the classic one and are listed in pages', async () => {
  for (const name of ['a', 'b', 'config']) await send('PATCH', `/api/v1/devices/sensor1/shadows/${name}`, { desired: { name } });
  await send('PATCH', SHADOW, { desired: { name: 'classic' } });
  const first = await send('GET', '/api/v1/devices/sensor1/shadows?limit=2');
  const { items, cursor } = first.json<{ items: object[]; cursor: string }>();
  expect(items).toEqual([
    { version: 1, createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000 },
    { name: 'a', version: 1, createdAtMs: 1_700_000_000_000, updatedAtMs: 1_700_000_000_000 },
  ]);
  const rest = (await send('GET', `/api/v1/devices/sensor1/shadows?limit=2&cursor=${cursor}`)).json<{
    items: { name: string }[];
  }>();
  expect(rest.items.map(({ name }) => name)).toEqual(['b', 'config']);
  expect(rest).not.toHaveProperty('cursor');
  // The page right after the classic one, whose name is empty.
  const one = (await send('GET', '/api/v1/devices/sensor1/shadows?limit=1')).json<{ cursor: string }>();
  const after = await send('GET', `/api/v1/devices/sensor1/shadows?limit=1&cursor=${one.cursor}`);
  expect(after.json<{ items: object[] }>().items).toEqual([expect.objectContaining({ name: 'a' })]);
  expect((await send('GET', CONFIG)).json()).toMatchObject({ name: 'config', desired: { name: 'config' } });
});

test('a change under If-Match happens to that version only', async () => {
  await send('PATCH', SHADOW, { desired: { n: 1 } });
  await send('PATCH', SHADOW, { desired: { n: 2 } });
  for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
    const late = await send(method, SHADOW, method === 'DELETE' ? undefined : { desired: { n: 9 } }, { 'if-match': '"1"' });
    expect([method, late.statusCode, late.json()]).toEqual([
      method,
      412,
      expect.objectContaining({ code: 'request.precondition-failed', details: { device: 'sensor1', shadow: '', version: 2 } }),
    ]);
  }
  expect((await send('PATCH', SHADOW, { desired: { n: 3 } }, { 'if-match': '"1", "2"' })).headers.etag).toBe('"3"');
  expect((await send('PATCH', SHADOW, { desired: { n: 4 } }, { 'if-match': '*' })).headers.etag).toBe('"4"');
  expect((await send('PATCH', SHADOW, { desired: { n: 5 } }, { 'if-match': 'W/"4"' })).statusCode).toBe(412);
  expect((await send('PATCH', SHADOW, { desired: { n: 5 } }, { 'if-match': '4' })).statusCode).toBe(400);
  expect((await send('DELETE', SHADOW, undefined, { 'if-match': '"4"' })).statusCode).toBe(204);
  expect((await send('PATCH', SHADOW, { desired: { n: 6 } }, { 'if-match': '*' })).statusCode).toBe(412);
});

test('If-None-Match: * makes a shadow only where there is none, also after it was removed', async () => {
  const onlyNew = { 'if-none-match': '*' };
  expect((await send('PUT', CONFIG, { desired: { n: 1 } }, onlyNew)).headers.etag).toBe('"1"');
  expect((await send('PUT', CONFIG, { desired: { n: 2 } }, onlyNew)).json()).toMatchObject({
    status: 412,
    details: { version: 1 },
  });
  await send('DELETE', CONFIG);
  const again = await send('PUT', CONFIG, { desired: { n: 3 } }, onlyNew);
  expect([again.statusCode, again.json()]).toEqual([200, expect.objectContaining({ desired: { n: 3 } })]);
  expect(again.json<{ version: number }>().version).toBeGreaterThan(1);
  expect((await send('PUT', CONFIG, { desired: {} }, { 'if-none-match': '"1"' })).statusCode).toBe(400);
});

test('expectedVersion of the body is answered by 409, and says nothing beside a header', async () => {
  await send('PATCH', SHADOW, { desired: { n: 1 } });
  expect((await send('PATCH', SHADOW, { desired: { n: 2 }, expectedVersion: 7 })).json()).toMatchObject({
    status: 409,
    code: 'shadow.conflict',
    details: { version: 1 },
  });
  expect((await send('PATCH', SHADOW, { desired: { n: 2 }, expectedVersion: 1 })).statusCode).toBe(200);
  expect((await send('PATCH', SHADOW, { expectedVersion: 2 }, { 'if-match': '"2"' })).statusCode).toBe(400);
});

test('what somebody has already is not sent again', async () => {
  await send('PATCH', SHADOW, { desired: { n: 1 } });
  for (const known of ['"1"', '"7", "1"', 'W/"1"', '*']) {
    const answer = await send('GET', SHADOW, undefined, { 'if-none-match': known });
    expect([known, answer.statusCode, answer.body, answer.headers.etag]).toEqual([known, 304, '', '"1"']);
  }
  expect((await send('GET', SHADOW, undefined, { 'if-none-match': '"2"' })).statusCode).toBe(200);
});

test.each([
  [{ desired: { a: { list: [1, { b: [null] }] } } }, '/desired/a/list/1/b/0'],
  [{ reported: { 'x/y': { 'a~b': [null] } } }, '/reported/x~1y/a~0b/0'],
  [
    { desired: { ok: 1, l1: { l2: { l3: { l4: { l5: { l6: { l7: { l8: { l9: 1 } } } } } } } } } },
    '/desired/l1/l2/l3/l4/l5/l6/l7/l8/l9',
  ],
])('what a shadow cannot have is named by its path: %#', async (payload, path) => {
  const answer = await send('PATCH', SHADOW, payload);
  expect(answer.json()).toMatchObject({ status: 422, code: 'shadow.invalid', details: { path } });
});

test('a shadow that would be larger than 8 KB, and a body that is none, are refused', async () => {
  expect((await send('PUT', SHADOW, { desired: { text: 'x'.repeat(9_000) } })).json()).toMatchObject({
    status: 413,
    code: 'shadow.too-large',
  });
  for (const payload of [{ desired: 1 }, { desired: [] }, { state: {} }, { desired: {}, expectedVersion: -1 }]) {
    expect((await send('PATCH', SHADOW, payload)).json()).toMatchObject({ status: 400, code: 'request.invalid' });
  }
  expect((await send('GET', '/api/v1/devices/sensor1/shadows/a.b')).json()).toMatchObject({ status: 400 });
  expect((await send('PATCH', '/api/v1/devices/nobody/shadow', {})).json()).toMatchObject({ code: 'device.not-found' });
});

test('a body that is far too deep is refused before anybody walks through it', async () => {
  const payload = `{"desired":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`;
  const headers = { ...asAdmin, 'content-type': 'application/merge-patch+json' };
  const answer = await api.app.inject({ method: 'PATCH', url: SHADOW, headers, payload });
  expect([answer.statusCode, answer.json()]).toEqual([400, expect.objectContaining({ code: 'request.invalid' })]);
});

test('the history tells who wrote what, newest first and in pages, beyond a removal', async () => {
  await send('PATCH', SHADOW, { desired: { a: 1, b: 2 } });
  await send('PATCH', SHADOW, { desired: { b: null } });
  await send('DELETE', SHADOW);
  await send('PATCH', SHADOW, { reported: { a: 1 } });
  type Page = { items: { version: number; change: string; by: string; desired?: object; reported?: object }[]; cursor?: string };
  const first = (await send('GET', `${SHADOW}/history?limit=3`)).json<Page>();
  expect(first.items.map(({ change }) => change)).toEqual(['updated', 'deleted', 'updated']);
  expect(first.items[0]).toMatchObject({
    reported: { a: 1 },
    by: expect.stringMatching(/^(user|system|api-key|admin-key|key):/),
  });
  expect(first.items[2]).toMatchObject({ version: 2, desired: { b: null } });
  const rest = (await send('GET', `${SHADOW}/history?limit=3&cursor=${first.cursor}`)).json<Page>();
  expect(rest.items).toEqual([expect.objectContaining({ version: 1, desired: { a: 1, b: 2 } })]);
  expect(rest).not.toHaveProperty('cursor');
  expect((await send('GET', `${SHADOW}/history?cursor=nonsense`)).statusCode).toBe(400);
  expect((await send('GET', `${CONFIG}/history`)).json()).toEqual({ items: [] });
});

test('the shadow of a device that the caller does not see looks not there', async () => {
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants: [{ role: 'administrator', group: '/elsewhere' }] },
  });
  const theirs = { authorization: `Bearer ${made.json<{ key: string }>().key}` };
  await send('PATCH', SHADOW, { desired: { a: 1 } });
  for (const [method, url] of [
    ['GET', SHADOW],
    ['GET', CONFIG],
    ['PUT', SHADOW],
    ['PATCH', SHADOW],
    ['DELETE', SHADOW],
    ['GET', `${SHADOW}/history`],
    ['GET', '/api/v1/devices/sensor1/shadows'],
  ] as const) {
    const payload = method === 'PUT' || method === 'PATCH' ? { desired: { a: 2 } } : undefined;
    expect((await send(method, url, payload, theirs)).json()).toMatchObject({ status: 404, code: 'device.not-found' });
  }
  expect((await send('GET', SHADOW)).json()).toMatchObject({ version: 1 });
});

test('what people change is in the audit trail', async () => {
  await send('PATCH', CONFIG, { desired: { a: 1 } });
  await send('DELETE', CONFIG);
  const rows = await api.state.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  const changes = rows.map(({ change }) => JSON.parse(change) as { action: string; object: { kind: string; id: string } });
  expect(changes.map(({ action }) => action)).toEqual(['shadow.create', 'shadow.delete']);
});
