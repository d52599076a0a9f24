import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anySection } from './json.fixture.ts';
import type { ShadowDocument } from './shadow-document.ts';
import { mergeUpdate, withInherited } from './shadow-merge.ts';
import { decodeDocument, encodeDocument, keyOf, pathOf, pathsOf } from './shadow-row.ts';

const rowOf = (document: ShadowDocument) => ({
  path: 'T/',
  version: document.version,
  ...encodeDocument(document),
  created_at_ms: document.createdAtMs,
  updated_at_ms: document.updatedAtMs,
});

test('a document comes back from its row as it was', () => {
  fc.assert(
    fc.property(anySection, anySection, anySection, fc.boolean(), (desired, reported, inherited, replica) => {
      const made = mergeUpdate(
        withInherited(undefined, inherited, { nowMs: 1_000, version: 1 }),
        { desired, reported },
        {
          nowMs: 2_000,
          version: 2,
          replica: replica ? 'edge-1' : undefined,
        },
      );
      const document = replica ? { ...made, clock: { 'edge-1': 3 } } : made;
      expect(decodeDocument(rowOf(document))).toEqual(document);
    }),
  );
});

test('a row that cannot be read is said to be corrupt', () => {
  expect(() => decodeDocument({ path: 'T/', version: 1, state: '{', details: '{}', created_at_ms: 1, updated_at_ms: 1 })).toThrow(
    expect.objectContaining({ code: 'data.corrupt' }),
  );
});

test('paths name a shadow, and those of a device stand together', () => {
  for (const key of [
    { device: 'a:b.c-d_e', shadow: '' },
    { device: 'a', shadow: 'x:y' },
  ])
    expect(keyOf(pathOf(key))).toEqual(key);
  const { first, end } = pathsOf('a');
  for (const path of ['a/', 'a/$x', 'a/zz']) expect(path >= first && path < end).toBe(true);
  for (const path of ['a-b/', 'a.', 'a0/', 'a:/x', 'A/', 'aa/']) expect(path >= first && path < end).toBe(false);
});
