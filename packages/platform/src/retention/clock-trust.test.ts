import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { ClockTrust } from './clock-trust.ts';

const START = Date.UTC(2026, 10, 22);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function open(seenMs = 0): { clock: FakeClock; trust: () => ClockTrust; memory: { seenMs: number } } {
  const clock = new FakeClock(START);
  const memory = { seenMs };
  const trust = (): ClockTrust =>
    new ClockTrust({ clock, memory: { lastSeenMs: () => memory.seenMs, save: (ms) => void (memory.seenMs = ms) } });
  return { clock, trust, memory };
}

test('a clock that runs on is believed, at the first start and ever after', () => {
  const { clock, trust, memory } = open();
  const one = trust();
  for (let day = 0; day < 100; day++) {
    expect(one.look()).toEqual({ believed: true });
    clock.advance(DAY);
  }
  expect(memory.seenMs).toBe(clock.now() - DAY);
});

test('a clock that jumps to 2099 is not, for as long as it runs, and is again once it is set right', () => {
  const { clock, trust, memory } = open();
  const one = trust();
  one.look();
  clock.step(73 * 365 * DAY);
  for (let day = 0; day < 60; day++) {
    expect(one.look()).toMatchObject({
      believed: false,
      message: expect.stringContaining('selsyn retention confirm-clock') as string,
    });
    clock.advance(DAY);
  }
  expect(memory.seenMs).toBe(START);
  // So it is after a restart.
  expect(trust().look()).toMatchObject({ believed: false });
  clock.step(-73 * 365 * DAY);
  expect(one.look()).toEqual({ believed: true });
});

test('somebody may say that it is right', () => {
  const { clock, trust } = open();
  const one = trust();
  one.look();
  clock.step(400 * DAY);
  expect(one.look().believed).toBe(false);
  one.confirm();
  expect(one.look().believed).toBe(true);
  expect(trust().look().believed).toBe(true);
});

test('a machine that was off for two weeks is believed after a day', () => {
  const { clock, trust, memory } = open();
  trust().look();
  clock.step(14 * DAY);
  const one = trust();
  expect(one.look().believed).toBe(false);
  clock.advance(23 * HOUR);
  expect(one.look().believed).toBe(false);
  expect(memory.seenMs).toBe(START);
  clock.advance(HOUR);
  expect(one.look().believed).toBe(true);
});

test('a night off, and what a clock is corrected by, are nothing', () => {
  const { clock, trust } = open();
  trust().look();
  clock.step(12 * HOUR);
  expect(trust().look().believed).toBe(true);
});

test('a clock that has lost its battery, and then finds the time, is believed', () => {
  const { clock, trust } = open(START - DAY);
  clock.step(-(START - 86_400_000));
  const one = trust();
  expect(one.look().believed).toBe(true);
  clock.advance(600_000);
  expect(one.look().believed).toBe(true);
  clock.step(START - 86_400_000);
  expect(one.look().believed).toBe(true);
});

test('a clock that was wrong ahead when it was believed is given up once it has been right for a day', () => {
  const { clock, trust, memory } = open(START + 4000 * DAY);
  const one = trust();
  expect(one.look().believed).toBe(true);
  expect(memory.seenMs).toBe(START + 4000 * DAY);
  clock.advance(DAY);
  expect(one.look().believed).toBe(true);
  expect(memory.seenMs).toBe(START + DAY);
  clock.step(4000 * DAY);
  expect(one.look().believed).toBe(false);
});
