import { describe, expect, it } from 'vitest';
import { parseDuration, parseInterval, parseTime } from './time-text.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const invalid = expect.objectContaining({ code: 'request.invalid' }) as Error;

describe('an interval', () => {
  it.each([
    ['500ms', { ms: 500 }],
    ['10s', { ms: 10_000 }],
    ['1m', { ms: 60_000 }],
    ['15m', { ms: 900_000 }],
    ['1h', { ms: 3_600_000 }],
    ['36h', { ms: 129_600_000 }],
    ['1d', { calendar: 'day', count: 1 }],
    ['1w', { calendar: 'week', count: 1 }],
    ['1mo', { calendar: 'month', count: 1 }],
    ['3mo', { calendar: 'month', count: 3 }],
  ])('%s is understood', (text, interval) => {
    expect(parseInterval(text)).toEqual(interval);
  });

  it.each(['', 'h', '1', '0s', '-1h', '1.5h', '1 h', '1H', '1M', '1y', 'P1D', '01h', '1e3s', '999999999d', '1h1m'])(
    '%j is refused',
    (text) => {
      expect(() => parseInterval(text)).toThrow(invalid);
    },
  );
});

describe('a duration', () => {
  it('has days of 24 hours', () => {
    expect(['0s', '90s', '24h', '7d', '1w'].map(parseDuration)).toEqual([0, 90_000, 86_400_000, 604_800_000, 604_800_000]);
  });

  it.each(['', '1mo', '1', '-1h', '1h ', '999999999w'])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(invalid);
  });
});

describe('a time', () => {
  it.each([
    ['0', 0],
    ['1790000000000', 1_790_000_000_000],
    ['-5', -5],
    ['now', NOW],
    ['now-1h', NOW - 3_600_000],
    ['now+7d', NOW + 604_800_000],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2026-01-31T12:30Z', Date.UTC(2026, 0, 31, 12, 30)],
    ['2026-01-31T12:30:15.250Z', Date.UTC(2026, 0, 31, 12, 30, 15, 250)],
    ['2026-01-31T12:30:15+01:00', Date.UTC(2026, 0, 31, 11, 30, 15)],
    ['2026-01-31T12:30:15 01:00', Date.UTC(2026, 0, 31, 11, 30, 15)],
    ['2026-01-31T00:30:00-03:30', Date.UTC(2026, 0, 31, 4)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ])('%s is understood', (text, timeMs) => {
    expect(parseTime(text, NOW)).toBe(timeMs);
  });

  it.each([
    '',
    'yesterday',
    '1.5',
    '1e12',
    '9999999999999999',
    'now-',
    'now-1mo',
    'now - 1h',
    '2026-13-01',
    '2026-02-30',
    '2025-02-29T00:00Z',
    '2026-01-31T12:30:15',
    '2026-01-31T25:00Z',
    '2026-01-31 12:30Z',
    '2026-1-1',
    '31.01.2026',
  ])('%j is refused', (text) => {
    expect(() => parseTime(text, NOW)).toThrow(invalid);
  });
});
