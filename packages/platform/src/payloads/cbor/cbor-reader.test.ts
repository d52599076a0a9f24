import { Buffer } from 'node:buffer';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../payloads.fixture.ts';
import { readCbor } from './cbor-reader.ts';
import { CborTime } from './cbor-value.ts';

const read = (bytes: Uint8Array): unknown => readCbor(bytes, 0, bytes.length);
function fault(text: string): string {
  try {
    read(hex(text));
  } catch (error) {
    if (error instanceof PayloadError) return error.message;
    throw error;
  }
  return 'none';
}

describe('RFC 8949, appendix A', () => {
  test.each<[string, unknown]>([
    ['00', 0], ['01', 1], ['0a', 10], ['17', 23], ['1818', 24], ['1903e8', 1000], ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000], ['1bffffffffffffffff', 2 ** 64],
    ['c249010000000000000000', 18_446_744_073_709_551_616], ['3bffffffffffffffff', -18_446_744_073_709_551_616],
    ['c349010000000000000000', -(2 ** 64)], ['20', -1], ['3863', -100], ['3903e7', -1000],
    ['f90000', 0], ['f98000', -0], ['f93c00', 1], ['fb3ff199999999999a', 1.1], ['f93e00', 1.5], ['f97bff', 65_504],
    ['fa47c35000', 100_000], ['fa7f7fffff', 3.4028234663852886e38], ['fb7e37e43c8800759c', 1e300], ['f90001', 5.960464477539063e-8],
    ['f90400', 0.00006103515625], ['f9c400', -4], ['fbc010666666666666', -4.1], ['f97c00', Infinity], ['f97e00', Number.NaN],
    ['f9fc00', -Infinity], ['fa7fc00000', Number.NaN], ['fbfff0000000000000', -Infinity], ['f4', false], ['f5', true], ['f6', null],
    ['f7', null], ['c11a514b67b0', new CborTime(1_363_896_240_000)], ['c1fb41d452d9ec200000', new CborTime(1_363_896_240_500)],
    ['c074323031332d30332d32315432303a30343a30305a', new CborTime(1_363_896_240_000)], ['60', ''], ['6161', 'a'], ['6449455446', 'IETF'],
    ['62225c', '"\\'], ['62c3bc', 'ü'], ['63e6b0b4', '水'], ['64f0908591', '𐅑'], ['80', []], ['83010203', [1, 2, 3]],
    ['8301820203820405', [1, [2, 3], [4, 5]]], ['a0', new Map()], ['a201020304', new Map([[1, 2], [3, 4]])],
    ['a26161016162820203', new Map<string, unknown>([['a', 1], ['b', [2, 3]]])], ['826161a161626163', ['a', new Map([['b', 'c']])]],
    ['7f657374726561646d696e67ff', 'streaming'], ['9fff', []], ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', new Map<string, unknown>([['a', 1], ['b', [2, 3]]])], ['c48221196ab3', 273.15], ['c5822003', 1.5],
  ])('%s', (text, value) => {
    expect(read(hex(text))).toEqual(value);
  }); // prettier-ignore

  test('bytes, of a length or in chunks', () => {
    expect(Buffer.from(read(hex('4401020304')) as Uint8Array).toString('hex')).toBe('01020304');
    expect(Buffer.from(read(hex('5f42010243030405ff')) as Uint8Array).toString('hex')).toBe('0102030405');
  });
});

test.each([
  ['', 'The CBOR stops too early, at byte 0.'],
  ['0000', 'The CBOR goes on after its end, at byte 1.'],
  ['1c', 'The CBOR is not well-formed, at byte 0.'],
  ['ff', /^The CBOR has a simple value/],
  ['9bffffffffffffffff', 'The CBOR stops too early, at byte 9.'],
  ['bbffffffffffffffff', 'The CBOR stops too early, at byte 9.'],
  ['7bffffffffffffffff', 'The CBOR stops too early, at byte 9.'],
  ['5f4101', /stops too early/],
  ['5f6101ff', /not well-formed/],
  ['61ff', /not UTF-8/],
  ['a2616101616102', 'A key of a CBOR map stands there twice, at byte 4.'],
  ['a1f401', /neither a text nor a number/],
  ['f818', /simple value/],
  ['c1f4', /no number/],
  ['c06161', /no date and time/],
  ['81'.repeat(17) + '00', 'The CBOR is nested too deep, at byte 17.'],
  ['81'.repeat(100_000), /nested too deep/],
])('%.40s is refused, and told where', (text, message) => {
  expect(fault(text)).toMatch(message instanceof RegExp ? message : new RegExp(`^${message.replaceAll('.', '\\.')}$`));
});

test('whatever cborg writes is read as it was', () => {
  const scalar = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    // One that is a float of 32 bits too is read as the shortest decimal of those that are.
    fc.double({ noNaN: true }).filter((number) => Math.fround(number) !== number && !Object.is(number, -0)),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.constant(null),
  );
  const value = fc.letrec((tie) => ({
    node: fc.oneof({ depthSize: 'small', maxDepth: 6 }, scalar, fc.array(tie('node'), { maxLength: 6 }), tie('map')),
    map: fc.uniqueArray(fc.tuple(fc.string({ maxLength: 8 }), tie('node')), { selector: ([key]) => key, maxLength: 6 }).map((entries) => new Map(entries)), // prettier-ignore
  })).node;
  fc.assert(
    fc.property(value, (written) => {
      expect(read(encode(written))).toEqual(written);
    }),
    { numRuns: 2000 },
  );
});

test('bytes of any kind give a value or say where they are wrong, and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(PayloadError);
      }
    }),
    { numRuns: 20_000 },
  );
});

test('every truncation of a message is refused', () => {
  const bytes = encode({ ts: 1, values: { a: 1.5, b: 'text', c: [1, 2, { d: -5 }] } });
  for (let end = 0; end < bytes.length; end++) expect(() => readCbor(bytes, 0, end)).toThrow(PayloadError);
});
