import { afterEach, beforeEach, expect, test } from 'vitest';
import { addDevice, asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

let api: TestApi;

beforeEach(async () => {
  api = await openTestApi();
  await addDevice(api, 'd1');
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

interface CommandBody {
  readonly id: string;
  readonly state: string;
  readonly [field: string]: unknown;
}

async function send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object, headers: object = {}) {
  const answer = await api.app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { ...asAdmin, ...headers },
    ...(payload !== undefined && { payload }),
  });
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: answer.body === '' ? undefined : answer.json<CommandBody>(),
  };
}

/** The device listens, and answers whatever it is sent. */
function answering(payload: string): void {
  const from = { gateway: 0, client: 'd1' };
  const { desk } = api.state.commands;
  desk.listening({ filters: ['devices/d1/#'], clientId: 'd1', principalId: 'd1', from, resumed: false });
  const push = api.state.published.push.bind(api.state.published);
  api.state.published.push = (...messages) => {
    for (const { receipt, properties } of messages) {
      if (receipt === undefined || properties?.responseTopic === undefined) continue;
      const topic = properties.responseTopic;
      void desk.request({ topic, payload: Buffer.from(payload), clientId: 'd1', principalId: 'd1', from });
    }
    return push(...messages);
  };
}

async function keyOf(role: string, group: string): Promise<object> {
  const payload = { name: 'k', grants: [{ role, group }] };
  const answer = await api.app.inject({ method: 'POST', url: '/api/v1/api-keys', headers: asAdmin, payload });
  return { authorization: `Bearer ${answer.json<{ key: string }>().key}` };
}

