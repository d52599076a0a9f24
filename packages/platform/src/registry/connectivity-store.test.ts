import { expect, test } from 'vitest';
import { systemActor } from '../audit/actor.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { openTestRegistry, postingsOf, type TestRegistry } from './registry.fixture.ts';

const id = (text: string): DeviceId => text as DeviceId;

async function found(registry: TestRegistry, filter: string): Promise<readonly string[]> {
  return (await registry.devices.list({ filter, limit: 100 })).items.map((device) => device.id);
}

test('devices are found by whether they are connected and when they were last', async () => {
  await using registry = await openTestRegistry();
  for (const each of ['a', 'b', 'c']) await registry.devices.create({ id: id(each) });
  await registry.connectivity.record([
    { deviceId: id('a'), connected: true, atMs: 100 },
    { deviceId: id('b'), connected: true, atMs: 100 },
    { deviceId: id('b'), connected: false, atMs: 200 },
    { deviceId: id('unknown'), connected: true, atMs: 100 },
  ]);
  registry.clock.advance(60_000 - 1000);
  expect(await found(registry, 'connected = true')).toEqual(['a']);
  expect(await found(registry, 'not connected = true')).toEqual(['b', 'c']);
  expect(await found(registry, 'lastSeen exists')).toEqual(['a', 'b']);
  // Who is connected is seen now.
  expect(await found(registry, 'lastSeen > 300')).toEqual(['a']);
  expect(await found(registry, 'lastSeen <= 200')).toEqual(['b']);
  expect(Object.fromEntries(await registry.connectivity.of([id('a'), id('b'), id('c')]))).toEqual({
    a: { connected: true, sinceMs: 100, lastSeenMs: 100 },
    b: { connected: false, sinceMs: 200, lastSeenMs: 200 },
  });
});

test('the order of changes counts, not their times: clocks are set back', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('a') });
  await registry.connectivity.record([{ deviceId: id('a'), connected: true, atMs: 500 }]);
  await registry.connectivity.record([{ deviceId: id('a'), connected: false, atMs: 400 }]);
  expect(await found(registry, 'connected = true')).toEqual([]);
});

test('what is told twice changes nothing but the time', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('a') });
  for (const atMs of [100, 200]) await registry.connectivity.record([{ deviceId: id('a'), connected: true, atMs }]);
  expect((await registry.connectivity.of([id('a')])).get(id('a'))).toEqual({ connected: true, sinceMs: 100, lastSeenMs: 200 });
  expect(await registry.devices.count({ filter: 'connected = true' })).toBe(1);
});

test('at the start nobody is connected', async () => {
  await using registry = await openTestRegistry();
  for (const each of ['a', 'b']) await registry.devices.create({ id: id(each) });
  await registry.connectivity.record(['a', 'b'].map((each) => ({ deviceId: id(each), connected: each === 'a', atMs: 100 })));
  expect(await registry.connectivity.disconnectAll(900)).toBe(1);
  expect(await registry.connectivity.disconnectAll(950)).toBe(0);
  expect(await found(registry, 'connected = true')).toEqual([]);
  expect(await found(registry, 'lastSeen >= 900')).toEqual(['a']);
});

test('why a device is gone is kept until it comes back, and is the end of the server where that took it away', async () => {
  await using registry = await openTestRegistry();
  await registry.devices.create({ id: id('a') });
  const record = async (connected: boolean, reason?: string) =>
    await registry.connectivity.record([{ deviceId: id('a'), connected, atMs: 100, reason }]);
  const reason = async () => (await registry.connectivity.of([id('a')])).get(id('a'))?.goneReason;
  await record(true);
  await record(false, 'keep-alive');
  expect(await reason()).toBe('keep-alive');
  await record(true);
  expect(await reason()).toBeUndefined();
  await registry.connectivity.disconnectAll(900);
  expect(await reason()).toBe('server-ended');
});

test('a device that is removed while it is connected leaves nothing behind', async () => {
  await using registry = await openTestRegistry();
  const empty = await postingsOf(registry.database);
  for (const each of ['a', 'b']) await registry.devices.create({ id: id(each), tags: ['t'], attributes: { x: [1, 'a', true] } });
  await registry.connectivity.record(['a', 'b'].map((each) => ({ deviceId: id(each), connected: each === 'a', atMs: 100 })));
  for (const each of ['a', 'b']) await registry.devices.remove(id(each), systemActor('test'));
  expect(await postingsOf(registry.database)).toEqual(empty);
  expect(await registry.database.selectFrom('device_posting').selectAll().execute()).toEqual([]);
});
