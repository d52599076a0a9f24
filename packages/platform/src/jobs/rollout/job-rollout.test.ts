import { expect, test } from 'vitest';
import { AuditTrail, type AuditChange } from '../../audit/audit-trail.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import type { JobConfig } from './job-config.ts';
import { addDevices, asTester, openTestJobs, refusalOf, type TestJobs } from './job-services.fixture.ts';

const MINUTE_MS = 60_000;

async function audited(jobs: TestJobs): Promise<readonly string[]> {
  const rows = await jobs.database.selectFrom('state_audit').select('change').orderBy('id').execute();
  return rows.map(({ change }) => (JSON.parse(change) as AuditChange).action);
}

test('a job reaches each device of its targets once, and is over when all are through', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  await addDevices(registry, 'a', 5, '/acme/b1', { site: 'x' });
  await addDevices(registry, 'b', 3, '/other');
  await registry.fleets.create({ id: 'x', filter: 'attributes.site = "x"' }, asTester.actor);
  await jobs.create({ id: 'j1', targets: ['device:a0001', 'group:/acme', 'fleet:x', 'device:b0000'] });
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ device, number }) => [device, number])).toEqual(
    ['a0000', 'a0001', 'a0002', 'a0003', 'a0004', 'b0000'].map((device) => [device, 1]),
  );
  expect(await jobs.job('j1')).toMatchObject({ status: 'IN_PROGRESS', group: '/' });
  expect(jobs.published.filter(({ topic }) => topic === '$aws/things/a0001/jobs/notify-next')).toHaveLength(1);
  for (const device of ['a0000', 'a0001', 'a0002', 'a0003', 'a0004']) await jobs.report('j1', device, 'SUCCEEDED');
  expect((await jobs.job('j1')).status).toBe('IN_PROGRESS');
  await jobs.report('j1', 'b0000', 'REJECTED');
  expect(await jobs.job('j1')).toMatchObject({ status: 'COMPLETED', completedAtMs: registry.clock.now() });
  expect(await jobs.counts('j1')).toMatchObject({ SUCCEEDED: 5, REJECTED: 1, QUEUED: 0 });
});

test('a job without any device is over at once', async () => {
  await using jobs = await openTestJobs();
  await jobs.registry.groups.create('/empty', asTester.actor);
  await jobs.create({ id: 'j1', targets: ['group:/empty'] });
  await jobs.settle();
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
});

test('a rollout keeps its rate to the second, and goes on with it after a restart', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 500);
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout: { maximumPerMinute: 60 } } });
  await jobs.settle();
  expect((await jobs.executions('j1')).length).toBe(1);
  expect((await jobs.job('j1')).progress.waiting).toBe(499);
  await jobs.pass(59_000);
  expect((await jobs.executions('j1')).length).toBe(60);
  await jobs.restart();
  await jobs.pass(60_000);
  expect((await jobs.executions('j1')).length).toBe(120);
  const { QUEUED } = await jobs.counts('j1');
  expect(QUEUED + (await jobs.job('j1')).progress.waiting).toBe(500);
});

test('an exponential rollout is faster after each so many devices', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 200);
  const rollout = {
    maximumPerMinute: 40,
    exponential: { baseRatePerMinute: 10, incrementFactor: 2, rateIncreaseCriteria: { numberOfNotifiedThings: 20 } },
  };
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout } });
  const given: number[] = [];
  for (let minute = 0; minute < 6; minute++) {
    await jobs.pass(MINUTE_MS);
    given.push((await jobs.executions('j1')).length);
  }
  // 10 a minute until 20, 20 a minute until 40, then 40 a minute.
  expect(given[0]).toBe(10);
  expect(given[1]).toBeLessThanOrEqual(22);
  expect(given[2]).toBeGreaterThanOrEqual(38);
  expect(given[5]! - given[4]!).toBe(40);
});

