import { expect, test } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { AccessBroadcast } from './access-broadcast.ts';

function thread() {
  const told: (readonly string[] | 'all')[] = [];
  const releases: (() => void)[] = [];
  return {
    told,
    release: () => releases.shift()?.(),
    accessChanged: async (devices: readonly string[] | 'all') => {
      told.push(devices);
      await new Promise<void>((resolve) => releases.push(resolve));
    },
  };
}

const turn = async () => await new Promise((resolve) => setImmediate(resolve));

test('changes that come while threads are being told are told together afterwards', async () => {
  const broadcast = new AccessBroadcast(silentLogLines);
  const [one, other] = [thread(), thread()];
  broadcast.attach([one, other]);
  broadcast.changed(['a']);
  broadcast.changed(['b']);
  broadcast.changed(['c', 'b']);
  await turn();
  expect(one.told).toEqual([['a']]);
  one.release();
  await turn();
  expect(one.told).toEqual([['a']]);
  other.release();
  await turn();
  expect([one.told, other.told]).toEqual([
    [['a'], ['b', 'c']],
    [['a'], ['b', 'c']],
  ]);
  broadcast.changed(['d']);
  broadcast.changed('all');
  broadcast.changed(['e']);
  let settled = false;
  void broadcast.settled().then(() => (settled = true));
  for (const each of [one, other]) each.release();
  await turn();
  expect([one.told.at(-1), settled]).toEqual(['all', false]);
  for (const each of [one, other]) each.release();
  await turn();
  expect(settled).toBe(true);
});

test('very many devices are told as all', async () => {
  const broadcast = new AccessBroadcast(silentLogLines);
  const one = thread();
  broadcast.attach([one]);
  broadcast.changed(Array.from({ length: 5_001 }, (_, i) => `d${i}`));
  await turn();
  expect(one.told).toEqual(['all']);
});

test('a thread that fails does not keep the others from being told', async () => {
  const broadcast = new AccessBroadcast(silentLogLines);
  const told: unknown[] = [];
  broadcast.attach([
    { accessChanged: async () => await Promise.reject(new Error('gone')) },
    { accessChanged: async (devices) => void told.push(devices) },
  ]);
  broadcast.changed(['a']);
  await broadcast.settled();
  broadcast.changed(['b']);
  await broadcast.settled();
  expect(told).toEqual([['a'], ['b']]);
});

test('a change that comes right when all have been told is told too', async () => {
  // One for each step of the microtask queue on which telling could end.
  for (let steps = 0; steps < 20; steps++) {
    const broadcast = new AccessBroadcast(silentLogLines);
    const told: unknown[] = [];
    broadcast.attach([{ accessChanged: async (devices) => void told.push(devices) }]);
    broadcast.changed(['first']);
    for (let step = 0; step < steps; step++) await Promise.resolve();
    broadcast.changed(['last']);
    await turn();
    expect([steps, told]).toEqual([steps, [['first'], ['last']]]);
  }
});
