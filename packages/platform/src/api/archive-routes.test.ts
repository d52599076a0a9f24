import { afterEach, beforeEach, expect, test } from 'vitest';
import { ARCHIVE_STATUS } from '../archive/archive-control.fixture.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;

beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

async function ask(method: 'GET' | 'POST', url: string, payload?: object, headers: Record<string, string> = asAdmin) {
  return await api.app.inject({ method, url: `/api/v1${url}`, headers, ...(payload === undefined ? {} : { payload }) });
}

/** A key that may all in one group. */
async function keyAt(group: string): Promise<Record<string, string>> {
  await ask('POST', '/groups', { path: group });
  const made = await ask('POST', '/api-keys', { name: 'k', grants: [{ role: 'engineer', group }] });
  return { authorization: `Bearer ${made.json<{ key: string }>().key}` };
}

test('the state of the archive says what it waits for and why', async () => {
  expect((await ask('GET', '/archive')).json()).toEqual(ARCHIVE_STATUS);
});

test('objects are listed page by page', async () => {
  const first = (await ask('GET', '/archive/objects?limit=1')).json<{ items: object[]; cursor: string }>();
  expect(first).toMatchObject({ items: [{ id: 7, deviceType: 'meter', day: '2023-11-14', hour: 7, points: 10 }], cursor: '7' });
  const second = (await ask('GET', `/archive/objects?limit=1&cursor=${first.cursor}`)).json<{ items: object[] }>();
  expect(second).toMatchObject({ items: [{ id: 9, bytes: 150 }] });
  expect(second).not.toHaveProperty('cursor');
  expect(second.items[0]).not.toHaveProperty('hour');
  expect(second.items[0]).not.toHaveProperty('deviceType');
});

test('it is archived at once on demand', async () => {
  const asked = await ask('POST', '/archive/run');
  expect([asked.statusCode, asked.json()]).toEqual([202, {}]);
  expect(api.archive.runs).toBe(1);
});

test('what is not stored yet when it is archived on demand is told, and why', async () => {
  api.archive.flushed = { done: false, because: 'replaying', waiting: 1_200 };
  expect((await ask('POST', '/archive/run')).json()).toEqual({ left: { because: 'replaying', waiting: 1_200 } });
});

test('objects that cannot be used are listed, and given up by an audited request', async () => {
  const listed = (await ask('GET', '/archive/bad-objects?limit=1')).json<{ items: object[] }>();
  expect(listed).toMatchObject({ items: [{ id: 7, hour: 7, points: 10, code: 'data.corrupt', tries: 2 }] });
  expect(listed).not.toHaveProperty('cursor');
  const given = await ask('POST', '/archive/bad-objects/7/give-up');
  expect([given.statusCode, given.json()]).toEqual([200, listed.items[0]]);
  expect((await ask('GET', '/archive/bad-objects')).json()).toEqual({ items: [] });
  expect((await ask('POST', '/archive/bad-objects/7/give-up')).json()).toMatchObject({ code: 'archive.object-not-found' });
  const entries = await api.audit.list({ limit: 10, action: 'archive.give-up' });
  expect(entries).toMatchObject([{ object: { kind: 'archived-object', id: '7' }, before: { id: 7, code: 'data.corrupt' } }]);
});

test('a rebuild is begun and audited', async () => {
  expect((await ask('POST', '/archive/rebuild')).statusCode).toBe(202);
  expect(api.archive.rebuilds).toBe(1);
  expect(await api.audit.list({ limit: 10, action: 'archive.rebuild' })).toHaveLength(1);
});

test('who may act in a group alone may not touch the archive', async () => {
  const key = await keyAt('/acme');
  for (const [method, url] of [
    ['GET', '/archive/bad-objects'],
    ['POST', '/archive/bad-objects/7/give-up'],
    ['POST', '/archive/rebuild'],
  ] as const) {
    expect((await ask(method, url, undefined, key)).statusCode, url).toBe(403);
  }
  expect([api.archive.givenUp, api.archive.rebuilds]).toEqual([[], 0]);
});

test('an erasure is begun, audited, listed and shown', async () => {
  await addDevice(api, 'd1');
  const begun = await ask('POST', '/erasures', { device: 'd1' });
  expect(begun.statusCode).toBe(202);
  expect(begun.json()).toMatchObject({ id: '0', device: 'd1', reason: 'requested', state: 'hidden' });
  await ask('POST', '/erasures', { device: 'not-there-any-more' });
  const page = (await ask('GET', '/erasures?limit=1')).json<{ items: object[]; cursor: string }>();
  expect(page).toMatchObject({ items: [{ device: 'not-there-any-more' }], cursor: '1' });
  expect((await ask('GET', `/erasures?limit=1&cursor=${page.cursor}`)).json()).toMatchObject({ items: [{ device: 'd1' }] });
  expect((await ask('GET', '/erasures?device=d1')).json<{ items: object[] }>().items).toHaveLength(1);
  expect((await ask('GET', '/erasures/0')).json()).toMatchObject({ device: 'd1', begunAtMs: 1_700_000_000_000 });
  expect((await ask('GET', '/erasures/5')).json()).toMatchObject({ code: 'erasure.not-found' });
  const entries = await api.audit.list({ limit: 10, action: 'erasure.begin' });
  expect(entries.map(({ object, after }) => [object, after])).toEqual([
    [{ kind: 'erasure', id: '1' }, { device: 'not-there-any-more' }],
    [{ kind: 'erasure', id: '0' }, { device: 'd1' }],
  ]);
});

test('an erasure takes away what is kept aside for forwarders too, and says where that cannot be done now', async () => {
  const forgotten: string[] = [];
  let failure: SelsynError | undefined;
  const forgetDevice = async (device: string): Promise<void> => {
    if (failure !== undefined) throw failure;
    forgotten.push(device);
  };
  // Nothing else is asked of them.
  await using own = await openTestApi({ forwarders: { forgetDevice } as unknown as ApiDependencies['forwarders'] });
  const erase = async () =>
    await own.app.inject({ method: 'POST', url: '/api/v1/erasures', headers: asAdmin, payload: { device: 'd1' } });
  expect((await erase()).statusCode).toBe(202);
  expect(forgotten).toEqual(['d1']);
  failure = new SelsynError('thread.gone', 'the forwarders are being started anew', { retryable: true });
  expect((await erase()).json()).toMatchObject({ code: 'thread.gone' });
  expect(await own.audit.list({ limit: 10, action: 'erasure.begin' })).toHaveLength(2);
});

test('a legal hold refuses an erasure, and who acts in a group erases only devices of it', async () => {
  await addDevice(api, 'd1');
  api.archive.held.add('d1');
  expect((await ask('POST', '/erasures', { device: 'd1' })).json()).toMatchObject({ code: 'hold.active' });
  api.archive.held.clear();
  const key = await keyAt('/acme');
  expect((await ask('POST', '/erasures', { device: 'd1' }, key)).json()).toMatchObject({ code: 'device.not-found' });
  await ask('POST', '/devices', { id: 'd2', group: '/acme' });
  expect((await ask('POST', '/erasures', { device: 'd2' }, key)).statusCode).toBe(202);
  expect((await ask('GET', '/erasures', undefined, key)).statusCode).toBe(403);
  expect(api.archive.all.map(({ device }) => device)).toEqual(['d2']);
});
