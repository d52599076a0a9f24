import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyPatch, anySection, fits, leavesOf, mergePatch } from './json.fixture.ts';
import type { JsonObject, ShadowDocument } from './shadow-document.ts';
import { mergeLayers, mergeStamps, mergeUpdate, replaceSections, stampsOf, withInherited } from './shadow-merge.ts';

const STAMP = { nowMs: 5_999, version: 2 };
const BEFORE = { nowMs: 1_000, version: 1 };

const documentWith = (desired: JsonObject, reported: JsonObject): ShadowDocument =>
  mergeUpdate(undefined, { desired, reported }, BEFORE);
const orUndefined = (section: JsonObject): JsonObject | undefined => (Object.keys(section).length === 0 ? undefined : section);

test('an update merges each section as RFC 7396 does, and changes nothing that it was given', () => {
  fc.assert(
    fc.property(anySection, anySection, anyPatch, (desired, reported, patch) => {
      const document = documentWith(desired, reported);
      const copy = structuredClone(document);
      const after = mergeUpdate(document, { desired: patch }, STAMP);
      expect(after.desired).toEqual(orUndefined(mergePatch(desired, patch) as JsonObject));
      expect(after.reported).toBe(document.reported);
      expect(after.stamps.reported).toBe(document.stamps.reported);
      expect(document).toEqual(copy);
      expect([after.version, after.createdAtMs, after.updatedAtMs]).toEqual([2, 1_000, 5_999]);
    }),
  );
});

test('every leaf has a stamp: what an update writes its own, what it leaves alone the one it had', () => {
  fc.assert(
    fc.property(anySection, anyPatch, (desired, patch) => {
      const before = documentWith(desired, {});
      const after = mergeUpdate(before, { desired: patch }, STAMP);
      expect(after.stamps.desired === undefined).toBe(after.desired === undefined);
      expect(fits(after.desired ?? {}, after.stamps.desired ?? {})).toBe(true);
      const old = new Map(leavesOf(before.stamps.desired ?? {}));
      const written = new Set(leavesOf(stampsOf(mergePatch({}, patch) as JsonObject, [5, 2])).map(([at]) => at));
      for (const [at, stamp] of leavesOf(after.stamps.desired ?? {})) {
        expect(stamp).toEqual(written.has(at) ? [5, 2] : old.get(at));
      }
    }),
  );
});

test('null takes a key away, or a section, or what is below a key that is an object', () => {
  const document = documentWith({ a: { b: 1, c: 2 }, d: 3 }, { a: 1 });
  expect(mergeUpdate(document, { desired: { a: { b: null, x: null }, d: null } }, STAMP).desired).toEqual({ a: { c: 2 } });
  expect(mergeUpdate(document, { desired: null }, STAMP)).toMatchObject({ desired: undefined, reported: { a: 1 } });
  expect(mergeUpdate(document, { desired: { a: null, d: null } }, STAMP).desired).toBeUndefined();
  expect(mergeUpdate(document, { reported: { a: { b: null } } }, STAMP).reported).toEqual({ a: {} });
});

test('replacing makes a section exactly what is given; a leaf that stays as it was keeps its stamp', () => {
  fc.assert(
    fc.property(anySection, anyPatch, (desired, next) => {
      const before = documentWith(desired, {});
      const after = replaceSections(before, { desired: next }, STAMP);
      expect(after.desired).toEqual(orUndefined(mergePatch({}, next) as JsonObject));
      expect(fits(after.desired ?? {}, after.stamps.desired ?? {})).toBe(true);
    }),
  );
  const after = replaceSections(
    documentWith({ a: 1, b: [1], c: { d: 1 } }, {}),
    { desired: { a: 1, b: [1], c: { d: 2 } } },
    STAMP,
  );
  expect(after.stamps.desired).toEqual({ a: [1, 1], b: [1, 1], c: { d: [5, 2] } });
});

test('what is desired lies over what is inherited, and the stamps with it', () => {
  fc.assert(
    fc.property(anySection, anySection, (inherited, own) => {
      const document = mergeUpdate(withInherited(undefined, inherited, BEFORE), { desired: own }, STAMP);
      const effective = mergeLayers(document.inherited, document.desired) ?? {};
      expect(effective).toEqual(mergePatch(inherited, own));
      const layer = (name: 'inherited' | 'desired') => {
        const value = document[name];
        return value === undefined ? undefined : { value, stamps: document.stamps[name] ?? {} };
      };
      const stamps = mergeStamps(layer('inherited'), layer('desired')) ?? {};
      expect(fits(effective, stamps)).toBe(true);
      const owned = new Set(leavesOf(document.stamps.desired ?? {}).map(([at]) => at));
      for (const [at, stamp] of leavesOf(stamps)) expect(stamp).toEqual(owned.has(at) ? [5, 2] : [1, 1]);
    }),
  );
});

test('another inherited layer leaves the others alone', () => {
  const document = withInherited(documentWith({ a: 1 }, { a: 2 }), { b: 1, c: 2 }, BEFORE);
  const after = withInherited(document, { b: 1, c: 3 }, STAMP);
  expect(after).toMatchObject({ desired: { a: 1 }, reported: { a: 2 }, inherited: { b: 1, c: 3 }, version: 2 });
  expect(after.stamps.inherited).toEqual({ b: [1, 1], c: [5, 2] });
  expect(withInherited(after, undefined, STAMP)).toMatchObject({ inherited: undefined, desired: { a: 1 } });
});
