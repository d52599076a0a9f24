import { expect, test } from 'vitest';
import { counted, formatAge, formatBytes, formatDuration, formatTable } from './table.ts';

test('columns are as wide as their widest cell; those of numbers are aligned right', () => {
  expect(
    formatTable(
      ['id', 'value'],
      [
        ['pump-1', '9.5'],
        ['b', '-120'],
      ],
    ).split('\n'),
  ).toEqual(['id      value', '------  -----', 'pump-1    9.5', 'b        -120']);
});

test('a column with a text is aligned left, one of numbers with gaps still right, and no line ends in spaces', () => {
  expect(
    formatTable(
      ['state', 'n'],
      [
        ['idle', ''],
        ['7', '1e-7'],
      ],
    ).split('\n'),
  ).toEqual(['state     n', '-----  ----', 'idle', '7      1e-7']);
});

test('a table without rows is its head', () => {
  expect(formatTable(['id', 'name'], [])).toBe('id  name\n--  ----');
});

test('an age is a whole number of the largest unit that tells enough; one in the future is 0 s', () => {
  expect([-5000, 0, 89_000, 90_000, 5_399_000, 5_400_000, 129_599_000, 129_600_000].map(formatAge)).toEqual([
    '0 s',
    '0 s',
    '89 s',
    '2 min',
    '90 min',
    '2 h',
    '36 h',
    '2 d',
  ]);
});

test('a duration has two units', () => {
  expect([45_000, 725_000, 12_000_000, 792_000_000].map(formatDuration)).toEqual(['45 s', '12 min 5 s', '3 h 20 min', '9 d 4 h']);
});

test('one is one', () => {
  expect([counted(1, 'device'), counted(0, 'device'), counted(1500, 'device')]).toEqual([
    '1 device',
    '0 devices',
    '1,500 devices',
  ]);
});

test('bytes have three digits', () => {
  expect([0, 999, 1_000, 12_345, 999_600, 1_400_000_000, 5e15, 5e18].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 kB',
    '12.3 kB',
    '1.00 MB',
    '1.40 GB',
    '5.00 PB',
    '5.00e+3 PB',
  ]);
});
