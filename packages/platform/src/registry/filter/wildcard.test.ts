import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes } from '../index/natural-key.ts';
import { afterPrefix, isLike, prefixOf } from './wildcard.ts';

test('a pattern matches as the regular expression of the same meaning', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\u{1F600}', 'ü'), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.', '\u{1F600}'), maxLength: 8 });
  fc.assert(
    fc.property(text, pattern, (each, like) => {
      const source = like
        .replaceAll('.', String.raw`\.`)
        .replaceAll('*', '.*')
        .replaceAll('?', '.');
      expect(isLike(each, like)).toBe(new RegExp(`^${source}$`, 'u').test(each));
    }),
    { numRuns: 2000 },
  );
});

test('what begins with a prefix lies before what comes after it, and everything that comes after does not begin so', () => {
  const unit = fc.constantFrom('a', 'z', '~', 'ü', '\u07ff', '\ud7ff', '\ue000', '\uffff', '\u{10ffff}', '\u{1F600}');
  const text = fc.string({ unit, maxLength: 4 });
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1, maxLength: 3 }), text, (prefix, rest) => {
      const end = afterPrefix(prefix);
      if (end === undefined) return;
      expect(compareBytes(prefix + rest, end)).toBe(-1);
      expect(compareBytes(prefix + rest, prefix)).toBeGreaterThanOrEqual(0);
      expect(rest.startsWith(prefix) || compareBytes(rest, prefix) < 0 || compareBytes(rest, end) >= 0).toBe(true);
    }),
    { numRuns: 2000 },
  );
  expect(afterPrefix('')).toBeUndefined();
  expect(afterPrefix('\u{10ffff}')).toBeUndefined();
});

test('the prefix ends where the first wildcard stands', () => {
  expect(['abc', 'ab*c', '?', '*', 'a?*'].map(prefixOf)).toEqual(['abc', 'ab', '', '', 'a']);
});
