import { expect, test, vi } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import { DeviceStore } from '../../registry/device-store.ts';
import { StoredExecutions } from '../stored-executions.ts';
import { addDevices, asTester, openTestJobs, type TestJobs } from './job-services.fixture.ts';

const MINUTE_MS = 60_000;
const continuous = { targetSelection: 'continuous' } as const;

async function statuses(jobs: TestJobs, id = 'j1'): Promise<readonly string[]> {
  return (await jobs.executions(id)).map(({ device, number, status }) => `${device} ${number} ${status}`);
}

const device = (id: string, group: string, more: object = {}) => ({ id: id as DeviceId, group, ...more });

test('a device that joins a group, a type or a fleet has its execution once that is followed', async () => {
  await using jobs = await openTestJobs();
  const { devices, types, fleets, groups } = jobs.registry;
  await types.create({ name: 'boiler' }, asTester.actor);
  await groups.create('/acme/b1', asTester.actor);
  await fleets.create({ id: 'cold', filter: 'attributes.zone = "cold"' }, asTester.actor);
  await jobs.create({ id: 'j1', targets: ['group:/acme', 'type:boiler', 'fleet:cold'], ...continuous });
  await jobs.settle();
  expect(await jobs.job('j1')).toMatchObject({ status: 'IN_PROGRESS', group: '/' });
  await devices.create(device('a', '/acme/b1'));
  await devices.create(device('b', '/other', { type: 'boiler' }));
  await devices.create(device('c', '/other', { attributes: { zone: 'cold' } }));
  await devices.create(device('d', '/other'));
  await devices.create(device('e', '/other'));
  await devices.update('e' as DeviceId, { group: '/acme' });
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 QUEUED', 'b 1 QUEUED', 'c 1 QUEUED', 'e 1 QUEUED']);
  for (const id of ['a', 'b', 'c', 'e']) await jobs.report('j1', id, 'SUCCEEDED');
  expect((await jobs.job('j1')).status).toBe('IN_PROGRESS');
  // Whatever else changes of it, it has done the job.
  await devices.update('a' as DeviceId, { name: 'another name' });
  await jobs.settle();
  expect((await jobs.executions('j1')).length).toBe(4);
});

test('a device that leaves before it is through is removed; when it comes back it has the next execution', async () => {
  await using jobs = await openTestJobs();
  const { devices } = jobs.registry;
  for (const id of ['a', 'b', 'c']) await devices.create(device(id, '/acme'));
  await jobs.create({ id: 'j1', targets: ['group:/acme'], group: '/', ...continuous });
  await jobs.settle();
  await jobs.report('j1', 'b', 'IN_PROGRESS');
  await jobs.report('j1', 'c', 'SUCCEEDED');
  for (const id of ['a', 'b', 'c']) await devices.update(id as DeviceId, { group: '/' });
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'b 1 REMOVED', 'c 1 SUCCEEDED']);
  for (const id of ['a', 'b', 'c']) await devices.update(id as DeviceId, { group: '/acme' });
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'a 2 QUEUED', 'b 1 REMOVED', 'b 2 QUEUED', 'c 1 SUCCEEDED']);
  expect(await jobs.counts('j1')).toMatchObject({ QUEUED: 2, SUCCEEDED: 1, REMOVED: 0 });
});

test('a job that follows groups alone writes nothing while nothing happens', async () => {
  await using jobs = await openTestJobs();
  await jobs.registry.devices.create(device('a', '/acme'));
  await jobs.create({ id: 'j1', targets: ['group:/acme'], ...continuous });
  await jobs.settle();
  expect((await jobs.job('j1')).nextAtMs).toBeUndefined();
});

test('a device that is removed and registered anew is another one', async () => {
  await using jobs = await openTestJobs();
  const { devices } = jobs.registry;
  await devices.create(device('a', '/acme'));
  await jobs.create({ id: 'j1', targets: ['group:/acme'], ...continuous });
  await jobs.settle();
  await jobs.report('j1', 'a', 'SUCCEEDED');
  jobs.registry.clock.advance(5);
  await devices.remove('a' as DeviceId);
  await devices.create(device('a', '/acme'));
  jobs.registry.clock.advance(5);
  await jobs.settle();
  expect(await jobs.pending('a')).toEqual(['j1']);
});

