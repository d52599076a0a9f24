import { expect, test } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import { addDevices, asTester, openTestJobs, type TestJobs } from './job-services.fixture.ts';

/** What a device was told since it was last asked, by the last level of the topics. */
function told(jobs: TestJobs, device: string): readonly (readonly [string, unknown])[] {
  const messages = jobs.published.splice(0).filter((message) => message.device === device);
  return messages.map(({ topic, payload }) => [topic.split('/').at(-1) ?? '', JSON.parse(Buffer.from(payload).toString())]);
}

async function twoJobs(jobs: TestJobs): Promise<void> {
  await addDevices(jobs.registry, 'd', 1);
  for (const id of ['j1', 'j2']) {
    await jobs.create({ id, targets: ['group:/'] });
    await jobs.settle();
  }
  told(jobs, 'd0000');
}

const WITHOUT_FIRST = [
  ['notify', { jobs: { QUEUED: [{ jobId: 'j2' }] } }],
  ['notify-next', { execution: { jobId: 'j2' } }],
];

test.each([{ force: false }, { force: true }])(
  'a device is told that a job was cancelled which it was to do, and what is next (force: $force)',
  async ({ force }) => {
    await using jobs = await openTestJobs();
    await twoJobs(jobs);
    await jobs.services.calls.cancelJob({ id: 'j1', force, ...asTester });
    await jobs.settle();
    expect(told(jobs, 'd0000')).toMatchObject(WITHOUT_FIRST);
  },
);

test('a device is told that a job was aborted which it was to do', async () => {
  await using jobs = await openTestJobs();
  await addDevices(jobs.registry, 'd', 2);
  const criteria = [{ failureType: 'FAILED', action: 'CANCEL', thresholdPercentage: 1, minNumberOfExecutedThings: 1 }] as const;
  await jobs.create({ id: 'j1', targets: ['group:/'], config: { abort: { criteria } } });
  await jobs.settle();
  await jobs.report('j1', 'd0001', 'FAILED');
  told(jobs, 'd0000');
  await jobs.settle();
  expect(told(jobs, 'd0000')).toMatchObject([
    ['notify', { jobs: {} }],
    ['notify-next', {}],
  ]);
});

test('a device is told that it is no target any more, also outside of its maintenance window', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  await addDevices(registry, 'd', 1, '/a');
  await registry.groups.create('/b', asTester.actor);
  const now = new Date(registry.clock.now());
  const startTime = `${now.getUTCMinutes()} ${now.getUTCHours()} * * *`;
  await jobs.create({
    id: 'j1',
    targets: ['group:/a'],
    targetSelection: 'continuous',
    config: { schedule: { maintenanceWindows: [{ startTime, durationMinutes: 1 }] } },
  });
  await jobs.settle();
  expect(await jobs.pending('d0000')).toEqual(['j1']);
  await jobs.pass(120_000, 60_000);
  expect(await jobs.pending('d0000')).toEqual([]);
  told(jobs, 'd0000');
  await registry.devices.update('d0000' as DeviceId, { group: '/b' });
  await jobs.settle();
  expect(told(jobs, 'd0000')).toMatchObject([
    ['notify', { jobs: {} }],
    ['notify-next', {}],
  ]);
});
