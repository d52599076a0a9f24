import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARRIVAL, decode, decodeWithUnits, hex, refusal } from '../payloads.fixture.ts';
import { SenmlDecoder } from './senml-decoder.ts';

const senml = new SenmlDecoder([]);
const local = new SenmlDecoder([], { names: 'local' });
const json = (pack: unknown): string => JSON.stringify(pack);

describe('the examples of RFC 8428', () => {
  test('5.1.1: a single datapoint', () => {
    expect(decode(senml, '[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]')).toEqual([
      ['arrival', { 'urn:dev:ow:10e2073a01080063': 23.1 }],
    ]);
  });

  test('5.1.2: several datapoints, with times before now', () => {
    const pack = [
      { bn: 'urn:dev:ow:10e2073a0108006:', bt: 1.276020076001e9, bu: 'A', bver: 5, n: 'voltage', u: 'V', v: 120.1 },
      { n: 'current', t: -5, v: 1.2 },
      { n: 'current', t: -4, v: 1.3 },
      { n: 'current', v: 1.7 },
    ];
    expect(decode(local, json(pack))).toEqual([
      [1_276_020_076_001, { voltage: 120.1 }],
      [1_276_020_071_001, { current: 1.2 }],
      [1_276_020_072_001, { current: 1.3 }],
      [1_276_020_076_001, { current: 1.7 }],
    ]);
  });

  test('5.1.3: one thing measured in several units, each kept apart from the others', () => {
    const pack = [
      { bn: 'urn:dev:ow:10e2073a01080063', bt: 1.320067464e9, bu: '%RH', v: 20 },
      { u: 'lon', v: 24.30621 },
      { u: 'lat', v: 60.07965 },
      { t: 60, v: 20.3 },
      { u: 'lon', t: 60, v: 24.30622 },
      { u: '%EL', t: 150, v: 98 },
    ];
    const name = 'urn:dev:ow:10e2073a01080063';
    expect(decode(senml, json(pack))).toEqual([
      [1_320_067_464_000, { [name]: 20, [`${name}.lon`]: 24.30621, [`${name}.lat`]: 60.07965 }],
      [1_320_067_524_000, { [name]: 20.3, [`${name}.lon`]: 24.30622 }],
      [1_320_067_614_000, { [`${name}.%EL`]: 98 }],
    ]);
  });

  test('5.1.5: strings, booleans and data', () => {
    const pack = [
      { bn: 'urn:dev:ow:10e2073a01080063:', n: 'temp', u: 'Cel', v: 23.1 },
      { n: 'label', vs: 'Machine Room' },
      { n: 'open', vb: false },
      { n: 'nfc-reader', vd: 'aGkgCg' },
    ];
    expect(decode(local, json(pack))).toEqual([
      ['arrival', { temp: 23.1, label: 'Machine Room', open: false, 'nfc-reader': 'aGkgCg' }],
    ]);
  });

  test('6: the pack of 5.1.2 in CBOR, byte for byte', () => {
    const bytes = hex(`
      87 a7 21 78 1b 75726e3a6465763a6f773a31306532303733613031303830303 63a 22 fb 41d303a15b001062 23 61 41 20 05 00 67
      766f6c74616765 01 61 56 02 fb 405e066666666666
      a3 00 67 63757272656e74 06 24 02 fb 3ff3333333333333
      a3 00 67 63757272656e74 06 23 02 fb 3ff4cccccccccccd
      a3 00 67 63757272656e74 06 22 02 fb 3ff6666666666666
      a3 00 67 63757272656e74 06 21 02 f9 3e00
      a3 00 67 63757272656e74 06 20 02 fb 3ff999999999999a
      a3 00 67 63757272656e74 06 00 02 fb 3ffb333333333333`);
    expect(decode(local, bytes)).toEqual([
      [1_276_020_076_001, { voltage: 120.1 }],
      [1_276_020_071_001, { current: 1.2 }],
      [1_276_020_072_001, { current: 1.3 }],
      [1_276_020_073_001, { current: 1.4 }],
      [1_276_020_074_001, { current: 1.5 }],
      [1_276_020_075_001, { current: 1.6 }],
      [1_276_020_076_001, { current: 1.7 }],
    ]);
  });
});

test('times below 2^28 are relative to the arrival, and 0 is now (section 4.5.3)', () => {
  expect(decode(senml, '[{"n":"a","t":-2.5,"v":1},{"n":"b","t":3600,"v":2},{"n":"c","v":3}]')).toEqual([
    [ARRIVAL - 2500, { a: 1 }],
    [ARRIVAL + 3_600_000, { b: 2 }],
    ['arrival', { c: 3 }],
  ]);
  expect(refusal(senml, '[{"n":"a","t":268435455,"v":1}]')).toMatch(/^bad-time: /);
  expect(decode(senml, '[{"n":"a","t":268435456,"v":1}]')).toEqual([[268_435_456_000, { a: 1 }]]);
});

