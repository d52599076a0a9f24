import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortableIds, idOfTime } from './sortable-ids.ts';

const zeros = (count: number): Uint8Array => new Uint8Array(count);
const full = (count: number): Uint8Array => new Uint8Array(count).fill(255);

test('ids grow strictly, whatever the clock does, and after those of before', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { minLength: 2 }), fc.boolean(), (times, isFull) => {
      const random = isFull ? full : zeros;
      let last = new SortableIds(random).next(2 ** 44);
      const ids = new SortableIds(random, last);
      for (const time of times) {
        const id = ids.next(time);
        expect(id).toMatch(/^[0-9A-Z]{26}$/);
        expect(id > last).toBe(true);
        last = id;
      }
    }),
  );
});

test('an id begins with the time at which it was made', () => {
  const ids = new SortableIds(zeros);
  const [early, late] = [ids.next(1_700_000_000_000), ids.next(1_700_000_000_001)];
  expect(early.startsWith(idOfTime(1_700_000_000_000))).toBe(true);
  expect(early < idOfTime(1_700_000_000_001) && late >= idOfTime(1_700_000_000_001)).toBe(true);
  // The reference of the ULID specification.
  expect(idOfTime(1_469_918_176_385)).toBe('01ARYZ6S41');
});

test('two ids of one ms differ by one, also where digits carry over', () => {
  const ids = new SortableIds((count) => new Uint8Array(count).fill(31, 1));
  expect([ids.next(5), ids.next(5)].map((id) => id.slice(10))).toEqual(['0ZZZZZZZZZZZZZZZ', '1000000000000000']);
});
