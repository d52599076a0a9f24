import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARRIVAL, decode, decodeWithUnits, hex, refusal } from '../payloads.fixture.ts';
import { PackedDecoder, type PackedOptions } from './packed-decoder.ts';
import { parseLayout } from './packed-layout.ts';

const packed = (options: PackedOptions): PackedDecoder => new PackedDecoder([], options);

test('>Qfff: a time and three floats, as the decimals that they stand for', () => {
  const decoder = packed({ layout: '>Qfff', fields: ['ts', 'temperature', 'humidity', 'pressure'] });
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(BigInt(ARRIVAL - 1000));
  bytes.writeFloatBE(23.51, 8);
  bytes.writeFloatBE(40.1, 12);
  bytes.writeFloatBE(1013.25, 16);
  expect(decode(decoder, bytes)).toEqual([[ARRIVAL - 1000, { temperature: 23.51, humidity: 40.1, pressure: 1013.25 }]]);
  expect(refusal(decoder, bytes.subarray(0, 19))).toBe('malformed: The message has 19 bytes, and the layout 20.');
  expect(refusal(decoder, Buffer.concat([bytes, bytes]))).toBe('malformed: The message has 40 bytes, and the layout 20.');
  bytes.writeBigUInt64BE(BigInt(ARRIVAL + 90_000_000));
  expect(refusal(decoder, bytes)).toMatch(/^bad-time: .* more than 24 hours in the future\.$/);
  bytes.fill(0xff, 0, 8);
  expect(refusal(decoder, bytes)).toMatch(/^bad-time/);
});

test('every item, in both orders of bytes', () => {
  // struct.pack('>bBhHiIqQ?efd', -1, 255, -2, 65534, -3, 4294967293, -4, 5, True, 1.5, 2.5, 3.1)
  const big = hex('ff ff fffe fffe fffffffd fffffffd fffffffffffffffc 0000000000000005 01 3e00 40200000 4008cccccccccccd');
  // struct.pack('<bBhHiIqQ?efd', ...)
  const little = hex('ff ff feff feff fdffffff fdffffff fcffffffffffffff 0500000000000000 01 003e 00002040 cdcccccccccc0840');
  const values = [-1, 255, -2, 65_534, -3, 4_294_967_293, -4, 5, true, 1.5, 2.5, 3.1];
  const fields = values.map((_, index) => `m${index}`);
  const expected = [['arrival', Object.fromEntries(values.map((value, index) => [`m${index}`, value]))]];
  expect(decode(packed({ layout: '>bBhHiIqQ?efd', fields }), big)).toEqual(expected);
  expect(decode(packed({ layout: '!bBhHlLqQ?efd', fields }), big)).toEqual(expected);
  expect(decode(packed({ layout: '<bB hH iI qQ ? e f d', fields }), little)).toEqual(expected);
});

test('a count repeats an item, x is passed over, s is text without its zeros', () => {
  const decoder = packed({ layout: '>x2Bx3h8s', fields: ['a', 'b', '-', 'c', 'd', 'name'] });
  expect(decode(decoder, hex('ff 01 02 ff 0003 0004 0005 7075 6d70 0000 0000'))).toEqual([
    ['arrival', { a: 1, b: 2, c: 4, d: 5, name: 'pump' }],
  ]);
  expect(refusal(decoder, hex('ff 01 02 ff 0003 0004 0005 ff75 6d70 0000 0000'))).toBe(
    'malformed: The text of "name" is not UTF-8.',
  );
});

test('scale, offset, raw values that mean nothing, bits, and the unit of the type', () => {
  const decoder = new PackedDecoder(
    [
      { metric: 'battery', unit: 'V', type: 'number' },
      { metric: 'outside', unit: '°C', type: 'number' },
    ],
    {
      layout: '>hHBB',
      fields: [
        { metric: 'outside', scale: 0.01, unit: 'K', offset: 273.15, absent: [-32_768] },
        { metric: 'battery', unit: 'mV' },
        {
          bits: [
            { metric: 'door', at: 0 },
            { metric: 'alarm', at: 7 },
            { metric: 'mode', at: 1, width: 3 },
            { metric: 'level', at: 4, width: 2, scale: 25 },
          ],
        },
        { metric: 'wind', scale: 0.3, unit: 'Beaufort' },
      ],
    },
  );
  expect(decode(decoder, hex('092f 0ce4 a7 07'))).toEqual([
    ['arrival', { outside: 23.51, battery: 3.3, door: true, alarm: true, mode: 3, level: 50, wind: 2.1 }],
  ]);
  expect(decode(decoder, hex('8000 0ce4 00 07'))[0]?.[1]).not.toHaveProperty('outside');
});

