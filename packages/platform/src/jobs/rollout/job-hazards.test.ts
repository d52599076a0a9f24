import { expect, test, vi } from 'vitest';
import type { AuditChange } from '../../audit/audit-trail.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { addDevices, asTester, openTestJobs } from './job-services.fixture.ts';

const HOUR_MS = 3_600_000;

test('a rollout goes on where the clock is set back', async () => {
  await using jobs = await openTestJobs();
  jobs.registry.clock.step(1_000 * HOUR_MS);
  await addDevices(jobs.registry, 'd', 100);
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout: { maximumPerMinute: 60 } } });
  await jobs.pass(5_000);
  const before = (await jobs.executions('j1')).length;
  jobs.registry.clock.step(-HOUR_MS);
  await jobs.pass(5_000);
  expect((await jobs.executions('j1')).length).toBeGreaterThanOrEqual(before + 5);
  jobs.registry.clock.step(-HOUR_MS);
  await jobs.restart();
  await jobs.pass(5_000);
  expect((await jobs.executions('j1')).length).toBeGreaterThanOrEqual(before + 10);
});

test('an execution of a device that was removed ends, also where it was queued after that by the clock', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  registry.clock.step(1_000 * HOUR_MS);
  await addDevices(registry, 'd', 2);
  await jobs.create({ id: 'j1', targets: ['group:/'] });
  await jobs.settle();
  registry.clock.step(-HOUR_MS);
  await registry.devices.remove('d0000' as DeviceId);
  await jobs.settle();
  expect(await jobs.counts('j1')).toMatchObject({ QUEUED: 1, REMOVED: 1 });
  await registry.devices.put([{ id: 'd0000' as DeviceId }], 'create');
  await jobs.settle();
  expect(await jobs.pending('d0000')).toEqual([]);
  await jobs.report('j1', 'd0001', 'SUCCEEDED');
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
});

test('a group that is moved while its devices are looked for loses none of them', async () => {
  await using jobs = await openTestJobs({ stepSize: 10 });
  const { registry, services } = jobs;
  await addDevices(registry, 'd', 30, '/acme/b1');
  await registry.groups.create('/other', asTester.actor);
  await jobs.create({ id: 'j1', targets: ['group:/acme/b1'] });
  await registry.groups.move('/acme/b1', '/other/b1', asTester.actor);
  // Steps are done before the move is heard of.
  services.runner.wake();
  await services.runner.settled();
  await jobs.pass(1_000);
  expect((await jobs.executions('j1')).length).toBe(30);
  expect((await jobs.job('j1')).targets).toEqual([{ kind: 'group', path: '/other/b1' }]);
});

test('a job is over although its group was removed while its devices were looked for', async () => {
  await using jobs = await openTestJobs();
  const { registry, services } = jobs;
  registry.clock.step(1_000 * HOUR_MS);
  await registry.groups.create('/gone', asTester.actor);
  await addDevices(registry, 'd', 1, '/');
  await jobs.create({ id: 'j1', group: '/', targets: ['group:/gone', 'device:d0000'] });
  await registry.groups.remove('/gone', asTester.actor, { force: false });
  services.runner.wake();
  await services.runner.settled();
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ device }) => device)).toEqual(['d0000']);
});

test('a slow rollout does not go through devices whose maintenance windows are closed one by one', async () => {
  await using jobs = await openTestJobs();
  const { registry, services } = jobs;
  await addDevices(registry, 'a', 200, '/', { timeZone: 'Pacific/Auckland' });
  await addDevices(registry, 'b', 2, '/', { timeZone: 'UTC' });
  const apply = vi.spyOn(services.orchestration, 'apply');
  const startTime = `0 ${new Date(registry.clock.now()).getUTCHours()} * * *`;
  await jobs.create({
    id: 'j1',
    targets: ['group:/'],
    config: { rollout: { maximumPerMinute: 1 }, schedule: { maintenanceWindows: [{ startTime, durationMinutes: 60 }] } },
  });
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ device }) => device)).toEqual(['b0000']);
  expect(apply.mock.calls.length).toBeLessThan(10);
  expect((await jobs.job('j1')).progress.waiting).toBe(201);
  await jobs.pass(60_000, 10_000);
  expect(await jobs.counts('j1')).toMatchObject({ QUEUED: 2 });
});

test('it is in the audit trail that the end of its schedule has cancelled a job', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1);
  const endTimeMs = jobs.registry.clock.now() + HOUR_MS;
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { schedule: { endTimeMs, endBehavior: 'FORCE_CANCEL' } } });
  await jobs.pass(HOUR_MS, 600_000);
  expect((await jobs.job('j1')).status).toBe('CANCELED');
  const rows = await jobs.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  expect(rows.map(({ change }) => JSON.parse(change) as AuditChange).at(-1)).toMatchObject({
    actor: { id: 'jobs' },
    action: 'job.cancel',
    after: { force: true, reason: { code: 'END_OF_SCHEDULE' } },
  });
});

test('a job that is cancelled once more by force keeps why it was cancelled', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1);
  await jobs.create({ id: 'j1', targets: ['group:/'] });
  await jobs.settle();
  await jobs.report('j1', 'd0000', 'IN_PROGRESS');
  const { calls } = jobs.services;
  await calls.cancelJob({ id: 'j1', force: false, reasonCode: 'BAD_FILE', comment: 'wrong file', ...asTester });
  await calls.cancelJob({ id: 'j1', force: true, ...asTester });
  await jobs.settle();
  expect((await jobs.job('j1')).progress.reason).toEqual({ code: 'BAD_FILE', comment: 'wrong file' });
  expect(await jobs.counts('j1')).toMatchObject({ CANCELED: 1 });
});
