import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addStoredBlock, decodeBlock, encodeBlock } from './block-codec.ts';
import { BLOCK_BYTES, BLOCK_DEVICES, DeviceSet } from './device-set.ts';

const number = fc.oneof(
  fc.integer({ min: 0, max: BLOCK_DEVICES * 3 }),
  fc.constantFrom(0, 7, 8, 31, 32, BLOCK_DEVICES - 1, BLOCK_DEVICES, 2 ** 31, 2 ** 33),
);
/** Scattered ones, and long runs: both forms of a stored block. */
const numbers = fc
  .tuple(fc.array(number, { maxLength: 40 }), fc.nat({ max: BLOCK_DEVICES * 2 }), fc.nat({ max: BLOCK_DEVICES * 2 }))
  .map(([some, from, length]) => [
    ...new Set([...some, ...Array.from({ length: length % 3 === 0 ? length : 0 }, (_, i) => from + i)]),
  ]);

function ascending(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

test('sets are joined, cut and counted as sets are', () => {
  fc.assert(
    fc.property(numbers, numbers, (a, b) => {
      const [left, right] = [DeviceSet.of(a), DeviceSet.of(b)];
      const [inA, inB] = [new Set(a), new Set(b)];
      expect(left.and(right).take(1e6)).toEqual(ascending(inA.intersection(inB)));
      expect(left.or(right).take(1e6)).toEqual(ascending(inA.union(inB)));
      expect(left.andNot(right).take(1e6)).toEqual(ascending(inA.difference(inB)));
      expect(left.count()).toBe(inA.size);
      expect(left.isEmpty).toBe(inA.size === 0);
      expect(left.and(right).isEmpty).toBe(inA.isDisjointFrom(inB));
      for (const each of [...a.slice(0, 5), ...b.slice(0, 5)]) expect(left.has(each)).toBe(inA.has(each));
      // Neither was changed.
      expect([left.count(), right.count()]).toEqual([inA.size, inB.size]);
    }),
    { numRuns: 100 },
  );
});

test('a page begins after a number and has no more than asked', () => {
  fc.assert(
    fc.property(numbers, fc.oneof(number, fc.constant(-1)), fc.integer({ min: 1, max: 20 }), (all, after, limit) => {
      const expected = ascending(all.filter((each) => each > after)).slice(0, limit);
      expect(DeviceSet.of(all).take(limit, after)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test('a block is read as it was written, in the shorter form', () => {
  fc.assert(
    fc.property(numbers, (all) => {
      const [block] = DeviceSet.of(all.map((each) => each % BLOCK_DEVICES)).blocks.values();
      if (block === undefined) return;
      const stored = encodeBlock(block);
      const set = new DeviceSet();
      addStoredBlock(set, 3, stored);
      const places = new Set(all.map((each) => each % BLOCK_DEVICES));
      expect(stored.length).toBe(Math.min(BLOCK_BYTES, places.size * 2));
      expect(decodeBlock(stored)).toEqual(block);
      expect(set.take(1e6)).toEqual(ascending(places).map((place) => 3 * BLOCK_DEVICES + place));
    }),
    { numRuns: 100 },
  );
  expect(encodeBlock(new Uint8Array(BLOCK_BYTES))).toHaveLength(0);
});

test.each([new Uint8Array(3), new Uint8Array([0xff, 0xff]), new Uint8Array(BLOCK_BYTES + 2)])(
  'a block of another form is refused: case %#',
  (stored) => {
    expect(() => addStoredBlock(new DeviceSet(), 0, stored)).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
    expect(() => decodeBlock(stored)).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
  },
);
