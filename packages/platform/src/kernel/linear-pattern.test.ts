import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LinearPattern } from './linear-pattern.ts';

const PATTERNS = [
  '^[0-9a-f]{8}-[0-9a-f]{4}$',
  '^(?:a|bc)*d?$',
  'x{2,3}y',
  '\\d+\\.\\d{2}',
  '^\\p{Lu}\\p{Ll}+$',
  '[^\\]a-c]',
  '\\bon\\b',
  '^$',
  '',
  'a|',
  '(?<year>\\d{4})',
  '\\u0061\\u{1F600}|\\ud83d\\ude01',
  '^.$',
  '(a*)*b',
  'a+?b{0}',
  '^\\x41[\\w-]*$',
  'a\\Bb',
];

describe('a linear pattern', () => {
  test('finds what the engine of the language finds', () => {
    const text = fc.oneof(
      fc.string({
        unit: fc.constantFrom('a', 'b', 'c', 'd', 'x', 'y', '0', '9', '-', '.', ']', ' ', '\n', 'A', 'É', '😀', '😁'),
        maxLength: 12,
      }),
      fc.constantFrom('0123abcd-00ff', 'abcbcd', 'xxy', '3.14', 'Éa', 'it is on', '2024'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...PATTERNS), text, (source, given) => {
        expect(new LinearPattern(source).test(given)).toBe(new RegExp(source, 'u').test(given));
      }),
      { numRuns: 2000 },
    );
  });

  test('finds what the engine finds for patterns that are put together at random', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '^', '$', '\\b', '(?:ab)', '');
    const { pattern } = fc.letrec<{ pattern: string; group: string }>((tie) => ({
      group: fc
        .tuple(tie('pattern'), fc.constantFrom('', '*', '+', '?', '{0,2}', '{2}', '{1,}'))
        .map(([inner, times]) => `(${inner})${times}`),
      pattern: fc.oneof(
        { maxDepth: 3 },
        atom,
        tie('group'),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => a + b),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `${a}|${b}`),
      ),
    }));
    fc.assert(
      fc.property(pattern, fc.string({ unit: fc.constantFrom('a', 'b', '1', ' '), maxLength: 8 }), (source, given) => {
        expect(new LinearPattern(source).test(given)).toBe(new RegExp(source, 'u').test(given));
      }),
      { numRuns: 2000 },
    );
  });

  test('is not made slow by the texts that are made for that', () => {
    // With the engine of the language each of these takes longer than the universe is old.
    for (const source of ['^(a+)+$', '^(a|a)*$', '^(.*,){20}x$', '(x+x+)+y', '^((a{1,10}){1,5}){1,2}$']) {
      expect(new LinearPattern(source).test(`${'a'.repeat(4000)},${'x'.repeat(4000)}!`)).toBe(false);
    }
  });

  test('has in its groups what the engine of the language has in them', () => {
    const groups = [
      '(a+)(b?)',
      '(a+?)(a*)',
      '(?<x>a|ab)(c|bcd)?',
      '(a)|(b)',
      '(?:x(\\d+))+',
      '(.*)-(.*)',
      '(.*?)-(.*)',
      '(a|ab)(bc|c)',
      '((a)b?)+',
    ];
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'x', '1', '-', '😀'), maxLength: 8 }),
      fc.constantFrom('aab', 'abcd', 'x1x22', 'a-b-c', 'abc'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...groups, ...PATTERNS.slice(0, 9)), text, (source, given) => {
        const found = new RegExp(`^(?:${source})$`, 'u').exec(given);
        const own = new LinearPattern(source).match(given);
        expect(own === undefined).toBe(found === null);
        for (const [i, part] of found?.entries() ?? []) expect(own?.[i]).toBe(part);
      }),
      { numRuns: 2000 },
    );
    expect(new LinearPattern('A.b', 'isu').match('a\nB')).toEqual(['a\nB']);
  });

  test.each([
    ['(?:){999999999}', 'too long'],
    ['(?=a)', 'looks ahead or back'],
    ['(?<!a)b', 'looks ahead or back'],
    ['(a)\\1', 'refers back'],
    ['(?<x>a)\\k<x>', 'refers back'],
    ['a{1000}', 'too long'],
    ['((a{30}){30}){30}', 'too long'],
    ['(', 'no regular expression'],
    ['a'.repeat(1001), 'more than 1000'],
    [`${'('.repeat(60)}${')'.repeat(60)}`, 'more than 50 groups'],
  ])('%s is refused: %s', (source, why) => {
    expect(() => new LinearPattern(source)).toThrow(why);
  });
});
