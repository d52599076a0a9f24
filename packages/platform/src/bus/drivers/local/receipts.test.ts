import { expect, it } from 'vitest';
import { Receipts } from './receipts.ts';

it('numbers the receipts that are owed, and uses the numbers again', () => {
  const receipts = new Receipts();
  const [a, b, c] = ['a', 'b', 'c'].map(() => ({ answered: () => {} }));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three');
  expect([receipts.add(a), receipts.add(b)]).toEqual([1, 2]);
  expect(receipts.take(1)).toBe(a);
  expect([receipts.add(c), receipts.size]).toEqual([1, 2]);
  expect(receipts.take(1)).toBe(c);
  expect(() => receipts.take(1)).toThrow(RangeError);
  expect([receipts.takeAll(), receipts.size, receipts.add(a)]).toEqual([[b], 0, 1]);
});