test('a job is aborted when too many fail: what is queued is cancelled, what has begun goes on', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 20);
  const abort: JobConfig['abort'] = {
    criteria: [{ failureType: 'FAILED', action: 'CANCEL', thresholdPercentage: 50, minNumberOfExecutedThings: 4 }],
  };
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { abort } });
  await jobs.settle();
  await jobs.report('j1', 'd0010', 'IN_PROGRESS');
  for (const device of ['d0000', 'd0001']) await jobs.report('j1', device, 'SUCCEEDED');
  await jobs.report('j1', 'd0002', 'FAILED');
  expect((await jobs.job('j1')).status).toBe('IN_PROGRESS');
  await jobs.report('j1', 'd0003', 'FAILED');
  expect(await jobs.job('j1')).toMatchObject({ status: 'CANCELED', progress: { reason: { code: 'ABORTED' } } });
  // Before its execution itself is cancelled.
  expect(await jobs.pending('d0005')).toEqual([]);
  await jobs.settle();
  expect(await jobs.counts('j1')).toMatchObject({ CANCELED: 15, IN_PROGRESS: 1, FAILED: 2, SUCCEEDED: 2, QUEUED: 0 });
  await jobs.report('j1', 'd0010', 'SUCCEEDED');
  expect(await jobs.counts('j1')).toMatchObject({ SUCCEEDED: 3, IN_PROGRESS: 0 });
  expect(await audited(jobs)).toEqual(['job.create', 'job.abort']);
});

test('a failed execution is tried again as often as asked, and only then counts as failed', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 2);
  const config: JobConfig = {
    retry: { criteria: [{ failureType: 'FAILED', numberOfRetries: 2 }] },
    abort: { criteria: [{ failureType: 'FAILED', action: 'CANCEL', thresholdPercentage: 1, minNumberOfExecutedThings: 1 }] },
  };
  await jobs.create({ id: 'j1', targets: ['group:/'], config });
  await jobs.settle();
  await jobs.report('j1', 'd0001', 'SUCCEEDED');
  for (const count of [1, 2]) {
    await jobs.report('j1', 'd0000', 'FAILED');
    expect(await jobs.pending('d0000')).toEqual(['j1']);
    expect(await jobs.counts('j1')).toMatchObject({ FAILED: 0, QUEUED: 1, SUCCEEDED: 1 });
    expect((await jobs.executions('j1')).filter(({ device }) => device === 'd0000')).toHaveLength(count + 1);
  }
  await jobs.report('j1', 'd0000', 'FAILED');
  expect(await jobs.counts('j1')).toMatchObject({ FAILED: 1, QUEUED: 0 });
  expect((await jobs.job('j1')).status).toBe('CANCELED');
  const ofDevice = (await jobs.executions('j1')).filter(({ device }) => device === 'd0000');
  expect(ofDevice.map(({ number, attempt, status }) => [number, attempt, status])).toEqual([
    [1, 0, 'FAILED'],
    [2, 1, 'FAILED'],
    [3, 2, 'FAILED'],
  ]);
});

test('an execution that takes too long times out, and is tried again where that is asked', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1);
  const config: JobConfig = {
    timeout: { inProgressMinutes: 5 },
    retry: { criteria: [{ failureType: 'TIMED_OUT', numberOfRetries: 1 }] },
  };
  await jobs.create({ id: 'j1', targets: ['device:d0000'], config });
  await jobs.settle();
  await jobs.report('j1', 'd0000', 'IN_PROGRESS');
  await jobs.pass(5 * MINUTE_MS + 1_000, 30_000);
  expect((await jobs.executions('j1')).map(({ status }) => status)).toEqual(['TIMED_OUT', 'QUEUED']);
  await jobs.report('j1', 'd0000', 'IN_PROGRESS');
  await jobs.pass(6 * MINUTE_MS, 30_000);
  expect((await jobs.executions('j1')).map(({ status }) => status)).toEqual(['TIMED_OUT', 'TIMED_OUT']);
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
});

