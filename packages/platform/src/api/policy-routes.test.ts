import { expect, test } from 'vitest';
import { parseDeviceId } from '../kernel/device-id.ts';
import { ADMIN_KEY, openTestApi } from './api.fixture.ts';

const headers = { authorization: `Bearer ${ADMIN_KEY}` };
const READ_ALL = { statements: [{ effect: 'allow', actions: ['subscribe'], topics: ['telemetry/+'] }] };

async function open() {
  const api = await openTestApi();
  await api.devices.create({ id: parseDeviceId('d1'), group: '/acme/b1' });
  const send = async (method: 'GET' | 'PUT' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const reply = await api.app.inject({ method, url: `/api/v1${url}`, headers, ...(payload !== undefined && { payload }) });
    return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json<Record<string, unknown>>() };
  };
  const ask = async (action: string, subject: string, more = '') =>
    (await send('GET', `/devices/d1/access?action=${action}&subject=${encodeURIComponent(subject)}${more}`)).body;
  return { ...api, send, ask, [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose]() };
}

test('a device may use its own topics from the start, and is told why and why not', async () => {
  await using api = await open();
  expect(await api.ask('publish', 'telemetry/d1')).toMatchObject({
    allowed: true,
    device: { id: 'd1', group: '/acme/b1' },
    policies: [{ name: 'device-default', by: { kind: 'group', id: '/' } }],
    decidedBy: {
      policy: 'device-default',
      statement: 1,
      effect: 'allow',
      pattern: 'telemetry/${device.id}',
      expanded: 'telemetry/d1',
    },
    variables: { 'device.id': 'd1' },
  });
  expect(await api.ask('publish', 'telemetry/d2')).toEqual({
    allowed: false,
    reason: 'd1 may not publish to telemetry/d2: none of its policies allows it',
    device: { id: 'd1', group: '/acme/b1' },
    policies: [{ name: 'device-default', by: { kind: 'group', id: '/' } }],
    variables: { 'device.id': 'd1', 'sparkplug.group': null, 'sparkplug.node': null },
  });
});

test('a policy is made, attached to a group, heeded below it, changed, detached and removed, each with an audit entry', async () => {
  await using api = await open();
  expect(await api.send('PUT', '/policies/read-all', { document: READ_ALL })).toMatchObject({
    status: 201,
    body: { name: 'read-all', description: '', document: READ_ALL },
  });
  expect(await api.ask('subscribe', 'telemetry/+')).toMatchObject({ allowed: false });
  expect((await api.send('POST', '/policies/read-all/targets', { kind: 'group', id: '/acme' })).status).toBe(204);
  expect(await api.ask('subscribe', '$share/g/telemetry/+')).toMatchObject({
    allowed: true,
    policies: [{ name: 'device-default' }, { name: 'read-all', by: { kind: 'group', id: '/acme' } }],
  });
  expect((await api.send('GET', '/policies/read-all/targets')).body).toEqual({ items: [{ kind: 'group', id: '/acme' }] });
  const denying = { statements: [{ effect: 'deny', actions: ['publish'], topics: ['#'] }] };
  expect((await api.send('PUT', '/policies/read-all', { document: denying, description: 'stop' })).status).toBe(200);
  expect(await api.ask('publish', 'telemetry/d1')).toMatchObject({
    allowed: false,
    reason: 'd1 may not publish to telemetry/d1: statement 1 of policy read-all denies #',
  });
  expect((await api.send('DELETE', '/policies/read-all/targets?kind=group&id=%2Facme')).status).toBe(204);
  expect(await api.ask('publish', 'telemetry/d1')).toMatchObject({ allowed: true });
  expect((await api.send('DELETE', '/policies/read-all/targets?kind=group&id=%2Facme')).status).toBe(404);
  expect((await api.send('DELETE', '/policies/read-all')).status).toBe(204);
  expect((await api.send('GET', '/policies/read-all')).status).toBe(404);
  expect(api.accessChanges).toEqual(['all', 'all', 'all', 'all', 'all']);
  const entries = await api.audit.list({ limit: 10, objectKind: 'policy' });
  expect(entries.map(({ action }) => action).reverse()).toEqual([
    'policy.create',
    'policy.attach',
    'policy.update',
    'policy.detach',
    'policy.remove',
  ]);
});

test('a policy of one device is told to that device alone, and outweighs what is wider where it denies', async () => {
  await using api = await open();
  const denying = { statements: [{ effect: 'deny', actions: ['connect'] }] };
  await api.send('PUT', '/policies/quarantined', { document: denying });
  await api.send('POST', '/policies/quarantined/targets', { kind: 'device', id: 'd1' });
  expect(api.accessChanges.at(-1)).toEqual(['d1']);
  expect(await api.ask('connect', 'd1')).toMatchObject({ allowed: false, decidedBy: { policy: 'quarantined' } });
  expect(await api.ask('publish', 'telemetry/d1')).toMatchObject({ allowed: false, decidedBy: { policy: 'quarantined' } });
});

test('what cannot be asked or attached is refused with a reason', async () => {
  await using api = await open();
  for (const url of ['/devices/d1/access?action=publish&subject=a%2F%23', '/devices/d1/access?action=fly&subject=a'])
    expect((await api.send('GET', url)).body).toMatchObject({ code: 'request.invalid' });
  expect((await api.send('GET', '/devices/none/access?action=publish&subject=a')).body).toMatchObject({
    code: 'device.not-found',
  });
  expect((await api.send('POST', '/policies/none/targets', { kind: 'group', id: '/a' })).body).toMatchObject({
    code: 'policy.not-found',
  });
  const bad = { kind: 'group', id: 'acme' };
  expect((await api.send('POST', '/policies/device-default/targets', bad)).body).toMatchObject({ code: 'request.invalid' });
  for (const document of [{}, { statements: [{ effect: 'allow', actions: ['publish'], topics: ['a/#/b'] }] }])
    expect((await api.send('PUT', '/policies/x', { document })).body).toMatchObject({ code: 'request.invalid' });
  expect((await api.send('PUT', '/policies/a%20b', { document: READ_ALL })).body).toMatchObject({ code: 'request.invalid' });
});
