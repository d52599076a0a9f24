import { expect, test } from 'vitest';
import { compareBytes, naturalKey } from './natural-key.ts';

test('texts sort as people sort versions', () => {
  const sorted = [
    '',
    '1',
    '1.2',
    '1.2.9',
    '1.2.10',
    '1.10',
    '2',
    '9',
    '10',
    '0100',
    '1e3',
    'a1',
    'a2',
    'a10',
    'b',
    'rev-2',
    'rev-12',
  ];
  const order = (texts: readonly string[]) => [...texts].sort((a, b) => compareBytes(naturalKey(a), naturalKey(b)));
  expect(order([...sorted].reverse())).toEqual(order(sorted));
  for (const [a, b] of [
    ['2.9', '2.10'],
    ['v1', 'v02'],
    ['1.2', '1.2.0'],
    ['rev-2', 'rev-12'],
    ['99999999999999999998', '99999999999999999999'],
    ['9', '0100'],
  ] as const) {
    expect([a, b, compareBytes(naturalKey(a), naturalKey(b))]).toEqual([a, b, -1]);
  }
  expect(naturalKey('2.01')).toBe(naturalKey('2.1'));
});
