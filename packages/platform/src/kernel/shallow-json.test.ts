import { expect, test } from 'vitest';
import { isShallow } from './shallow-json.ts';

test('counts levels of objects and arrays, and stops at the first that is too deep', () => {
  expect([1, 'a', null, true].every((value) => isShallow(value, 0))).toBe(true);
  expect([isShallow({}, 0), isShallow([], 0), isShallow({}, 1), isShallow([{ a: 1 }], 2), isShallow([{ a: [] }], 2)]).toEqual([
    false,
    false,
    true,
    true,
    false,
  ]);
  const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
  expect(isShallow(deep, 32)).toBe(false);
});
