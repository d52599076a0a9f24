import { expect, test } from 'vitest';
import type { DeviceId } from '../kernel/device-id.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import { ConnectedDevices } from './connected-devices.ts';

const A = 'a' as DeviceId;

function open() {
  const recorded: ConnectivityChange[] = [];
  const devices = new ConnectedDevices(async (changes) => void recorded.push(...changes));
  return { devices, taken: () => recorded.splice(0).map(({ deviceId, connected, atMs }) => `${deviceId} ${connected} ${atMs}`) };
}

test('a device is connected while it has a connection in any thread', async () => {
  const { devices, taken } = open();
  await devices.apply([{ device: A, change: 1, atMs: 1 }]);
  await devices.apply([{ device: A, change: 1, atMs: 2 }]);
  expect(taken()).toEqual(['a true 1']);
  await devices.apply([{ device: A, change: -1, atMs: 3 }]);
  expect(taken()).toEqual([]);
  await devices.apply([{ device: A, change: -1, atMs: 4 }]);
  expect([taken(), devices.size]).toEqual([['a false 4'], 0]);
});

test('a device whose leaving one thread is heard of before its coming to another is not counted twice', async () => {
  const { devices, taken } = open();
  await devices.apply([{ device: A, change: -1, atMs: 2 }]);
  await devices.apply([{ device: A, change: 1, atMs: 1 }]);
  expect([taken(), devices.size]).toEqual([[], 0]);
});

test('a device that came and went between two reports was seen', async () => {
  const { devices, taken } = open();
  await devices.apply([{ device: A, change: 0, atMs: 7 }]);
  expect(taken()).toEqual(['a false 7']);
});
