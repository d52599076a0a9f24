import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Soon } from './soon.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('runs once for all that is asked within the wait, and again for what is asked after it', () => {
  const work = vi.fn();
  const soon = new Soon(work, 300);
  soon.ask();
  vi.advanceTimersByTime(200);
  soon.ask();
  vi.advanceTimersByTime(99);
  expect(work).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(work).toHaveBeenCalledTimes(1);
  soon.ask();
  vi.advanceTimersByTime(300);
  expect(work).toHaveBeenCalledTimes(2);
});

it('runs nothing after its end', () => {
  const work = vi.fn();
  const soon = new Soon(work, 300);
  soon.ask();
  soon.end();
  vi.advanceTimersByTime(1000);
  expect(work).not.toHaveBeenCalled();
});
