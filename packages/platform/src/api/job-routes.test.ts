import { expect, test } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import { asAdmin, openTestApi, type TestApi } from './api.fixture.ts';

const document = { operation: 'install', version: '${parameters.version}' };

async function ask(
  api: TestApi,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
  headers: object = asAdmin,
) {
  const answer = await api.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { ...headers },
    ...(payload !== undefined && { payload }),
  });
  return {
    status: answer.statusCode,
    body: answer.body === '' ? undefined : answer.json<Record<string, never>>(),
    headers: answer.headers,
  };
}

async function openWithDevices(): Promise<TestApi> {
  const api = await openTestApi();
  for (const [id, group] of [
    ['a1', '/acme/b1'],
    ['a2', '/acme/b1'],
    ['a3', '/acme/b2'],
    ['o1', '/other'],
  ] as const) {
    await api.devices.create({ id: id as DeviceId, group });
  }
  return api;
}

async function keyFor(api: TestApi, role: string, group: string): Promise<object> {
  const { body } = await ask(api, 'POST', '/api-keys', { name: `${role} ${group}`, grants: [{ role, group }] });
  return { authorization: `Bearer ${String(body!['key'])}` };
}

const settled = async (api: TestApi): Promise<void> => await api.state.jobs.runner.settled();

test('a job is made, reaches its devices, is changed, cancelled and deleted', async () => {
  await using api = await openWithDevices();
  const made = await ask(api, 'POST', '/jobs', {
    id: 'j1',
    targets: ['group:/acme', 'device:a1'],
    document,
    parameters: { version: '2.0' },
    description: 'an update',
    timeout: { inProgressMinutes: 60 },
    abort: { criteria: [{ failureType: 'ALL', thresholdPercentage: 10, minNumberOfExecutedThings: 100 }] },
    schedule: { endTime: 'now+2d', maintenanceWindows: [] },
  });
  expect(made).toMatchObject({
    status: 201,
    headers: { location: '/api/v1/jobs/j1' },
    body: {
      id: 'j1',
      group: '/acme',
      status: 'IN_PROGRESS',
      targetSelection: 'snapshot',
      document: { operation: 'install', version: '2.0' },
      abort: { criteria: [{ action: 'CANCEL' }] },
      schedule: { endTimeMs: api.clock.now() + 2 * 86_400_000 },
    },
  });
  await settled(api);
  expect((await ask(api, 'GET', '/jobs/j1')).body).toMatchObject({
    counts: { QUEUED: 3 },
    progress: { notified: 3, finished: 0, waiting: 0, expanding: false },
  });
  expect((await ask(api, 'GET', '/jobs')).body).toMatchObject({ items: [{ id: 'j1', counts: { QUEUED: 3 } }] });
  expect((await ask(api, 'GET', '/jobs/j1/executions?limit=2')).body).toMatchObject({
    items: [{ job: 'j1', device: 'a1', number: 1, status: 'QUEUED', version: 1, retryAttempt: 0 }, { device: 'a2' }],
    cursor: expect.any(String),
  });
  expect((await ask(api, 'GET', '/devices/a1/jobs')).body).toMatchObject({ items: [{ job: 'j1', device: 'a1' }] });
  const changed = await ask(api, 'PATCH', '/jobs/j1', { description: null, rollout: { maximumPerMinute: 5 } });
  expect(changed).toMatchObject({ status: 200, body: { rollout: { maximumPerMinute: 5 }, progress: { ratePerMinute: 5 } } });
  expect(changed.body).not.toHaveProperty('description');
  expect(await ask(api, 'POST', '/jobs/j1/executions/a2/cancel', {})).toMatchObject({
    status: 200,
    body: { status: 'CANCELED' },
  });
  expect((await ask(api, 'GET', '/jobs/j1/executions/a2')).body).toMatchObject({
    history: [
      { status: 'QUEUED', cause: 'queued' },
      { status: 'CANCELED', cause: 'cancel' },
    ],
  });
  expect(await ask(api, 'DELETE', '/jobs/j1')).toMatchObject({ status: 409, body: { code: 'job.conflict' } });
  const cancelled = await ask(api, 'POST', '/jobs/j1/cancel', { comment: 'wrong file' });
  expect(cancelled).toMatchObject({
    status: 200,
    body: { status: 'CANCELED', reason: { code: 'USER_INITIATED', comment: 'wrong file' } },
  });
  await settled(api);
  expect((await ask(api, 'GET', '/jobs/j1/executions?status=CANCELED')).body).toMatchObject({ items: [{}, {}, {}] });
  expect((await ask(api, 'DELETE', '/jobs/j1')).status).toBe(204);
  await settled(api);
  expect(await ask(api, 'GET', '/jobs/j1')).toMatchObject({ status: 404, body: { code: 'job.not-found' } });
});