test('who joins a job with a rate waits for its turn', async () => {
  await using jobs = await openTestJobs();
  await jobs.registry.groups.create('/acme', asTester.actor);
  await jobs.create({ id: 'j1', targets: ['group:/acme'], ...continuous, config: { rollout: { maximumPerMinute: 2 } } });
  await jobs.settle();
  await addDevices(jobs.registry, 'd', 4, '/acme');
  await jobs.settle();
  expect((await jobs.executions('j1')).length).toBe(1);
  await jobs.registry.devices.update('d0003' as DeviceId, { group: '/' });
  await jobs.settle();
  expect((await jobs.job('j1')).progress.waiting).toBe(2);
  await jobs.pass(2 * MINUTE_MS);
  expect((await jobs.executions('j1')).map((each) => each.device)).toEqual(['d0000', 'd0001', 'd0002']);
});

test('who leaves and comes back to a job with a rate waits for its next execution', async () => {
  await using jobs = await openTestJobs();
  await jobs.registry.devices.create(device('a', '/acme'));
  await jobs.create({ id: 'j1', targets: ['group:/acme'], ...continuous, config: { rollout: { maximumPerMinute: 2 } } });
  await jobs.settle();
  for (const group of ['/', '/acme']) {
    await jobs.registry.devices.update('a' as DeviceId, { group });
    await jobs.settle();
  }
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED']);
  await jobs.pass(MINUTE_MS);
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'a 2 QUEUED']);
});

test('a fleet that is changed, or whose condition comes true by time, is found too', async () => {
  await using jobs = await openTestJobs();
  const { devices, fleets, clock, connectivity } = jobs.registry;
  for (const id of ['a', 'b']) await devices.create(device(id, '/', { attributes: { site: id } }));
  await fleets.create({ id: 'site', filter: 'attributes.site = "a"' }, asTester.actor);
  await fleets.create({ id: 'there', filter: 'connected = true' }, asTester.actor);
  await jobs.create({ id: 'j1', targets: ['fleet:site'], ...continuous });
  await jobs.create({ id: 'j2', targets: ['fleet:there'], ...continuous });
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 QUEUED']);
  await fleets.update('site', { filter: 'attributes.site = "b"' }, asTester.actor);
  await jobs.pass(10_000);
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'b 1 QUEUED']);
  await connectivity.record([{ deviceId: 'a' as DeviceId, connected: true, atMs: clock.now() }]);
  await jobs.pass(2 * MINUTE_MS, 5_000);
  expect(await statuses(jobs, 'j2')).toEqual(['a 1 QUEUED']);
  // Nobody is thrown out because the fleet itself is gone.
  await fleets.remove('site', asTester.actor);
  await jobs.pass(2 * MINUTE_MS, 5_000);
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'b 1 QUEUED']);
});

test('a job goes where its groups go', async () => {
  await using jobs = await openTestJobs();
  const { devices, groups } = jobs.registry;
  await devices.create(device('a', '/acme/b1'));
  await devices.create(device('b', '/acme/b2'));
  await jobs.create({ id: 'j1', targets: ['group:/acme/b1'], ...continuous });
  await jobs.settle();
  await groups.move('/acme', '/new/place', asTester.actor);
  await jobs.settle();
  expect(await jobs.job('j1')).toMatchObject({ group: '/new/place/b1', targets: [{ kind: 'group', path: '/new/place/b1' }] });
  expect(await statuses(jobs)).toEqual(['a 1 QUEUED']);
  await groups.move('/new/place/b2', '/new/place/b1/b2', asTester.actor);
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 QUEUED', 'b 1 QUEUED']);
  await groups.remove('/new/place/b1', asTester.actor, { force: true });
  await jobs.settle();
  expect(await statuses(jobs)).toEqual(['a 1 REMOVED', 'b 1 REMOVED']);
});

test('a change of devices is looked up once, however many jobs go on', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  await addDevices(registry, 'd', 20, '/acme');
  await registry.groups.create('/other', asTester.actor);
  for (let i = 0; i < 10; i++) await jobs.create({ id: `j${i}`, targets: ['group:/other'], ...continuous });
  await jobs.settle();
  await registry.devices.put([{ id: 'd0000' as DeviceId, group: '/other' }], 'upsert');
  const groupOf = vi.spyOn(DeviceStore.prototype, 'groupOf');
  const remove = vi.spyOn(StoredExecutions.prototype, 'remove');
  await jobs.settle();
  expect(groupOf).toHaveBeenCalledTimes(1);
  expect((await jobs.pending('d0000')).length).toBe(10);
  for (let i = 1; i < 10; i++) await registry.devices.update(`d000${i}` as DeviceId, { attributes: { n: 'x' } });
  await jobs.settle();
  // Nobody is thrown out who never was in.
  expect(remove).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});
