import { expect, test } from 'vitest';
import { PresenceAlertStore } from '../presence/presence-alert-store.ts';
import type { PresenceNews } from '../presence/loss-watch.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

const raised = (device: string): PresenceNews => ({
  news: 'raised',
  kind: 'offline',
  device,
  sinceMs: 500,
  reason: 'keep-alive',
  losses: 1,
});

async function list(api: TestApi, query: string, headers: object = asAdmin) {
  const answer = await api.app.inject({ url: `/api/v1/presence/alerts${query}`, headers: { ...headers } });
  const body = answer.json<{ items?: { deviceId: string; resolvedAtMs?: number }[]; nextCursor?: string }>();
  return { status: answer.statusCode, body, devices: (body.items ?? []).map(({ deviceId }) => deviceId) };
}

test('who is missed is listed newest first, in pages, by state and device, and only what the caller may see', async () => {
  await using api = await openTestApi();
  for (const [id, group] of Object.entries({ a: '/x', b: '/y', c: '/x/z' })) {
    await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id, group } });
  }
  const store = new PresenceAlertStore(api.database);
  await store.write([raised('a'), raised('b'), raised('c'), raised('nobody')], 1_000);
  await store.write([{ news: 'resolved', kind: 'offline', device: 'b' }], 2_000);
  expect((await list(api, '')).body.items).toEqual([
    { id: 3, deviceId: 'c', group: '/x/z', kind: 'offline', sinceMs: 500, reason: 'keep-alive', losses: 1, raisedAtMs: 1_000 },
    expect.objectContaining({ deviceId: 'b', resolvedAtMs: 2_000 }),
    expect.objectContaining({ deviceId: 'a' }),
  ]);
  expect((await list(api, '?state=open')).devices).toEqual(['c', 'a']);
  expect((await list(api, '?state=resolved')).devices).toEqual(['b']);
  expect((await list(api, '?device=a')).devices).toEqual(['a']);
  const first = await list(api, '?limit=2');
  expect([first.devices, (await list(api, `?limit=2&cursor=${first.body.nextCursor}`)).devices]).toEqual([['c', 'b'], ['a']]);
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'x', grants: [{ role: 'viewer', group: '/x' }] },
  });
  const { key } = made.json<{ key: string }>();
  expect((await list(api, '', { authorization: `Bearer ${key}` })).devices).toEqual(['c', 'a']);
  for (const wrong of ['?state=no', '?cursor=x', '?limit=0', '?other=1']) expect((await list(api, wrong)).status).toBe(400);
});