test('jobs come in pages, newest first, and by how they stand', async () => {
  await using api = await openWithDevices();
  for (const id of ['j1', 'j2', 'j3']) await ask(api, 'POST', '/jobs', { id, targets: ['device:a1'], document: {} });
  await ask(api, 'POST', '/jobs/j2/cancel', {});
  const first = (await ask(api, 'GET', '/jobs?limit=2')).body!;
  expect(first).toMatchObject({ items: [{ id: 'j3' }, { id: 'j2' }] });
  expect((await ask(api, 'GET', `/jobs?limit=2&cursor=${String(first['cursor'])}`)).body).toEqual({
    items: [expect.objectContaining({ id: 'j1' })],
  });
  expect((await ask(api, 'GET', '/jobs?status=CANCELED')).body).toMatchObject({ items: [{ id: 'j2' }] });
  expect((await ask(api, 'GET', '/jobs?cursor=abc')).status).toBe(400);
});

test('who may act in a part of the tree sees, makes and reaches only what is there', async () => {
  await using api = await openWithDevices();
  await ask(api, 'POST', '/jobs', { id: 'all', targets: ['group:/'], document: {} });
  await ask(api, 'POST', '/jobs', { id: 'acme', targets: ['group:/acme'], document: {} });
  const b1 = await keyFor(api, 'operator', '/acme/b1');
  const acme = await keyFor(api, 'operator', '/acme');
  const viewer = await keyFor(api, 'viewer', '/acme');
  await settled(api);
  expect((await ask(api, 'GET', '/jobs', undefined, b1)).body).toEqual({ items: [] });
  expect((await ask(api, 'GET', '/jobs', undefined, acme)).body).toMatchObject({ items: [{ id: 'acme' }] });
  for (const [method, path, body] of [
    ['GET', '/jobs/all', undefined],
    ['GET', '/jobs/all/executions', undefined],
    ['GET', '/jobs/all/executions/a1', undefined],
    ['PATCH', '/jobs/all', {}],
    ['POST', '/jobs/all/cancel', {}],
    ['POST', '/jobs/all/executions/a1/cancel', {}],
    ['DELETE', '/jobs/all?force=true', undefined],
  ] as const) {
    expect(await ask(api, method, path, body, acme)).toMatchObject({ status: 404, body: { code: 'job.not-found' } });
  }
  // What it has on one's own devices is seen with the device.
  expect((await ask(api, 'GET', '/devices/a1/jobs', undefined, b1)).body).toMatchObject({
    items: [{ job: 'acme' }, { job: 'all' }],
  });
  expect((await ask(api, 'GET', '/devices/o1/jobs', undefined, b1)).status).toBe(404);
  // A device that has moved away is not seen any more.
  await api.devices.update('a2' as DeviceId, { group: '/other' });
  expect((await ask(api, 'GET', '/jobs/acme/executions', undefined, acme)).body).toMatchObject({
    items: [{ device: 'a1' }, { device: 'a3' }],
  });
  expect(await ask(api, 'GET', '/jobs/acme/executions/a2', undefined, acme)).toMatchObject({
    status: 404,
    body: { code: 'job-execution.not-found' },
  });
  expect((await ask(api, 'POST', '/jobs/acme/executions/a2/cancel', {}, acme)).status).toBe(404);
  const make = async (targets: readonly string[], who: object) =>
    await ask(api, 'POST', '/jobs', { id: 'new', targets, document: {} }, who);
  expect(await make(['device:o1'], b1)).toMatchObject({ status: 404, body: { code: 'device.not-found' } });
  expect(await make(['group:/acme'], b1)).toMatchObject({ status: 404, body: { code: 'group.not-found' } });
  expect((await make(['group:/acme/b1'], viewer)).status).toBe(403);
  expect(await make(['group:/acme/b1'], b1)).toMatchObject({ status: 201, body: { group: '/acme/b1' } });
});

test.each([
  [{ id: 'a b' }, 400],
  [{ targets: [] }, 400],
  [{ targets: ['everything'] }, 400],
  [{ targets: ['device:none'] }, 404],
  [{ document: 'reboot' }, 400],
  [{ document: { a: 'x'.repeat(33_000) } }, 413],
  [{ document }, 400],
  [{ rollout: { maximumPerMinute: 0 } }, 400],
  [{ rollout: { exponential: { baseRatePerMinute: 1, incrementFactor: 2, rateIncreaseCriteria: {} } } }, 400],
  [{ abort: { criteria: [] } }, 400],
  [{ retry: { criteria: [{ failureType: 'REJECTED', numberOfRetries: 1 }] } }, 400],
  [{ schedule: { endTime: 'now+1m' } }, 400],
  [{ schedule: { startTime: 'tomorrow' } }, 400],
  [{ schedule: { maintenanceWindows: [{ startTime: 'every night', durationMinutes: 60 }] } }, 400],
  [{ schedule: { timeZone: 'Atlantis' } }, 400],
  [{ colour: 'red' }, 400],
])('a job with %j is refused', async (fields, status) => {
  await using api = await openWithDevices();
  const answer = await ask(api, 'POST', '/jobs', { id: 'j1', targets: ['device:a1'], document: {}, ...fields });
  expect(answer.status).toBe(status);
  expect((await ask(api, 'GET', '/jobs')).body).toEqual({ items: [] });
});
