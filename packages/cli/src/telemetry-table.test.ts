import { expect, test } from 'vitest';
import { emptyMetrics, tableOf } from './telemetry-table.ts';

const NOON = Date.UTC(2026, 0, 31, 12);

test('points of the same time are one row, in order of time, whatever their kind; what is missing stays empty', () => {
  const table = tableOf({
    state: [[NOON + 1000, 'idle']],
    temperature: [
      [NOON, 23.123456789012],
      [NOON + 1000, 24],
    ],
    running: [[NOON, true]],
  });
  expect(table?.split('\n')).toEqual([
    'time                      state      temperature  running',
    '------------------------  -----  ---------------  -------',
    '2026-01-31T12:00:00.000Z         23.123456789012  true',
    '2026-01-31T12:00:01.000Z  idle                24',
  ]);
});

test('the metrics that were asked for come in that order, those without points not at all', () => {
  const columns = { a: [[NOON, 1]], b: [[NOON, 2]], gone: [] } as const;
  expect(tableOf(columns, { order: ['b', 'gone', 'a'] })?.split('\n')[0]).toBe('time                      b  a');
  expect(emptyMetrics(columns)).toEqual(['gone']);
});

test('without points there is no table', () => {
  expect(tableOf({})).toBeUndefined();
  expect(tableOf({ temperature: [] })).toBeUndefined();
});

test('computed values have 8 digits, sent ones all of theirs', () => {
  const columns = { a: [[NOON, 2 / 3]] } as const;
  expect(tableOf(columns, { aggregated: true })).toMatch(/ 0\.66666667$/);
  expect(tableOf(columns)).toMatch(/ 0\.6666666666666666$/);
});

test('times are those of the zone, with the offset it has then', () => {
  const columns = {
    a: [
      [Date.UTC(2026, 2, 28, 23), 1],
      [Date.UTC(2026, 2, 29, 22), 2],
    ],
  } as const;
  const times = (timeZone: string): string[] =>
    (tableOf(columns, { timeZone }) ?? '')
      .split('\n')
      .slice(2)
      .map((line) => line.split('  ')[0] ?? '');
  expect(times('Europe/Berlin')).toEqual(['2026-03-29T00:00:00+01:00', '2026-03-30T00:00:00+02:00']);
  expect(times('Africa/Abidjan')).toEqual(['2026-03-28T23:00:00+00:00', '2026-03-29T22:00:00+00:00']);
  expect(times('UTC')).toEqual(['2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z']);
});