test('base values and sums are added, until they are said anew (section 4.5.4)', () => {
  const pack = [
    { bn: 'x:', bv: 100, bs: 10, n: 'a', v: 1, s: 2 },
    { n: 'b', v: 2 },
    { n: 'c', s: 5 },
    { bn: 'y:', bv: 0, n: 'd', v: 3, s: 0 },
    { n: 'e', vb: true },
  ];
  expect(decode(senml, json(pack))).toEqual([
    ['arrival', { 'x:a': 101, 'x:a.sum': 12, 'x:b': 102, 'x:b.sum': 10, 'x:c.sum': 15, 'y:d': 3, 'y:d.sum': 10, 'y:e': true }],
  ]);
});

test('a record may have nothing but base values', () => {
  expect(decode(senml, '[{"bn":"urn:x:","bt":1320067464},{"n":"a","v":1}]')).toEqual([[1_320_067_464_000, { 'urn:x:a': 1 }]]);
});

test('values come in the units of the type, and stay as they are where there is no way', () => {
  const typed = new SenmlDecoder(
    [
      { metric: 't', unit: '°C', type: 'number' },
      { metric: 'h', unit: '%', type: 'number' },
      { metric: 'p', unit: 'bar', type: 'number' },
      { metric: 'free', type: 'number' },
    ],
    { names: 'local' },
  );
  const pack = [
    { bn: 'urn:x:', bu: 'K', n: 't', v: 294.25 },
    { n: 'h', u: '%RH', v: 40 },
    { n: 'p', u: 'lx', v: 7 },
    { n: 'free', u: 'K', v: 300 },
    { n: 'other', u: 'K', v: 300 },
  ];
  expect(decodeWithUnits(typed, json(pack))).toEqual({
    samples: [['arrival', { t: 21.1, h: 40, p: 7, free: 300, other: 300 }]],
    kept: ['p lx'],
  });
});

test.each([
  ['{}', 'malformed: A SenML pack must be an array of records, not an object.'],
  ['[]', 'malformed: The SenML pack has no record.'],
  ['[1]', 'malformed: A SenML record must be an object, not a number in record 0.'],
  ['[{"n":"a"}]', 'malformed: The SenML record has no value in record 0.'],
  ['[{"n":"a","v":1,"vs":"x"}]', 'malformed: The SenML record has more than one value in record 0.'],
  ['[{"v":1}]', 'malformed: "" is no name of SenML in record 0.'],
  ['[{"n":"-a","v":1}]', 'malformed: "-a" is no name of SenML in record 0.'],
  ['[{"n":"a b","v":1}]', 'malformed: "a b" is no name of SenML in record 0.'],
  ['[{"n":"a","v":"1"}]', 'malformed: The SenML field "v" must be a number, not a text in record 0.'],
  ['[{"n":"a","vb":1}]', 'malformed: The SenML field "vb" must be a boolean, not a number in record 0.'],
  ['[{"n":"a","vd":"a+b="}]', 'malformed: The SenML field "vd" must be base64url without padding, not a text in record 0.'],
  ['[{"n":"a","v":1,"must_":1}]', 'malformed: The SenML field "must_" is not understood in record 0.'],
  ['[{"bver":11,"n":"a","v":1}]', 'malformed: SenML of the version 11 is not known in record 0.'],
  ['[{"n":"a","v":1},{"bver":5,"n":"a","v":1}]', 'malformed: The records of a SenML pack have one version in record 1.'],
  ['[{"n":"a","v":1e999}]', 'malformed: The SenML field "v" is no finite number in record 0.'],
])('%s is refused: %s', (text, reason) => {
  expect(refusal(senml, text)).toBe(reason);
});

test('fields that need not be understood are ignored, and the version of RFC 9100 is known', () => {
  expect(decode(senml, '[{"bver":26,"n":"a","v":1,"ut":60,"http://x.example/a":[[1]]}]')).toEqual([['arrival', { a: 1 }]]);
});

test('bytes of any kind are samples or a reason', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.array(fc.dictionary(fc.constantFrom('bn', 'bt', 'bu', 'bv', 'bs', 'n', 'u', 'v', 'vs', 't', 's'), fc.anything({ maxDepth: 1 }))).map((pack) => new TextEncoder().encode(JSON.stringify(pack))), // prettier-ignore
  );
  fc.assert(
    fc.property(bytes, (payload) => {
      try {
        decode(senml, payload);
      } catch (error) {
        expect(error).toBeInstanceOf(PayloadError);
      }
    }),
    { numRuns: 5000 },
  );
});
