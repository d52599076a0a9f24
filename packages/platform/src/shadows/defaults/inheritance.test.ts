import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../shadow-document.ts';
import { inheritedFrom } from './inheritance.ts';

const key = fc.constantFrom('a', 'b', 'c', 'constructor');
const { object } = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom<Json>(null, 1, 2, 'x', true, [1], [{ a: 1 }]), tie('object')),
  object: fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
}));

/** The leaves by their paths: null, everything that is no object, and objects without a key. */
function leaves(value: Json, path = ''): readonly (readonly [string, Json])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, value]];
  const entries = Object.entries(value as JsonObject);
  return entries.length === 0 ? [[path, value]] : entries.flatMap(([name, each]) => leaves(each, `${path}/${name}`));
}

describe('what a device inherits', () => {
  test('is what the nearest says, and from the farther what the nearer do not speak of', () => {
    const type = { color: 'red', net: { ssid: 'a', channel: 1 }, list: [1, 2] };
    const root = { net: { ssid: 'b' }, list: [3] };
    const group = { color: null, net: { channel: null, psk: 'x' } };
    expect(inheritedFrom([type, root, group])).toEqual({ net: { ssid: 'b', psk: 'x' }, list: [3] });
    expect(inheritedFrom([])).toBeUndefined();
    expect(inheritedFrom([{ a: 1 }, { a: null }])).toBeUndefined();
  });

  test('has every value of the nearest, and never a null outside of an array', () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), object, (farther, nearest) => {
        const result = inheritedFrom([...farther, nearest]) ?? {};
        const found = new Map(leaves(result));
        for (const [path, value] of found) expect(value, path).not.toBeNull();
        for (const [path, value] of leaves(nearest)) {
          if (path === '') continue;
          if (value === null) expect(found.has(path)).toBe(false);
          else if (typeof value !== 'object' || Array.isArray(value)) expect(found.get(path)).toEqual(value);
        }
      }),
    );
  });

  test('is the same whichever neighbours are laid over each other first, where nothing is taken away', () => {
    const filled = object.map((each) => inheritedFrom([each]) ?? {});
    fc.assert(
      fc.property(filled, filled, filled, (a, b, c) => {
        expect(inheritedFrom([a, inheritedFrom([b, c]) ?? {}])).toEqual(inheritedFrom([inheritedFrom([a, b]) ?? {}, c]));
      }),
    );
  });

  test('leaves the defaults as they are', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const before = JSON.stringify([a, b]);
        inheritedFrom([a, b]);
        expect(JSON.stringify([a, b])).toBe(before);
      }),
    );
  });
});
