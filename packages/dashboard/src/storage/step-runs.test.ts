import { expect, it } from 'vitest';
import { stepRuns } from './step-runs.ts';

const step = (day: number, more: object = {}) => ({
  level: 'raw',
  file: `2026-11-0${day}.db`,
  from: `2026-11-0${day}`,
  to: `2026-11-0${day}`,
  isTrim: false,
  bytes: 10,
  freesBytes: 10,
  blocked: undefined,
  ...more,
});

it('steps that differ in their days alone are one line', () => {
  const runs = stepRuns([step(1), step(2), step(3, { blocked: 'held' }), step(4), step(5, { level: 'hourly' })]);
  expect(runs.map(({ level, files, bytes, span, blocked }) => [level, files, bytes, span.from, span.to, blocked])).toEqual([
    ['raw', 2, 20, '2026-11-01', '2026-11-02', undefined],
    ['raw', 1, 10, '2026-11-03', '2026-11-03', 'held'],
    ['raw', 1, 10, '2026-11-04', '2026-11-04', undefined],
    ['hourly', 1, 10, '2026-11-05', '2026-11-05', undefined],
  ]);
  expect(new Set(runs.map(({ key }) => key)).size).toBe(4);
});
