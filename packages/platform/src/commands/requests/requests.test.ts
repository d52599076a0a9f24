import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { Device } from '../../registry/device.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { ANN, TestCommands } from '../commands.fixture.ts';

const DEVICE: Device = {
  id: 'd1' as DeviceId,
  type: 'boiler',
  group: '/acme',
  attributes: { site: 'kiel', fw: { version: '2' } },
  tags: ['hot'],
  createdAtMs: 1,
  updatedAtMs: 1,
};

async function open(): Promise<TestCommands> {
  const t = await TestCommands.open();
  t.devices.set('d1', DEVICE);
  return t;
}

/** What the device hears that asks this. */
async function ask(t: TestCommands, question: unknown, topic = 'devices/d1/requests/r1', principal = 'd1') {
  const payload = typeof question === 'string' ? question : JSON.stringify(question);
  await t.publish('client', topic, payload, principal);
  const [answer, ...more] = t.take();
  expect(more).toEqual([]);
  expect(answer!.to).toEqual({ gateway: 0, client: 'client' });
  return { topic: answer!.topic, body: JSON.parse(Buffer.from(answer!.payload).toString()) as unknown };
}

async function serve(
  answer: (body: string) => { readonly status?: number; readonly body: string } | undefined,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const said = answer(Buffer.concat(chunks).toString());
      if (said !== undefined) response.writeHead(said.status ?? 200).end(said.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('the platform itself tells the time, the attributes and what it knows of the device', async () => {
  await using t = await open();
  const timeMs = t.clock.now();
  const time = { timeMs, time: new Date(timeMs).toISOString() };
  expect(await ask(t, { method: 'getTime' })).toEqual({
    topic: 'devices/d1/requests/r1/answer',
    body: { status: 'succeeded', payload: time },
  });
  expect(await ask(t, { method: 'getCurrentTime', params: {} }, 'v1/devices/me/rpc/request/7')).toEqual({
    topic: 'v1/devices/me/rpc/response/7',
    body: time,
  });
  expect((await ask(t, { method: 'getAttributes' })).body).toEqual({ status: 'succeeded', payload: DEVICE.attributes });
  expect((await ask(t, { method: 'getAttributes', params: { keys: ['site', 'no'] } })).body).toEqual({
    status: 'succeeded',
    payload: { site: 'kiel' },
  });
  expect((await ask(t, { method: 'getDevice' })).body).toEqual({
    status: 'succeeded',
    payload: { id: 'd1', type: 'boiler', group: '/acme', tags: ['hot'], attributes: DEVICE.attributes },
  });
});

test.each([
  ['', 'invalid'],
  ['[]', 'invalid'],
  ['{}', 'invalid'],
  ['{"method":1}', 'invalid'],
  [`{"method":"${'x'.repeat(129)}"}`, 'invalid'],
  [`{"method":"x","params":${'['.repeat(100)}${']'.repeat(100)}}`, 'invalid'],
  ['{"method":"nobody"}', 'no-method'],
  ['{"method":"toString"}', 'no-method'],
  ['{"method":"getAttributes","params":{"keys":1}}', 'invalid'],
])('%.40s is told what is wrong: %s', async (question, code) => {
  await using t = await open();
  expect((await ask(t, question)).body).toMatchObject({ status: 'failed', code });
  expect((await ask(t, question, 'v1/devices/me/rpc/request/1')).body).toMatchObject({ code, error: expect.any(String) });
});

test('a device that is not registered is told so', async () => {
  await using t = await open();
  expect((await ask(t, { method: 'getDevice' }, 'devices/d2/requests/1')).body).toMatchObject({ code: 'unavailable' });
});

test('a hook is asked by one POST, and the device gets what it answers', async () => {
  await using t = await open();
  const asked: unknown[] = [];
  await using server = await serve((body) => {
    asked.push(JSON.parse(body));
    return { body: '{"price":7}' };
  });
  await t.commands.calls.putRequestHook({ method: 'getTariff', url: server.url, actor: ANN });
  const question = { method: 'getTariff', params: { hour: 7 } };
  expect((await ask(t, question)).body).toEqual({ status: 'succeeded', payload: { price: 7 } });
  expect((await ask(t, question, 'v1/devices/me/rpc/request/3')).body).toEqual({ price: 7 });
  expect(asked).toEqual([
    { device: 'd1', clientId: 'client', request: 'r1', ...question },
    { device: 'd1', clientId: 'client', request: '3', ...question },
  ]);
  // It is there after a restart, comes before what the platform itself answers, and can be taken away.
  await t.commands.calls.putRequestHook({ method: 'getTime', url: server.url, actor: ANN });
  await t.crash();
  expect((await ask(t, { method: 'getTime' })).body).toEqual({ status: 'succeeded', payload: { price: 7 } });
  await t.commands.calls.removeRequestHook({ method: 'getTime', actor: ANN });
  expect((await ask(t, { method: 'getTime' })).body).toMatchObject({ payload: { timeMs: t.clock.now() } });
  await expect(t.commands.calls.removeRequestHook({ method: 'getTime', actor: ANN })).rejects.toMatchObject({
    code: 'request-hook.not-found',
  });
  const audit = await t.open.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  expect(audit.map(({ change }) => (JSON.parse(change) as { action: string }).action)).toEqual([
    'request-hook.put',
    'request-hook.put',
    'request-hook.remove',
  ]);
});

test.each([
  ['fails', { status: 500, body: 'secret' }],
  ['answers what is not JSON', { body: '<html>secret' }],
  ['redirects', { status: 302, body: '' }],
])('of a hook that %s the device learns nothing but that', async (_, answer) => {
  await using t = await open();
  await using server = await serve(() => answer);
  await t.commands.calls.putRequestHook({ method: 'm', url: server.url, actor: ANN });
  const { body } = await ask(t, { method: 'm' });
  expect(body).toMatchObject({ status: 'failed', code: 'unavailable' });
  expect(JSON.stringify(body)).not.toContain('secret');
});

test('a hook that hangs holds up nothing else, and the device hears of it in time', async () => {
  await using t = await open();
  const asked = Promise.withResolvers<void>();
  await using server = await serve(() => {
    asked.resolve();
    return undefined;
  });
  await t.commands.calls.putRequestHook({ method: 'm', url: server.url, actor: ANN });
  const stuck = t.publish('d1', 'devices/d1/requests/slow', '{"method":"m"}');
  await asked.promise;
  expect((await ask(t, { method: 'getTime' })).topic).toBe('devices/d1/requests/r1/answer');
  t.clock.advance(5_000);
  await stuck;
  const [answer] = t.take();
  expect(answer!.topic).toBe('devices/d1/requests/slow/answer');
  expect(JSON.parse(Buffer.from(answer!.payload).toString())).toMatchObject({ code: 'unavailable' });
});

test.each(['ftp://a/b', 'nothing', 'http://user:password@host/', `http://a/${'x'.repeat(2_048)}`])(
  'a hook is not %.40s',
  async (url) => {
    await using t = await open();
    await expect(t.commands.calls.putRequestHook({ method: 'm', url, actor: ANN })).rejects.toMatchObject({
      code: 'request.invalid',
      details: { field: 'url' },
    });
  },
);
