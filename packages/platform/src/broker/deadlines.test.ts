import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cpuMsOf } from '../kernel/cpu-time.fixture.ts';
import { Deadlines } from './deadlines.ts';

function dueAt<T>(deadlines: Deadlines<T>, nowMs: number, limit?: number): T[] {
  const items: T[] = [];
  deadlines.due(nowMs, (item) => items.push(item), limit);
  return items;
}

test('gives out each item once its time is there, never earlier, within a second', () => {
  const deadlines = new Deadlines<string>();
  deadlines.add('b', 5_001);
  deadlines.add('a', 5_000);
  expect([deadlines.size, deadlines.nextMs]).toEqual([2, 5_000]);
  expect(dueAt(deadlines, 4_999)).toEqual([]);
  expect(dueAt(deadlines, 5_000)).toEqual(['a']);
  expect(dueAt(deadlines, 5_999)).toEqual([]);
  expect(dueAt(deadlines, 6_000)).toEqual(['b']);
  expect([deadlines.size, deadlines.nextMs]).toEqual([0, Infinity]);
});

test('what is past or due now is given at once', () => {
  const deadlines = new Deadlines<string>();
  deadlines.add('now', 10_000);
  deadlines.add('past', 3);
  deadlines.add('long past', -1e12);
  deadlines.add('always', -Infinity);
  expect(dueAt(deadlines, 10_000)).toEqual(['long past', 'always', 'past', 'now']);
});

test('an item that is removed or given another time is not due at the old one', () => {
  const deadlines = new Deadlines<string>();
  for (const item of ['a', 'b', 'c']) deadlines.add(item, 1_000);
  expect([deadlines.remove('b'), deadlines.remove('b'), deadlines.remove('x')]).toEqual([true, false, false]);
  deadlines.add('a', 2_000);
  expect(deadlines.size).toBe(2);
  expect(dueAt(deadlines, 1_000)).toEqual(['c']);
  expect(deadlines.remove('c')).toBe(false);
  expect(dueAt(deadlines, 2_000)).toEqual(['a']);
});

test('a hundred years ahead is as near as tomorrow, and a clock that jumps there finds all', () => {
  const deadlines = new Deadlines<number>();
  const yearMs = 365 * 86_400_000;
  for (let year = 100; year >= 1; year--) deadlines.add(year, year * yearMs);
  expect(dueAt(deadlines, 2.5 * yearMs)).toEqual([1, 2]);
  expect(dueAt(deadlines, 1e15)).toEqual(Array.from({ length: 98 }, (_, i) => i + 3));
});

test('a call gives out no more than its limit, and says whether there is more', () => {
  const deadlines = new Deadlines<number>();
  for (let i = 0; i < 25; i++) deadlines.add(i, 1_000 * (1 + (i >> 3)));
  const items: number[] = [];
  const calls = [1, 2, 3, 4].map(() => deadlines.due(60_000, (item) => items.push(item), 10));
  expect(calls).toEqual([true, true, false, false]);
  expect(items).toEqual(Array.from({ length: 25 }, (_, i) => i));
  for (let i = 0; i < 10; i++) deadlines.add(i, 0);
  expect(deadlines.due(0, () => {}, 10)).toBe(false);
});

test('who takes an item may add and remove others', () => {
  const deadlines = new Deadlines<string>();
  for (const item of ['a', 'b', 'c']) deadlines.add(item, 1_000);
  const taken: string[] = [];
  deadlines.due(1_000, (item) => {
    taken.push(item);
    if (item === 'a') {
      deadlines.remove('b');
      deadlines.add('a', 5_000);
      deadlines.add('d', 500);
    }
  });
  expect(taken).toEqual(['a', 'c', 'd']);
  expect(deadlines.size).toBe(1);
  expect(dueAt(deadlines, 5_000)).toEqual(['a']);
});

test('seconds that nothing is left in cost nothing', () => {
  const deadlines = new Deadlines<string>();
  // As a client does that connects and goes every second, with a session of a week.
  for (let second = 0; second < 50_000; second++) deadlines.add('client', (second + 604_800) * 1_000);
  expect(deadlines.size).toBe(1);
  expect(deadlines.nextMs).toBe((49_999 + 604_800) * 1_000);
  expect(dueAt(deadlines, 1e15)).toEqual(['client']);
});

test('a second that is left and used again is one second', () => {
  const deadlines = new Deadlines<string>();
  for (let i = 0; i < 10; i++) {
    deadlines.add('a', 5_000);
    deadlines.remove('a');
  }
  expect(deadlines.nextMs).toBe(Infinity);
  expect(dueAt(deadlines, 9_000)).toEqual([]);
});

test('many items spread over a week cost little more each than a few', () => {
  const spread = (items: number, rounds: number) => (): void => {
    for (let round = 0; round < rounds; round++) {
      const deadlines = new Deadlines<number>();
      for (let i = 0; i < items; i++) deadlines.add(i, ((i * 7_919) % 604_800) * 1_000);
      for (let i = 0; i < items; i += 2) deadlines.remove(i);
      let given = 0;
      while (deadlines.due(1e12, () => given++, 10_000));
      expect(given).toBe(items / 2);
    }
  };
  // Were each looked for among all, the many would be a hundred times the work; they are five times, as they do not fit into caches.
  expect(cpuMsOf(spread(100_000, 3)) / cpuMsOf(spread(1_000, 300))).toBeLessThan(40);
});

test('behaves as a sorted list does', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        item: fc.nat(30),
        inMs: fc.integer({ min: -2_000, max: 20_000 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), item: fc.nat(30) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('due' as const), passMs: fc.nat(4_000), limit: fc.integer({ min: 1, max: 6 }) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const deadlines = new Deadlines<number>();
      let model: { item: number; second: number }[] = [];
      let now = 100_000;
      for (const one of steps) {
        if (one.kind === 'add') {
          deadlines.add(one.item, now + one.inMs);
          model = [
            ...model.filter(({ item }) => item !== one.item),
            { item: one.item, second: Math.ceil((now + one.inMs) / 1_000) },
          ];
        } else if (one.kind === 'remove') {
          expect(deadlines.remove(one.item)).toBe(model.some(({ item }) => item === one.item));
          model = model.filter(({ item }) => item !== one.item);
        } else {
          now += one.passMs;
          const ready = model.filter(({ second }) => second * 1_000 <= now).toSorted((a, b) => a.second - b.second);
          const given: number[] = [];
          expect(deadlines.due(now, (item) => given.push(item), one.limit)).toBe(ready.length > one.limit);
          expect(given).toEqual(ready.slice(0, one.limit).map(({ item }) => item));
          model = model.filter(({ item }) => !given.includes(item));
        }
        expect(deadlines.size).toBe(model.length);
        expect(deadlines.nextMs).toBe(Math.min(...model.map(({ second }) => second * 1_000)));
      }
    }),
  );
});