test('cancel leaves what has begun, force does not; both are audited', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 3);
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout: { maximumPerMinute: 120 } } });
  await jobs.pass(1_000, 500);
  await jobs.report('j1', 'd0000', 'IN_PROGRESS');
  const { calls } = jobs.services;
  await calls.cancelJob({ id: 'j1', force: false, comment: 'wrong file', ...asTester });
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ status }) => status)).toEqual(['IN_PROGRESS', 'CANCELED']);
  expect(await refusalOf(calls.cancelJob({ id: 'j1', force: false, ...asTester }))).toBe('job.conflict');
  await calls.cancelJob({ id: 'j1', force: true, ...asTester });
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ status }) => status)).toEqual(['CANCELED', 'CANCELED']);
  expect(await jobs.database.selectFrom('job_waiting').selectAll().execute()).toEqual([]);
  expect(await refusalOf(calls.cancelJob({ id: 'j1', force: true, ...asTester }))).toBe('job.conflict');
  expect(await refusalOf(calls.updateJob({ id: 'j1', patch: { description: 'x' }, ...asTester }))).toBe('job.conflict');
  expect(await audited(jobs)).toEqual(['job.create', 'job.cancel', 'job.cancel']);
});

test('one execution is cancelled by itself', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 2);
  await jobs.create({ id: 'j1', targets: ['group:/'] });
  await jobs.settle();
  await jobs.report('j1', 'd0000', 'IN_PROGRESS');
  const { calls } = jobs.services;
  const cancel = (device: string, force: boolean, expectedVersion?: number) =>
    refusalOf(calls.cancelJobExecution({ id: 'j1', device, force, expectedVersion, ...asTester }));
  expect(await cancel('d0000', false)).toBe('job-execution.conflict');
  expect(await cancel('d0001', false, 7)).toBe('job-execution.conflict');
  expect(await cancel('d0009', false)).toBe('job-execution.not-found');
  expect(await cancel('d0001', false, 1)).toBeUndefined();
  expect(await cancel('d0000', true)).toBeUndefined();
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
  expect(await jobs.counts('j1')).toMatchObject({ CANCELED: 2 });
});

test('a job is deleted with all that belongs to it, one that has not ended only by force', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1_500);
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout: { maximumPerMinute: 60_000 } } });
  await jobs.pass(1_000, 250);
  const { calls } = jobs.services;
  expect(await refusalOf(calls.deleteJob({ id: 'j1', force: false, ...asTester }))).toBe('job.conflict');
  await calls.deleteJob({ id: 'j1', force: true, ...asTester });
  expect((await jobs.job('j1')).status).toBe('DELETION_IN_PROGRESS');
  expect(await jobs.pending('d0000')).toEqual([]);
  await jobs.settle();
  for (const table of ['job', 'job_count', 'job_waiting', 'job_execution', 'job_execution_event', 'job_timer'] as const) {
    expect(await jobs.database.selectFrom(table).selectAll().execute()).toEqual([]);
  }
  await jobs.create({ id: 'j1', targets: ['device:d0000'] });
});

