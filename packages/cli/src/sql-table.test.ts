import { expect, test } from 'vitest';
import { pointAt, sqlTable, statisticsLine } from './sql-table.ts';

test('Rows are a table: numbers to the right, nothing for NULL, what is long cut, control characters shown', () => {
  const table = sqlTable({
    columns: [
      { name: 'device', type: 'VARCHAR' },
      { name: 'n', type: 'BIGINT' },
      { name: 'tags', type: 'VARCHAR[]' },
    ],
    rows: [
      ['a\u001b[31m', 5, ['x']],
      [null, 12.5, 'y'.repeat(100)],
    ],
    limited: false,
  });
  expect(table.split('\n')).toEqual([
    'device          n  tags',
    `-----------  ----  ${'-'.repeat(80)}`,
    'a\\u{1b}[31m     5  ["x"]',
    `             12.5  ${'y'.repeat(79)}…`,
    '(2 rows)',
  ]);
});

test('An error shows the place in the query', () => {
  expect(pointAt('syntax error (line 2, column 8)', 'SELECT 1\nFROM x WHER y')).toBe(
    'syntax error (line 2, column 8)\n  FROM x WHER y\n         ^',
  );
  expect(pointAt('no place', 'SELECT 1')).toBe('no place');
  const long = `SELECT ${'x'.repeat(500)}`;
  expect(pointAt('e (line 1, column 300)', long).split('\n')).toEqual([
    'e (line 1, column 300)',
    `  ${'x'.repeat(100)}`,
    `  ${' '.repeat(59)}^`,
  ]);
});

test('What was read is one line', () => {
  const header = JSON.stringify({
    storedPoints: 7200,
    hotPoints: 1,
    archiveFiles: 2,
    archiveBytes: 12_500_000,
    fromMs: 0,
    toMs: 3_600_000,
    devices: 1,
    elapsedMs: 42,
  });
  expect(statisticsLine(header)).toBe(
    'read 7,200 stored points, 1 point in memory, 0 rollups, 2 archived files (12.5 MB) from 1970-01-01T00:00:00.000Z to 1970-01-01T01:00:00.000Z of 1 device; 42 ms',
  );
});
