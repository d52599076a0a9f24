import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import type { ControlCalls, PresenceReport } from './control-desk.ts';
import { PresenceReports } from './presence-reports.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open() {
  const clock = new FakeClock(50);
  const told: unknown[] = [];
  let fails = false;
  const numbers: number[] = [];
  const call = async (_name: string, { number, changes }: PresenceReport): Promise<void> => {
    numbers.push(number);
    if (fails) throw new Error('main is busy');
    told.push(changes);
  };
  const reports = new PresenceReports({ call } as unknown as { call: ThreadCaller<ControlCalls>['call'] }, clock);
  return { reports, told, numbers, fail: (value: boolean) => void (fails = value) };
}

test('devices that come and go are told together, and what has no device id is not', async () => {
  const { reports, told } = open();
  reports.presenceChanged('a', 1, 1);
  reports.presenceChanged('b', 1, 2);
  reports.presenceChanged('b', -1, 3);
  reports.presenceChanged('claim/x', 1, 4);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([
    [
      { device: 'a', change: 1, atMs: 1 },
      { device: 'b', change: 0, atMs: 3 },
    ],
  ]);
});

test('what main could not take is told again as it was, as main may have counted it, and then what came since', async () => {
  const { reports, told, numbers, fail } = open();
  fail(true);
  reports.presenceChanged('a', 1, 1);
  await vi.advanceTimersByTimeAsync(300);
  reports.presenceChanged('a', 1, 2);
  fail(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([[{ device: 'a', change: 1, atMs: 1 }], [{ device: 'a', change: 1, atMs: 2 }]]);
  expect(numbers).toEqual([1, 1, 2]);
});

test('many at once are told in several messages', async () => {
  const { reports, told } = open();
  for (let i = 0; i < 10_001; i++) reports.presenceChanged(`d${i}`, 1, i);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(told.map((changes) => (changes as unknown[]).length)).toEqual([10_000, 1]);
});

test('why the last connection of a device ended is told with it', async () => {
  const { reports, told } = open();
  reports.presenceChanged('a', -1, 5, 'keep-alive');
  reports.presenceChanged('a', 1, 6);
  reports.presenceChanged('a', -1, 7, 'client-disconnect');
  reports.presenceChanged('b', -1, 9, 'connection-lost');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([
    [
      { device: 'a', change: -1, atMs: 7, reason: 'client-disconnect' },
      { device: 'b', change: -1, atMs: 9, reason: 'connection-lost' },
    ],
  ]);
});

test('a gateway speaks of the devices behind it, as long as it is there', async () => {
  const { reports, told } = open();
  const says = (device: string, text: string) =>
    reports.statuses.published('k', 'gateway', `devices/${device}/status`, Buffer.from(text));
  says('a', 'online');
  says('a', '{"status":"online"}');
  says('b', '{"online":true}');
  says('gateway', 'online');
  says('c', 'hello');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told.splice(0)).toEqual([
    [
      { device: 'a', change: 1, atMs: 50 },
      { device: 'b', change: 1, atMs: 50 },
    ],
  ]);
  says('a', 'offline');
  says('a', '');
  reports.connectionEnded('other');
  reports.connectionEnded('k');
  reports.connectionEnded('k');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([
    [
      { device: 'a', change: -1, atMs: 50, reason: 'said-offline' },
      { device: 'b', change: -1, atMs: 50, reason: 'speaker-gone' },
    ],
  ]);
});

test('a client speaks of a bounded number of devices', async () => {
  const { reports, told } = open();
  const says = (n: number, text: string) => reports.statuses.published('k', 'gateway', `devices/d${n}/status`, Buffer.from(text));
  for (let n = 0; n < 10_001; n++) says(n, '1');
  says(0, '0');
  says(10_001, '1');
  await vi.advanceTimersByTimeAsync(2_000);
  const devices = told.flat().map((change) => (change as { device: string }).device);
  expect([devices.length, devices.includes('d10000'), devices.includes('d10001')]).toEqual([10_001, false, true]);
});
