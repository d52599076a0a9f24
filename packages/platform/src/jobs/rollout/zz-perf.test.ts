import { test } from 'vitest';
import type { DeviceId } from '../../kernel/device-id.ts';
import { addDevices, asTester, openTestJobs } from './job-services.fixture.ts';
test('perf', async () => {
  await using jobs = await openTestJobs();
  const { registry } = jobs;
  await registry.groups.create('/other', asTester.actor);
  await addDevices(registry, 'd', 1000, '/acme');
  await jobs.settle();
  for (const n of [0, 50, 150]) {
    for (let i = 0; i < n; i++) await jobs.create({ id: `j${n}-${i}`, targets: ['group:/other'], targetSelection: 'continuous' });
    await jobs.settle();
    for (let start = 0; start < 1000; start += 1000) await registry.devices.put(Array.from({ length: 1000 }, (_, i) => ({ id: `d${String(i).padStart(4, '0')}` as DeviceId, group: '/acme', attributes: { n: String(n) } })), 'upsert');
    const s = performance.now(); await jobs.settle(); console.log(n, 'jobs more', (performance.now() - s).toFixed(0), 'ms');
    const s2 = performance.now(); await registry.devices.update('d0001' as DeviceId, { attributes: { k: `${n}` } }); await jobs.settle(); console.log('one device', (performance.now() - s2).toFixed(0), 'ms');
  }
}, 60_000);
