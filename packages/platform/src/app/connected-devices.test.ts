import { expect, test } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import { ConnectedDevices } from './connected-devices.ts';
import type { PresenceChange } from './control-desk.ts';

const A = 'a' as DeviceId;
const B = 'b' as DeviceId;

function open() {
  const recorded: ConnectivityChange[] = [];
  let wait: Promise<void> | undefined;
  const devices = new ConnectedDevices(async (changes) => {
    await wait;
    recorded.push(...changes);
  });
  let number = 0;
  return {
    devices,
    taken: () => recorded.splice(0).map(({ deviceId, connected, atMs }) => `${deviceId} ${connected} ${atMs}`),
    apply: async (...changes: PresenceChange[]) => await devices.apply(0, { number: ++number, changes }),
    hold: (until: Promise<void> | undefined) => void (wait = until),
  };
}

test('a device is connected while it has a connection in any thread', async () => {
  const { devices, apply, taken } = open();
  await apply({ device: A, change: 1, atMs: 1 });
  await apply({ device: A, change: 1, atMs: 2 });
  expect(taken()).toEqual(['a true 1']);
  await apply({ device: A, change: -1, atMs: 3 });
  expect(taken()).toEqual([]);
  await apply({ device: A, change: -1, atMs: 4 });
  expect([taken(), devices.size]).toEqual([['a false 4'], 0]);
});

test('a device whose leaving one thread is heard of before its coming to another is not counted twice', async () => {
  const { devices, apply, taken } = open();
  await apply({ device: A, change: -1, atMs: 2 });
  await apply({ device: A, change: 1, atMs: 1 });
  expect([taken(), devices.size]).toEqual([[], 0]);
});

test('a device that came and went between two reports was seen', async () => {
  const { apply, taken } = open();
  await apply({ device: A, change: 0, atMs: 7 });
  expect(taken()).toEqual(['a false 7']);
});

test('a report that could not be kept, or not in time, is counted once, and kept when it comes again', async () => {
  const { devices, hold, taken } = open();
  const report = { number: 1, changes: [{ device: A, change: 1, atMs: 1 }] };
  hold(Promise.reject(new Error('the disk is full')));
  await expect(devices.apply(0, report)).rejects.toThrow('the disk is full');
  hold(undefined);
  // Of another thread: its numbers are its own.
  await devices.apply(1, { number: 1, changes: [{ device: B, change: 1, atMs: 2 }] });
  await devices.apply(0, report);
  expect(taken()).toEqual(['a true 1', 'b true 2']);
  await devices.apply(0, { number: 2, changes: [{ device: A, change: -1, atMs: 3 }] });
  expect([taken(), devices.size]).toEqual([['a false 3'], 1]);
});

test('what is counted later is kept later, however long it takes', async () => {
  const { apply, hold, taken } = open();
  const { promise, resolve } = Promise.withResolvers<void>();
  hold(promise);
  const first = apply({ device: A, change: 1, atMs: 1 });
  await Promise.resolve();
  hold(undefined);
  const second = apply({ device: A, change: -1, atMs: 2 });
  resolve();
  await Promise.all([first, second]);
  expect(taken()).toEqual(['a true 1', 'a false 2']);
});
