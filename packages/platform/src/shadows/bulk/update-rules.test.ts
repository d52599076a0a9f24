import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json, JsonObject, ShadowDocument } from '../shadow-document.ts';
import { mergeUpdate } from '../shadow-merge.ts';
import { desiredRule, hasAlready, inheritRule } from './update-rules.ts';

const { object } = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom<Json>(null, 1, 2, 'x', [1], [2, 1]), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'toString'), tie('value'), { maxKeys: 3, noNullPrototype: true }),
}));
const CONTEXT = { nowMs: 5_000, nextVersion: 2 };

function made(desired: JsonObject): ShadowDocument {
  return mergeUpdate(undefined, { desired }, { nowMs: 1_000, version: 1 });
}

describe('an update of many', () => {
  test('leaves a shadow alone exactly where the merge would change nothing', () => {
    fc.assert(
      fc.property(object, object, (first, patch) => {
        const before = made(first);
        const after = mergeUpdate(before, { desired: patch }, { nowMs: 2_000, version: 2 });
        const isSame = JSON.stringify(sorted(after.desired ?? {})) === JSON.stringify(sorted(before.desired ?? {}));
        expect(hasAlready(before.desired ?? {}, patch)).toBe(isSame);
        expect(desiredRule(patch)(before, CONTEXT).kind).toBe(isSame ? 'unchanged' : 'put');
      }),
    );
  });

  test('makes a shadow where there is none, but not to take something away', () => {
    expect(desiredRule({ a: 1 })(undefined, CONTEXT)).toMatchObject({ kind: 'put', document: { desired: { a: 1 } } });
    expect(desiredRule({ a: null })(undefined, CONTEXT)).toEqual({ kind: 'unchanged' });
  });
});

describe('what is inherited', () => {
  const rule = (inherited: JsonObject | undefined, fault?: string) => inheritRule(() => ({ inherited, fault }));

  test('is written once, and taken away again', () => {
    const first = rule({ a: 1 })(made({ own: 1 }), CONTEXT);
    expect(first).toMatchObject({ kind: 'put', document: { desired: { own: 1 }, inherited: { a: 1 } }, written: {} });
    if (first.kind !== 'put') throw new Error('not put');
    expect(rule({ a: 1 })(first.document, CONTEXT)).toEqual({ kind: 'unchanged' });
    const last = rule(undefined)(first.document, CONTEXT);
    expect(last.kind === 'put' ? last.document.inherited : 'nothing was written').toBeUndefined();
  });

  test('makes a shadow that never was, and none that was deleted', () => {
    expect(rule({ a: 1 })(undefined, { nowMs: 1, nextVersion: 1 })).toMatchObject({
      kind: 'put',
      document: { inherited: { a: 1 } },
    });
    expect(rule({ a: 1 })(undefined, { nowMs: 1, nextVersion: 4 })).toEqual({ kind: 'unchanged' });
    expect(rule(undefined)(undefined, { nowMs: 1, nextVersion: 1 })).toEqual({ kind: 'unchanged' });
  });

  test('is refused where it does not fit', () => {
    expect(rule({ a: 1 }, 'too much')(made({}), CONTEXT)).toEqual({
      kind: 'refused',
      fault: { code: 400, message: 'too much', reason: 'schema' },
    });
  });
});

function sorted(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}
