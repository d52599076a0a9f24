import { afterEach, beforeEach, expect, test } from 'vitest';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;

beforeEach(async () => {
  api = await openTestApi();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

const draft = {
  id: 'hook',
  target: { kind: 'webhook', url: 'https://example.com/in' },
  filter: { idPrefix: 'a', filter: 'tags has "north"' },
  secrets: { signingKey: 'top-secret' },
};

async function send(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) {
  return await api.app.inject({
    method,
    url: `/api/v1/forwarders${path}`,
    headers: asAdmin,
    ...(payload !== undefined && { payload }),
  });
}

test('a forwarder is added, shown with its state, changed and removed, and its secrets never come out', async () => {
  const made = await send('POST', '', draft);
  expect(made.statusCode).toBe(201);
  expect(made.json()).toMatchObject({
    id: 'hook',
    format: 'raw',
    paused: false,
    secretNames: ['signingKey'],
    state: { lagRecords: 5, circuit: 'closed', lastError: { message: 'answered with the status 503' } },
  });
  const paused = await send('PATCH', '/hook', { paused: true, filter: {} });
  expect(paused.json()).toMatchObject({ paused: true, filter: {} });
  const list = await send('GET', '');
  expect(list.json<{ items: object[] }>().items).toHaveLength(1);
  for (const answer of [made, paused, list, await send('GET', '/hook')]) expect(answer.body).not.toContain('top-secret');
  expect((await send('POST', '', draft)).json()).toMatchObject({ status: 409, code: 'forwarder.exists' });
  expect((await send('DELETE', '/hook')).statusCode).toBe(204);
  expect((await send('GET', '/hook')).json()).toMatchObject({ status: 404, code: 'forwarder.not-found' });
});

test('what a target cannot have is refused, with the field', async () => {
  const wrong = await send('POST', '', { ...draft, target: { kind: 'webhook', url: 'http://169.254.169.254/' } });
  expect(wrong.json()).toMatchObject({
    status: 400,
    code: 'request.invalid',
    detail: 'target.url: no forwarder may send to this address',
  });
  expect((await send('POST', '', { ...draft, target: { kind: 'webhook' } })).statusCode).toBe(400);
  expect((await send('POST', '', { ...draft, target: { kind: 'telegraph', url: 'x' } })).statusCode).toBe(400);
  expect((await send('POST', '', { ...draft, nonsense: 1 })).statusCode).toBe(400);
});

test('a forwarder is tested, reset, and its refused records are looked after', async () => {
  await send('POST', '', draft);
  expect((await send('POST', '/hook/test')).json()).toEqual({ ok: false, durationMs: 3, message: 'nobody is there' });
  expect((await send('POST', '/hook/reset', { to: 'beginning' })).json()).toMatchObject({ id: 'hook' });
  expect((await send('POST', '/hook/reset', { to: 'yesterday' })).statusCode).toBe(400);
  expect((await send('GET', '/hook/refused?limit=2')).json()).toEqual({ items: [] });
  expect((await send('POST', '/hook/refused/resend')).json()).toEqual({ sent: 1, left: 2 });
  expect((await send('DELETE', '/hook/refused')).json()).toEqual({ discarded: 0 });
  for (const path of ['/nobody/test', '/nobody/refused/resend']) expect((await send('POST', path)).statusCode).toBe(404);
  const entries = await api.audit.list({ limit: 10 });
  expect(entries.map(({ action }) => action)).toEqual(
    expect.arrayContaining(['forwarder.reset', 'forwarder.resend', 'forwarder.discard']),
  );
});