test('several records in one message, each with a time of its own unit', () => {
  const decoder = packed({ layout: '<If', fields: ['ts', 'v'], time: 's', repeat: true });
  const bytes = Buffer.alloc(24);
  [0, 1, 2].forEach((index) => {
    bytes.writeUInt32LE(1_700_000_000 + index, index * 8);
    bytes.writeFloatLE(index + 0.1, index * 8 + 4);
  });
  expect(decode(decoder, bytes)).toEqual([
    [1_700_000_000_000, { v: 0.1 }],
    [1_700_000_001_000, { v: 1.1 }],
    [1_700_000_002_000, { v: 2.1 }],
  ]);
  expect(refusal(decoder, new Uint8Array())).toBe('malformed: The message has 0 bytes, and the layout a multiple of 8.');
  expect(refusal(packed({ layout: '>B', fields: ['v'], repeat: true }), new Uint8Array(10_001))).toBe(
    'too-large: The message has more than 10000 samples.',
  );
});

test('NaN is no value, and infinity is no number', () => {
  const decoder = packed({ layout: '>fd', fields: ['a', 'b'] });
  expect(decode(decoder, hex('7fc00000 3ff0000000000000'))).toEqual([['arrival', { b: 1 }]]);
  expect(decode(decoder, hex('7fc00000 7ff8000000000000'))).toEqual([]);
  expect(refusal(decoder, hex('7f800000 3ff0000000000000'))).toBe('malformed: The value of "a" is too large for a number.');
});

describe('a definition that is wrong is refused, and says where', () => {
  test.each<[string, readonly (string | object)[], RegExp]>([
    ['Qf', ['ts', 'a'], /begins with > /],
    ['', ['a'], /begins with > /],
    ['>z', ['a'], /no "z"/],
    ['>3', ['a'], /does not end with a number/],
    ['>x', [], /no item/],
    ['>99999999B', ['a'], /more than a message/],
    ['>300B', ['a'], /fewer than 256 items/],
    ['>65000s65000s', ['a', 'b'], /at most 65536 bytes/],
    ['>BB', ['a'], /has 2 items, and there are 1 fields/],
    ['>BB', ['a', 'a'], /"a" stands twice/],
    ['>B', ['-'], /no field is a metric/],
    ['>B', ['ts'], /no field is a metric/],
    ['>B', [''], /empty/],
    ['>B', ['__proto__'], /__proto__/],
    ['>4s', [{ metric: 'a', scale: 2 }], /no number/],
    ['>f', [{ bits: [{ metric: 'a', at: 0 }] }], /whole number of at most 4 bytes/],
    ['>B', [{ bits: [{ metric: 'a', at: 8 }] }], /not within 8 bits/],
    ['>B', [{ bits: [] }], /empty list/],
    ['>B', [{}], /either a metric or bits/],
    ['>B', [{ metric: 'a', scale: Number.NaN }], /finite/],
    ['>BB', [{ metric: 'ts', scale: 2 }, 'a'], /ts is a number, without/],
  ])('%s %j', (layout, fields, message) => {
    expect(() => packed({ layout, fields })).toThrow(
      expect.objectContaining({ code: 'request.invalid', message: expect.stringMatching(message) }),
    );
  });
});

test('units that nobody knows are kept and told of', () => {
  const decoder = new PackedDecoder([{ metric: 'a', unit: '°C', type: 'number' }], {
    layout: '>B',
    fields: [{ metric: 'a', unit: 'Beaufort' }],
  });
  expect(decodeWithUnits(decoder, hex('05'))).toEqual({ samples: [['arrival', { a: 5 }]], kept: ['a Beaufort'] });
});

test('bytes of any kind are samples or a reason, and layouts of any kind are layouts or refused', () => {
  const decoder = packed({ layout: '>QfdeIb4s?', fields: ['ts', 'a', 'b', 'c', 'd', 'e', 'f', 'g'] });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 30, maxLength: 34 }), (bytes) => {
      try {
        decode(decoder, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(PayloadError);
      }
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from('<>!=@ xbBhHiIlLqQefds?0123456789z')) }), (layout) => {
      try {
        expect(parseLayout(layout).items.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 'request.invalid' });
      }
    }),
    { numRuns: 5000 },
  );
});
