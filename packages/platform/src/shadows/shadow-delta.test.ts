import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anySection, mergePatch } from './json.fixture.ts';
import { sameJson } from './same-json.ts';
import { deltaOf } from './shadow-delta.ts';
import { isJsonObject, type Json, type JsonObject } from './shadow-document.ts';

/** The delta as the contract says it, leaf by leaf. */
function expectedDelta(desired: JsonObject, reported: JsonObject): JsonObject | undefined {
  const entries = Object.entries(desired).flatMap(([key, wanted]): [string, Json][] => {
    if (!Object.hasOwn(reported, key)) return [[key, wanted]];
    const had = reported[key] as Json;
    if (isJsonObject(wanted) && isJsonObject(had)) {
      const inner = expectedDelta(wanted, had);
      return inner === undefined ? [] : [[key, inner]];
    }
    return sameJson(wanted, had) ? [] : [[key, wanted]];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

test('a delta has every desired leaf that is not reported so, at its path, and nothing else', () => {
  fc.assert(
    fc.property(anySection, anySection, (desired, reported) => {
      expect(deltaOf(desired, reported)).toEqual(expectedDelta(desired, reported));
    }),
  );
});

test('a device that takes a delta over has no delta any more', () => {
  fc.assert(
    fc.property(anySection, anySection, (desired, reported) => {
      const delta = deltaOf(desired, reported);
      const after = delta === undefined ? reported : (mergePatch(reported, delta) as JsonObject);
      expect(deltaOf(desired, after)).toBeUndefined();
    }),
  );
});

test('arrays are compared and come whole; keys that only the device has are not in it', () => {
  expect(deltaOf({ a: [1, 2], b: [{ c: 1 }] }, { a: [1, 3], b: [{ c: 1 }], d: 1 })).toEqual({ a: [1, 2] });
  expect(deltaOf({ a: {} }, { a: { b: 1 } })).toBeUndefined();
  expect(deltaOf({ a: {} }, { a: 1 })).toEqual({ a: {} });
  expect(deltaOf(undefined, { a: 1 })).toBeUndefined();
  expect(deltaOf({ a: 1 }, undefined)).toEqual({ a: 1 });
});

test('JSON is the same whatever the order of its keys, and else is not', () => {
  fc.assert(
    fc.property(anySection, anySection, (one, other) => {
      const turned = Object.fromEntries(Object.entries(one).toReversed());
      expect(sameJson(one, turned)).toBe(true);
      const sorted = (value: Json): unknown =>
        isJsonObject(value)
          ? Object.entries(value)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, child]) => [key, sorted(child)])
          : Array.isArray(value)
            ? { array: value.map(sorted) }
            : value;
      expect(sameJson(one, other)).toBe(JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)));
    }),
  );
});
