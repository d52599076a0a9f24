import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryWatermarks, type MemoryLevel } from './memory-watermarks.ts';

/** The levels that follow one another as this many bytes wait, of 1,000. */
function levelsOf(...waiting: number[]): MemoryLevel[] {
  const marks = new MemoryWatermarks(1_000);
  return waiting.map((bytes) => marks.update(bytes, 0));
}

test('sheds QoS 0 from three quarters on, until it is below 70 %', () => {
  expect(levelsOf(0, 749, 750, 749, 700, 699, 749)).toEqual([
    'normal',
    'normal',
    'shed-qos0',
    'shed-qos0',
    'shed-qos0',
    'normal',
    'normal',
  ]);
});

test('is full from the limit on, until it is below 95 %', () => {
  expect(levelsOf(999, 1_000, 5_000, 950, 949, 999, 1_000, 700)).toEqual([
    'shed-qos0',
    'full',
    'full',
    'full',
    'shed-qos0',
    'shed-qos0',
    'full',
    'shed-qos0',
  ]);
  expect(levelsOf(1_000, 699)).toEqual(['full', 'normal']);
});

test('who is full sheds QoS 0 too', () => {
  const marks = new MemoryWatermarks(1_000);
  const states = [0, 800, 1_000, 800].map((bytes) => [marks.update(bytes, 0) !== 'normal', marks.shedsQos0, marks.isFull]);
  expect(states).toEqual([
    [false, false, false],
    [true, true, false],
    [true, true, true],
    [true, true, false],
  ]);
});

test('queues and sockets count together', () => {
  const marks = new MemoryWatermarks(1_000);
  expect([marks.level, marks.update(500, 250), marks.level, marks.update(500, 500), marks.update(0, 0)]).toEqual([
    'normal',
    'shed-qos0',
    'shed-qos0',
    'full',
    'normal',
  ]);
});

test('whatever comes, the level fits what waits', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_300)), (waiting) => {
      const marks = new MemoryWatermarks(1_000);
      for (const bytes of waiting) {
        const level = marks.update(bytes, 0);
        if (level === 'normal') expect(bytes).toBeLessThan(750);
        else if (level === 'full') expect(bytes).toBeGreaterThanOrEqual(950);
        else expect(bytes >= 700 && bytes < 1_000).toBe(true);
      }
    }),
  );
});