test('a job with a schedule begins and ends when it says', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 10);
  const nowMs = jobs.registry.clock.now();
  const schedule = { startTimeMs: nowMs + 10 * MINUTE_MS, endTimeMs: nowMs + 60 * MINUTE_MS };
  const rollout = { maximumPerMinute: 1 };
  for (const endBehavior of ['STOP_ROLLOUT', 'CANCEL', 'FORCE_CANCEL'] as const) {
    await jobs.create({
      id: endBehavior,
      targets: ['group:/'],
      config: { rollout: { maximumPerMinute: 60 }, schedule: { ...schedule, endBehavior } },
    });
  }
  await jobs.create({
    id: 'slow',
    targets: ['group:/'],
    targetSelection: 'continuous',
    config: { rollout: { ...rollout, maximumPerMinute: 1 }, schedule: { ...schedule, endTimeMs: nowMs + 40 * MINUTE_MS } },
  });
  await jobs.pass(9 * MINUTE_MS, MINUTE_MS);
  expect((await jobs.job('CANCEL')).status).toBe('SCHEDULED');
  expect(await jobs.executions('CANCEL')).toEqual([]);
  await jobs.pass(2 * MINUTE_MS, 5_000);
  expect((await jobs.job('CANCEL')).status).toBe('IN_PROGRESS');
  expect((await jobs.executions('CANCEL')).length).toBe(10);
  for (const id of ['STOP_ROLLOUT', 'CANCEL', 'FORCE_CANCEL']) await jobs.report(id, 'd0000', 'IN_PROGRESS');
  await jobs.pass(50 * MINUTE_MS, MINUTE_MS);
  const statuses = async (id: string) => Object.entries(await jobs.counts(id)).filter(([, count]) => count > 0);
  expect(await statuses('STOP_ROLLOUT')).toEqual([
    ['QUEUED', 9],
    ['IN_PROGRESS', 1],
  ]);
  expect(await statuses('CANCEL')).toEqual([
    ['IN_PROGRESS', 1],
    ['CANCELED', 9],
  ]);
  expect(await statuses('FORCE_CANCEL')).toEqual([['CANCELED', 10]]);
  expect((await jobs.job('FORCE_CANCEL')).status).toBe('CANCELED');
  // All ten were reached, nobody waits any more; what is queued is still to be done.
  expect((await jobs.job('slow')).progress).toMatchObject({ stopped: true, waiting: 0 });
  await addDevices(jobs.registry, 'later', 1);
  await jobs.settle();
  expect(await jobs.pending('later0000')).toEqual([]);
  for (const { device } of await jobs.executions('slow')) await jobs.report('slow', device, 'SUCCEEDED');
  expect((await jobs.job('slow')).status).toBe('COMPLETED');
});

test('nothing is tried again after the end of a schedule', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1);
  const config: JobConfig = {
    schedule: { endTimeMs: jobs.registry.clock.now() + 60 * MINUTE_MS },
    retry: { criteria: [{ failureType: 'ALL', numberOfRetries: 3 }] },
  };
  await jobs.create({ id: 'j1', targets: ['group:/'], config });
  await jobs.pass(61 * MINUTE_MS, 5 * MINUTE_MS);
  await jobs.report('j1', 'd0000', 'FAILED');
  expect((await jobs.executions('j1')).map(({ status }) => status)).toEqual(['FAILED']);
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
});

test('rate, abort and end may be changed while a job runs', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 100);
  await jobs.create({ id: 'j1', targets: ['group:/'], description: 'one', config: { rollout: { maximumPerMinute: 1 } } });
  await jobs.pass(2_000);
  const { calls } = jobs.services;
  await calls.updateJob({ id: 'j1', patch: { rollout: null, description: null }, ...asTester });
  await jobs.settle();
  expect((await jobs.executions('j1')).length).toBe(100);
  expect((await jobs.job('j1')).description).toBeUndefined();
  const patch = {
    abort: { criteria: [{ failureType: 'ALL', action: 'CANCEL', thresholdPercentage: 101, minNumberOfExecutedThings: 1 }] },
  } as const;
  expect(await refusalOf(calls.updateJob({ id: 'j1', patch, ...asTester }))).toBe('request.invalid');
});

test('abort criteria that are changed while a job runs count for what has failed already', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 10);
  await jobs.create({ id: 'j1', targets: ['group:/'] });
  await jobs.settle();
  for (const device of ['d0000', 'd0001']) await jobs.report('j1', device, 'FAILED');
  expect((await jobs.job('j1')).status).toBe('IN_PROGRESS');
  const criteria = [{ failureType: 'ALL', action: 'CANCEL', thresholdPercentage: 50, minNumberOfExecutedThings: 2 }] as const;
  await jobs.services.calls.updateJob({ id: 'j1', patch: { abort: { criteria } }, ...asTester });
  await jobs.settle();
  expect(await jobs.counts('j1')).toMatchObject({ CANCELED: 8, FAILED: 2 });
  expect(await audited(jobs)).toEqual(['job.create', 'job.update', 'job.abort']);
});