test('a command is queued (202), found again, listed, and cancelled once', async () => {
  const given = await send('POST', '/devices/d1/commands', { name: 'reboot', payload: { delaySec: 5 } });
  expect(given).toMatchObject({ status: 202, body: { device: 'd1', name: 'reboot', payload: { delaySec: 5 }, state: 'queued' } });
  const { id } = given.body!;
  expect(given.headers.location).toBe(`/api/v1/devices/d1/commands/${id}`);
  expect((await send('GET', `/devices/d1/commands/${id}`)).body).toEqual(given.body);
  expect((await send('GET', '/devices/d1/commands?state=queued,sent&name=reboot')).body).toEqual({ items: [given.body] });
  expect((await send('GET', '/commands?from=now-1h')).body).toEqual({ items: [given.body] });
  expect((await send('GET', '/commands?to=now-1h')).body).toEqual({ items: [] });
  const cancelled = await send('POST', `/devices/d1/commands/${id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { id, state: 'cancelled' } });
  expect((await send('GET', '/devices/d1/commands?state=queued')).body).toEqual({ items: [] });
});

test('with a time to wait the answer of the device is in the response', async () => {
  answering('{"status":"failed","reason":"jammed","payload":{"at":3}}');
  const done = await send('POST', '/devices/d1/commands', { name: 'open', timeoutMs: 5_000 });
  expect(done).toMatchObject({
    status: 200,
    body: { state: 'failed', reason: 'jammed', answer: { outcome: 'failed', payload: { at: 3 } } },
  });
});

test('without an answer in time it is 504 with the id of the command, which goes on', async () => {
  const from = { gateway: 0, client: 'd1' };
  api.state.commands.desk.listening({ filters: ['devices/d1/#'], clientId: 'd1', principalId: 'd1', from, resumed: false });
  const waiting = send('POST', '/devices/d1/commands', { name: 'open', timeoutMs: 20_000 });
  let isAnswered = false;
  void waiting.then(() => (isAnswered = true));
  // It waits in several calls, each with a timer of its own.
  while (!isAnswered) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    api.clock.advance(10);
  }
  const { status, body, headers } = await waiting;
  expect([status, body!.code, body!.details]).toMatchObject([504, 'command.unanswered', { device: 'd1', state: 'sent' }]);
  const id = (body!.details as { command: string }).command;
  expect(body!.detail).toContain(id);
  expect(headers.location).toBe(`/api/v1/devices/d1/commands/${id}`);
  await api.state.commands.desk.request({
    topic: `devices/d1/commands/${id}/answer`,
    payload: Buffer.from('"late"'),
    clientId: 'd1',
    principalId: 'd1',
    from,
  });
  expect((await send('GET', `/devices/d1/commands/${id}`)).body).toMatchObject({
    state: 'succeeded',
    answer: { payload: 'late' },
  });
});

test('closing does not wait for the answers of devices: who waits is told that there is none yet', async () => {
  await using other = await openTestApi();
  await addDevice(other, 'd1');
  const url = '/api/v1/devices/d1/commands';
  const headers = { ...asAdmin, 'content-type': 'application/json' };
  const body = JSON.stringify({ name: 'slow', timeoutMs: 100_000 });
  // Its connection would be kept open for another request.
  const waiting = fetch((await other.app.listen({ host: '127.0.0.1', port: 0 })) + url, { method: 'POST', headers, body });
  await expect
    .poll(async () => (await other.app.inject({ url, headers: asAdmin })).json<{ items: unknown[] }>().items.length)
    .toBe(1);
  await other.app.close();
  expect((await waiting).status).toBe(504);
});

test('the same request with the same key is the same command', async () => {
  const headers = { 'idempotency-key': 'order-7' };
  const [first, second] = [
    await send('POST', '/devices/d1/commands', { name: 'a' }, headers),
    await send('POST', '/devices/d1/commands', { name: 'a' }, headers),
  ];
  expect(second).toMatchObject({ status: 202, body: { id: first.body!.id } });
  expect(await send('POST', '/devices/d1/commands', { name: 'b' }, headers)).toMatchObject({
    status: 409,
    body: { code: 'command.key-used' },
  });
  expect((await send('POST', '/devices/d1/commands', { name: 'a' }, { 'idempotency-key': 'with blank' })).status).toBe(400);
});

test('the same request with the same key is the same command, however late it is said again when it expires', async () => {
  const headers = { 'idempotency-key': 'order-8' };
  const first = await send('POST', '/devices/d1/commands', { name: 'a', expiresAt: 'now+1h' }, headers);
  api.clock.advance(5);
  const second = await send('POST', '/devices/d1/commands', { name: 'a', expiresAt: 'now+1h' }, headers);
  expect(second).toMatchObject({ status: 202, body: { id: first.body!.id, expiresAtMs: first.body!.expiresAtMs } });
  expect((await send('POST', '/devices/d1/commands', { name: 'a', expiresAt: 'now+2h' }, headers)).status).toBe(409);
});

test.each([
  [{}, 'name'],
  [{ name: 'a b' }, 'name'],
  [{ name: 'a', expiresAt: 'tomorrow' }, 'expiresAt'],
  [{ name: 'a', expiresAt: 'now-1h' }, 'expiresAt'],
  [{ name: 'a', timeoutMs: 0 }, 'timeoutMs'],
  [{ name: 'a', timeoutMs: 1e9 }, 'timeoutMs'],
  [{ name: 'a', more: 1 }, 'more'],
])('%j is refused for %s', async (body, field) => {
  const answer = await send('POST', '/devices/d1/commands', body);
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([400, expect.stringContaining(field)]);
});

test('what is too large, unknown or finished is told so', async () => {
  const large = await send('POST', '/devices/d1/commands', { name: 'a', payload: 'x'.repeat(33_000) });
  expect([large.status, large.body!.code]).toEqual([413, 'request.too-large']);
  expect((await send('POST', '/devices/nobody/commands', { name: 'a' })).body!.code).toBe('device.not-found');
  const none = '0'.repeat(26);
  expect((await send('GET', `/devices/d1/commands/${none}`)).body!.code).toBe('command.not-found');
  expect((await send('POST', `/devices/d1/commands/${none}/cancel`)).body!.code).toBe('command.not-found');
  expect((await send('GET', '/commands?state=lost')).status).toBe(400);
  expect((await send('GET', '/commands?cursor=x')).status).toBe(400);
  for (let i = 0; i < 100; i++) await send('POST', '/devices/d1/commands', { name: 'a' });
  expect(await send('POST', '/devices/d1/commands', { name: 'a' })).toMatchObject({
    status: 409,
    body: { code: 'command.queue-full' },
  });
});

test('who sees a part of the devices sees their commands, and may give no others', async () => {
  await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id: 'theirs', group: '/other' } });
  await api.app.inject({ method: 'POST', url: '/api/v1/devices', headers: asAdmin, payload: { id: 'own', group: '/acme/b1' } });
  const theirs = await send('POST', '/devices/theirs/commands', { name: 'a' });
  const operator = await keyOf('operator', '/acme');
  const own = await send('POST', '/devices/own/commands', { name: 'a' }, operator);
  expect(own.status).toBe(202);
  expect(await send('POST', '/devices/theirs/commands', { name: 'a' }, operator)).toMatchObject({
    status: 404,
    body: { code: 'device.not-found' },
  });
  for (const path of [`/devices/theirs/commands/${theirs.body!.id}`, `/devices/own/commands/${theirs.body!.id}`])
    expect((await send('GET', path, undefined, operator)).status).toBe(404);
  expect((await send('POST', `/devices/own/commands/${theirs.body!.id}/cancel`, undefined, operator)).status).toBe(404);
  const listed = await send('GET', '/commands', undefined, operator);
  expect((listed.body as unknown as { items: CommandBody[] }).items.map(({ id }) => id)).toEqual([own.body!.id]);
  const viewer = await keyOf('viewer', '/acme');
  expect((await send('POST', '/devices/own/commands', { name: 'a' }, viewer)).status).toBe(403);
  expect((await send('GET', '/devices/own/commands', undefined, viewer)).status).toBe(200);
});

test('hooks are put, shown and removed, by those who may do so everywhere', async () => {
  const url = 'https://example.test/tariff';
  expect(await send('PUT', '/request-hooks/getTariff', { url })).toMatchObject({
    status: 200,
    body: { method: 'getTariff', url },
  });
  expect((await send('GET', '/request-hooks')).body).toMatchObject({ items: [{ method: 'getTariff' }] });
  expect((await send('PUT', '/request-hooks/x', { url: 'ftp://a' })).status).toBe(400);
  expect((await send('PUT', '/request-hooks/a%20b', { url })).status).toBe(400);
  const operator = await keyOf('operator', '/acme');
  expect((await send('PUT', '/request-hooks/getTariff', { url }, operator)).status).toBe(403);
  expect((await send('DELETE', '/request-hooks/getTariff')).status).toBe(204);
  expect((await send('GET', '/request-hooks/getTariff')).body!.code).toBe('request-hook.not-found');
});
