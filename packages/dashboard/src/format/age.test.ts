import { expect, it } from 'vitest';
import { formatAge, formatTime, freshness, toLocalInput } from './age.ts';

it('says how long ago in the largest whole unit', () => {
  expect([0, 999, 3400, 59_999, 60_000, 5 * 3_600_000, 47 * 3_600_000, 3 * 86_400_000, 800 * 86_400_000].map(formatAge)).toEqual([
    'now',
    'now',
    '3 s ago',
    '59 s ago',
    '1 min ago',
    '5 h ago',
    '47 h ago',
    '3 d ago',
    '2 y ago',
  ]);
});

it('takes a clock that is slightly ahead for now, and says so beyond', () => {
  expect(formatAge(-1500)).toBe('now');
  expect(formatAge(-240_000)).toBe('in 4 min');
  expect(freshness(-1500)).toBe('fresh');
  expect(freshness(-240_000)).toBe('future');
});

it('turns amber after a minute and red after ten', () => {
  expect([59_999, 60_000, 599_999, 600_000].map(freshness)).toEqual(['fresh', 'ageing', 'ageing', 'stale']);
});

it('writes local time so that it sorts, and as an input takes it', () => {
  const timeMs = new Date(2026, 10, 2, 7, 5, 4, 30).getTime();
  expect(formatTime(timeMs)).toBe('2026-11-02 07:05:04');
  expect(formatTime(timeMs, true)).toBe('2026-11-02 07:05:04.030');
  expect(Date.parse(toLocalInput(timeMs))).toBe(timeMs - 30);
  expect(formatTime(1e20)).toBe('–');
});