test('jobs that make no sense, or that are there already, are refused', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1, '/acme');
  await addDevices(jobs.registry, 'e', 1, '/other');
  await jobs.create({ id: 'j1', targets: ['device:d0000'] });
  const refused = (request: Parameters<TestJobs['create']>[0]) => refusalOf(jobs.create(request));
  expect(await refused({ id: 'j1', targets: ['device:d0000'] })).toBe('job.exists');
  expect(await refused({ id: 'j 2', targets: ['device:d0000'] })).toBe('request.invalid');
  expect(await refused({ id: 'j2', targets: [] })).toBe('request.invalid');
  expect(await refused({ id: 'j2', targets: ['device:none'] })).toBe('device.not-found');
  expect(await refused({ id: 'j2', targets: ['group:/none'] })).toBe('group.not-found');
  expect(await refused({ id: 'j2', targets: ['fleet:none'] })).toBe('fleet.not-found');
  expect(await refused({ id: 'j2', targets: ['type:none'] })).toBe('device-type.not-found');
  expect(await refused({ id: 'j2', targets: ['device:d0000'], group: '/other' })).toBe('request.invalid');
  const scope = { groups: ['/acme'] };
  expect(await refused({ id: 'j2', targets: ['device:e0000'], scope })).toBe('device.not-found');
  expect(await refused({ id: 'j2', targets: ['group:/'], scope })).toBe('group.not-found');
  expect(await refused({ id: 'j2', targets: ['device:d0000'], group: '/', scope })).toBe('access.denied');
  expect(await refused({ id: 'j2', targets: ['device:d0000'], config: { rollout: { maximumPerMinute: 0 } } })).toBe(
    'request.invalid',
  );
  expect(await refused({ id: 'j2', targets: ['device:d0000'], config: { schedule: { timeZone: 'Atlantis' } } })).toBe(
    'request.invalid',
  );
  await jobs.registry.fleets.create({ id: 'all', filter: 'id exists' }, asTester.actor);
  expect(await refused({ id: 'j2', targets: ['fleet:all'], scope })).toBe('fleet.not-found');
  const { calls } = jobs.services;
  expect(await refusalOf(calls.cancelJob({ id: 'j1', force: true, ...asTester, scope: { groups: ['/other'] } }))).toBe(
    'job.not-found',
  );
});

test('a device that is removed waits for nothing any more, and its job is over without it', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 3);
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { rollout: { maximumPerMinute: 1 } } });
  await jobs.settle();
  await jobs.registry.devices.remove('d0002' as DeviceId);
  await jobs.registry.devices.remove('d0000' as DeviceId);
  await jobs.settle();
  expect((await jobs.job('j1')).progress.waiting).toBe(1);
  await jobs.pass(MINUTE_MS);
  await jobs.report('j1', 'd0001', 'SUCCEEDED');
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
  expect(await jobs.counts('j1')).toMatchObject({ SUCCEEDED: 1, REMOVED: 1 });
});

test('who sees the audit trail sees who made a job', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 1, '/acme/b1');
  await jobs.create({ id: 'j1', targets: ['device:d0000'] });
  const [row] = await jobs.database.selectFrom('state_audit').selectAll().execute();
  const change = JSON.parse(row!.change) as AuditChange;
  await new AuditTrail(jobs.registry).record([change]);
  expect(await new AuditTrail(jobs.registry).list({ limit: 1, groups: ['/acme'] })).toMatchObject([
    { action: 'job.create', object: { kind: 'job', id: 'j1' }, group: '/acme/b1', actor: asTester.actor },
  ]);
});
