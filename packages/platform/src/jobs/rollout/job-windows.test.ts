import { expect, test } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import type { JobConfig } from './job-config.ts';
import { addDevices, openTestJobs, type TestJobs } from './job-services.fixture.ts';

const HOUR_MS = 3_600_000;
/** 22:00 in Berlin, 06:00 of the next day in Tokyo. */
const EVENING_MS = Date.parse('2026-01-10T21:00:00Z');
const night: JobConfig = { schedule: { maintenanceWindows: [{ startTime: '0 2 * * *', durationMinutes: 60 }] } };

async function openInTheEvening(): Promise<TestJobs> {
  const jobs = await openTestJobs();
  jobs.registry.clock.step(EVENING_MS - jobs.registry.clock.now());
  await addDevices(jobs.registry, 'berlin', 3, '/', { timeZone: 'Europe/Berlin' });
  await addDevices(jobs.registry, 'tokyo', 2, '/', { timeZone: 'Asia/Tokyo' });
  await addDevices(jobs.registry, 'utc', 1, '/');
  await jobs.create({ id: 'j1', targets: ['group:/'], config: night });
  await jobs.settle();
  return jobs;
}

const reached = async (jobs: TestJobs): Promise<readonly string[]> => (await jobs.executions('j1')).map(({ device }) => device);
const told = (jobs: TestJobs, device: string): number =>
  jobs.published.filter(({ topic }) => topic === `$aws/things/${device}/jobs/notify-next`).length;

test('each device gets its execution when the window opens by its own clocks', async () => {
  await using jobs = await openInTheEvening();
  expect(await reached(jobs)).toEqual([]);
  await jobs.pass(4 * HOUR_MS, HOUR_MS / 4);
  expect(await reached(jobs)).toEqual(['berlin0000', 'berlin0001', 'berlin0002']);
  await jobs.pass(HOUR_MS, HOUR_MS / 4);
  expect(await reached(jobs)).toContain('utc0000');
  await jobs.pass(15 * HOUR_MS, HOUR_MS / 4);
  expect((await reached(jobs)).length).toBe(6);
});

test('what was not begun in its window waits for the next one, and the device is told then', async () => {
  await using jobs = await openInTheEvening();
  await jobs.pass(4 * HOUR_MS, HOUR_MS / 4);
  await jobs.report('j1', 'berlin0000', 'IN_PROGRESS');
  await jobs.pass(1 * HOUR_MS, HOUR_MS / 4);
  // It is past three in the morning: who has begun goes on, the others are not asked to, and may not.
  expect(await jobs.pending('berlin0000')).toEqual(['j1']);
  expect(await jobs.pending('berlin0001')).toEqual([]);
  await jobs.report('j1', 'berlin0001', 'IN_PROGRESS');
  expect(await jobs.counts('j1')).toMatchObject({ IN_PROGRESS: 1, QUEUED: 3 });
  await jobs.report('j1', 'berlin0000', 'SUCCEEDED');
  const before = [told(jobs, 'berlin0000'), told(jobs, 'berlin0001')];
  await jobs.pass(23 * HOUR_MS, HOUR_MS / 4);
  expect(await jobs.pending('berlin0001')).toEqual(['j1']);
  expect([told(jobs, 'berlin0000'), told(jobs, 'berlin0001')]).toEqual([before[0], before[1]! + 1]);
});

test('reminders stand after a restart, and are gone with the job', async () => {
  await using jobs = await openInTheEvening();
  await jobs.pass(5 * HOUR_MS, HOUR_MS / 2);
  await jobs.restart();
  const before = told(jobs, 'berlin0002');
  await jobs.pass(24 * HOUR_MS, HOUR_MS / 2);
  expect(told(jobs, 'berlin0002')).toBe(before + 1);
  for (const device of await reached(jobs)) {
    while ((await jobs.pending(device)).length === 0) await jobs.pass(HOUR_MS, HOUR_MS);
    await jobs.report('j1', device, 'SUCCEEDED');
  }
  await jobs.settle();
  expect((await jobs.job('j1')).status).toBe('COMPLETED');
  expect(await jobs.database.selectFrom('job_waiting').selectAll().execute()).toEqual([]);
});

test('a device that has moved to another time zone is served by the clocks there', async () => {
  await using jobs = await openInTheEvening();
  await jobs.registry.devices.update('berlin0000' as DeviceId, { attributes: { timeZone: 'Asia/Tokyo' } });
  await jobs.pass(5 * HOUR_MS, HOUR_MS / 4);
  expect(await reached(jobs)).not.toContain('berlin0000');
});

test('a retry, too, is begun only within a window', async () => {
  await using jobs = await openTestJobs();
  jobs.registry.clock.step(EVENING_MS - jobs.registry.clock.now());
  await addDevices(jobs.registry, 'utc', 1, '/');
  const config: JobConfig = { ...night, retry: { criteria: [{ failureType: 'FAILED', numberOfRetries: 1 }] } };
  await jobs.create({ id: 'j1', targets: ['group:/'], config });
  await jobs.pass(5 * HOUR_MS, HOUR_MS / 4);
  await jobs.report('j1', 'utc0000', 'IN_PROGRESS');
  await jobs.pass(2 * HOUR_MS, HOUR_MS / 4);
  await jobs.report('j1', 'utc0000', 'FAILED');
  await jobs.settle();
  expect(await jobs.pending('utc0000')).toEqual([]);
  await jobs.pass(22 * HOUR_MS + HOUR_MS / 2, HOUR_MS / 4);
  expect(await jobs.pending('utc0000')).toEqual(['j1']);
});

test('a device whose time zone becomes known while it waits gets its execution by that', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  registry.clock.step(Date.parse('2026-03-02T12:00:00Z') - registry.clock.now());
  await addDevices(registry, 'd', 2);
  // 14:00 on a Monday in Riga, and two hours later in London.
  const maintenanceWindows = [{ startTime: '0 14 * * 1', durationMinutes: 60 }];
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { schedule: { maintenanceWindows, timeZone: 'Europe/London' } } });
  await jobs.settle();
  expect(await jobs.executions('j1')).toEqual([]);
  await registry.devices.update('d0001' as DeviceId, { attributes: { timeZone: 'Europe/Riga' } });
  await jobs.settle();
  expect((await jobs.executions('j1')).map(({ device }) => device)).toEqual(['d0001']);
  expect((await jobs.job('j1')).progress.waiting).toBe(1);
});

test('devices that never do it do not keep others from it, however slow the rollout is', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  registry.clock.step(Date.parse('2026-03-02T11:59:30Z') - registry.clock.now());
  await addDevices(registry, 'd', 30);
  const maintenanceWindows = [{ startTime: '0 12 * * *', durationMinutes: 5 }];
  await jobs.create({
    id: 'j1',
    targets: ['group:/'],
    config: { rollout: { maximumPerMinute: 2 }, schedule: { maintenanceWindows } },
  });
  const given: number[] = [];
  for (let day = 0; day < 3; day++) {
    await jobs.pass(10 * 60_000, 10_000);
    given.push((await jobs.executions('j1')).length);
    await jobs.pass(24 * HOUR_MS - 10 * 60_000, HOUR_MS);
  }
  expect(given).toEqual([10, 20, 30]);
});
