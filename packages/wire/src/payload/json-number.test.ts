import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonNumber } from './json-number.ts';

const utf8 = new TextEncoder();
const buffer = new Uint8Array(4096);
const out = new Float64Array(1);

/** The value, or undefined where the whole text is no number. */
function parse(text: string): number | undefined {
  const { written } = utf8.encodeInto(`${text},`, buffer);
  return parseJsonNumber(buffer, 0, out, 0) === written - 1 ? out[0] : undefined;
}

function expectLikeJson(text: string): void {
  if (!Object.is(parse(text), JSON.parse(text))) expect({ text, value: parse(text) }).toEqual({ text, value: JSON.parse(text) });
}

/** A quick generator, so that millions of numbers take no time: xorshift32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

describe('a JSON number from bytes', () => {
  it.each([
    '0', '-0', '0.0', '-0.0', '1', '-1', '23.51', '1013.25', '0.1', '0.05', '-0.001', '999999999', '1000000000', '2147483648',
    '99999.9999', '123456789.5', '1700000000000', '9007199254740991', '9007199254740992', '9007199254740993', '9007199254740995',
    '0.30000000000000004', '23.510000228881836', '1e5', '1E5', '1e+5', '1e-5', '1.5e22', '1e22', '1e23', '8.5e-22', '5e-324',
    '2.2250738585072011e-308', '1.7976931348623157e308', '4.9406564584124654e-324', '0.000001', '123456789012345678901234567890',
    '0.00000000000000000000000000012345', '1e-999', '0e999', '-0e5', '0.000000000000000000000000000000000000', '179769313486231570000e288',
    '9007199254740993.0000000000000000001', '9007199254740992.99999', '0.500000000000000166533453693773481063544750213623046875',
  ])('%s is what JSON.parse reads', (text) => {
    expect(parse(text)).toBe(JSON.parse(text));
  }); // prettier-ignore

  it.each([
    '',
    '-',
    '.5',
    '+1',
    '1.',
    '1.e5',
    '-.5',
    '01',
    '-01',
    '00',
    '1e',
    '1e+',
    '1e-',
    '1.5e',
    '0x10',
    'NaN',
    'Infinity',
    '1_000',
    '1e999',
    '-1e999',
    '1.2.3',
    '--1',
    '1-',
    '0123456789012',
    '1e5.5',
    '1e5e5',
    '12345678901.',
  ])('%s is none', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it('is the nearest double for every decimal of up to 20 digits', () => {
    const random = randomFrom(20_261_122);
    for (let i = 0; i < 1_500_000; i++) {
      const digits = 1 + Math.floor(random() * 20);
      let text = '';
      for (let j = 0; j < digits; j++) text += String.fromCharCode(0x30 + Math.floor(random() * 10));
      text = text.replace(/^0+(?=.)/, '');
      const decimals = Math.floor(random() * 24);
      if (decimals > 0) {
        text = text.padStart(decimals + 1, '0');
        text = `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
      }
      expectLikeJson(random() < 0.5 ? text : `-${text}`);
    }
  });

  it('is the same double again for every double as it is printed', () => {
    const random = randomFrom(7);
    for (let i = 0; i < 500_000; i++) {
      const value = (random() - 0.5 + random() * 2 ** -32) * 10 ** Math.floor(random() * 12);
      if (!Object.is(parse(String(value)), value)) expect(parse(String(value))).toBe(value);
    }
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => expectLikeJson(JSON.stringify(value))),
      { numRuns: 20_000 },
    );
  });

  it('rounds to even half way between two doubles, and right beside it', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: -1, max: 1 }), fc.integer({ min: 0, max: 3 }), (value, beside, zeros) => {
        // Between 2^53 and 2^54 doubles are even, so that every odd integer lies half way.
        const half = BigInt(2 ** 53) + BigInt(value) * 2n + 1n;
        expectLikeJson(`${half}`);
        expectLikeJson(`${half * 1000n + BigInt(beside)}e-3`);
        const tenths = `${half * 10n + BigInt(beside)}`;
        expectLikeJson(`${tenths.slice(0, -1)}.${tenths.slice(-1)}${'0'.repeat(zeros)}`);
      }),
      { numRuns: 20_000 },
    );
  });

  it('takes any text of the grammar as JSON.parse does, and no other', () => {
    const character = fc.constantFrom('0', '1', '5', '9', '.', '-', '+', 'e', 'E');
    fc.assert(
      fc.property(fc.string({ unit: character, minLength: 1, maxLength: 12 }), (text) => {
        let expected: number | undefined;
        try {
          const value = JSON.parse(text) as number;
          expected = Number.isFinite(value) ? value : undefined;
        } catch {
          expected = undefined;
        }
        expect(parse(text)).toBe(expected);
      }),
      { numRuns: 50_000 },
    );
  });

  it('reads a number of very many digits', () => {
    expectLikeJson('7'.repeat(300));
    expectLikeJson(`0.${'0'.repeat(1000)}1234`);
    expectLikeJson(`${'1'.repeat(2000)}e-1990`);
    expectLikeJson(`1e-${'9'.repeat(2000)}`);
  });

  it('ends at the end of its memory', () => {
    expect(parseJsonNumber(utf8.encode('12'), 0, out, 0)).toBe(2);
    expect(parseJsonNumber(utf8.encode('-'), 0, out, 0)).toBe(-1);
    expect(parseJsonNumber(utf8.encode('1e'), 0, out, 0)).toBe(-1);
    expect(parseJsonNumber(utf8.encode('1234567890.'), 0, out, 0)).toBe(-1);
  });
});
