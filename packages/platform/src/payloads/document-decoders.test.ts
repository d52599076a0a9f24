import { gzipSync, deflateSync, zstdCompressSync } from 'node:zlib';
import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchDecoder } from './batch-decoder.ts';
import { decoderOfCodec } from './make-decoder.ts';
import { CborDecoder, JsonDecoder, ThingsBoardDecoder } from './document-decoders.ts';
import { UnpackingDecoder } from './compression.ts';
import { ARRIVAL, decode, hex, refusal } from './payloads.fixture.ts';
import { MAX_MESSAGE_POINTS } from './sample-sheet.ts';

const cbor = new CborDecoder([]);
const json = new JsonDecoder();

describe('CBOR is read as the platform’s JSON is', () => {
  test('samples of every form', () => {
    expect(decode(cbor, encode({ a: 1.5, b: true, c: 'x', d: null }))).toEqual([['arrival', { a: 1.5, b: true, c: 'x' }]]);
    expect(decode(cbor, encode([{ ts: 5.9, a: 1 }, { ts: 6, values: { a: 2 } }]))).toEqual([[5, { a: 1 }], [6, { a: 2 }]]); // prettier-ignore
    // {"ts": 1(1700000000.5), "a": 2}
    expect(decode(cbor, hex('a2 627473 c1fb41d954fc40200000 6161 02'))).toEqual([[1_700_000_000_500, { a: 2 }]]);
    // {1: 2}: a whole number as the name
    expect(decode(cbor, hex('a10102'))).toEqual([['arrival', { 1: 2 }]]);
  });

  test('whatever is JSON of telemetry gives the same, and what is none is refused', () => {
    const value = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 4 }), fc.constant(null), fc.constant([]), fc.constant({}), fc.constant('x'.repeat(1025))); // prettier-ignore
    const name = fc.constantFrom('a', 'b', '', 'ts', 'values', 'x'.repeat(129), 'é\u0007');
    const fields = fc.dictionary(name, value, { maxKeys: 4 });
    const sample = fc.oneof(
      fields,
      fc.record({ ts: fc.constantFrom(0, 5.5, -1, ARRIVAL + 9e7, 'x'), values: fields }, { requiredKeys: ['values'] }),
    );
    const document = fc.oneof(sample, fc.array(sample, { maxLength: 3 }), value);
    fc.assert(
      fc.property(document, (written) => {
        const text = JSON.stringify(written);
        const reason = refusal(json, text);
        const found = refusal(cbor, encode(written));
        // Of several faults either may be found first.
        expect([found === undefined, text]).toEqual([reason === undefined, text]);
        if (reason === undefined) expect(decode(cbor, encode(written))).toEqual(decode(json, text));
      }),
      { numRuns: 3000 },
    );
  });

  test('NaN is no value, infinity and bytes are none that a metric can have', () => {
    expect(decode(cbor, hex('a2 6161 f97e00 6162 01'))).toEqual([['arrival', { b: 1 }]]);
    expect(refusal(cbor, hex('a1 6161 f97c00'))).toBe('malformed: The value of "a" is too large for a number.');
    expect(refusal(cbor, hex('a1 6161 4101'))).toBe('malformed: The value of "a" is a string of bytes, which no metric can be.');
  });
});

describe('what is compressed', () => {
  const auto = new UnpackingDecoder('auto', json);
  const text = Buffer.from('[{"ts":1,"a":1},{"ts":2,"a":2}]');

  test.each([
    ['gzip', gzipSync(text)],
    ['zlib', deflateSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['none', text],
  ] as const)('%s is told from its first bytes, and read where it is declared', (kind, packed) => {
    const expected = decode(json, text);
    expect(decode(auto, packed)).toEqual(expected);
    expect(decode(new UnpackingDecoder(kind, json), packed)).toEqual(expected);
    expect(decode(decoderOfCodec('json', new Map(), { metrics: [] }), packed)).toEqual(expected);
  });

  test('each level of zlib and each format is told apart from JSON and CBOR', () => {
    for (let level = 0; level <= 9; level++) expect(decode(auto, deflateSync(text, { level }))).toEqual(decode(json, text));
    const any = decoderOfCodec('cbor', new Map(), { metrics: [] });
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: fc.constantFrom('a', 'é', '水', '8', ' ', '('), minLength: 1, maxLength: 5 }),
          fc.integer(),
          { minKeys: 1, maxKeys: 30 },
        ),
        (sample) => {
          expect(refusal(any, encode(sample))).toBeUndefined();
        },
      ),
    );
  });

  test.each([
    ['gzip', gzipSync(Buffer.alloc(50_000_000))],
    ['zlib', deflateSync(Buffer.alloc(50_000_000))],
    ['zstd', zstdCompressSync(Buffer.alloc(50_000_000))],
  ] as const)('a bomb of %s is refused by what it would become', (kind, bomb) => {
    expect(refusal(new UnpackingDecoder(kind, json), bomb)).toMatch(
      /^too-large: The message is larger than (1048576 bytes|100 times its size) when it is unpacked\.$/,
    );
  });

  test('what is none is refused, and so is one that is cut off', () => {
    for (const [kind, packed] of [
      ['gzip', gzipSync(text)],
      ['zlib', deflateSync(text)],
      ['zstd', zstdCompressSync(text)],
    ] as const) {
      // prettier-ignore
      const decoder = new UnpackingDecoder(kind, json);
      expect(refusal(decoder, text)).toMatch(new RegExp(`^malformed: The message is no ${kind}: `));
      for (let end = 0; end < packed.length; end++) expect(refusal(decoder, packed.subarray(0, end))).toMatch(/^malformed: /);
    }
  });
});

describe('batches', () => {
  const batch = new BatchDecoder([{ metric: 'temperature', unit: '°C', type: 'number' }], { metric: 'temperature' });

  test('the last value is of the arrival, or the first one of ts', () => {
    expect(decode(batch, '{"values":[21.5,null,21.8],"interval":60}')).toEqual([
      [ARRIVAL - 120_000, { temperature: 21.5 }],
      [ARRIVAL, { temperature: 21.8 }],
    ]);
    expect(decode(batch, '{"values":[70.7,77],"interval":0.5,"ts":1000,"unit":"°F"}')).toEqual([
      [1000, { temperature: 21.5 }],
      [1500, { temperature: 25 }],
    ]);
    expect(decode(new BatchDecoder([]), '{"values":[true],"interval":1}')).toEqual([[ARRIVAL, { value: true }]]);
  });

  test('of several metrics, by rows or by columns', () => {
    const expected = [
      [ARRIVAL - 1000, { a: 1, b: 'x' }],
      [ARRIVAL, { a: 2 }],
    ];
    expect(decode(batch, '{"values":[{"a":1,"b":"x"},{"a":2}],"interval":1}')).toEqual(expected);
    expect(decode(batch, '{"values":{"a":[1,2],"b":["x",null]},"interval":1}')).toEqual(expected);
    expect(decode(batch, '{"metric":"m","values":[1],"interval":1}')).toEqual([[ARRIVAL, { m: 1 }]]);
  });

  test.each([
    ['[]', 'malformed: The batch is no JSON object.'],
    ['{"values":[1]}', 'malformed: "interval" of a batch must be the seconds from one value to the next, more than 0 and at most 1e9.'],
    ['{"values":[1],"interval":0}', 'malformed: "interval" of a batch must be the seconds from one value to the next, more than 0 and at most 1e9.'],
    ['{"values":[1],"interval":1e9,"ts":0}', undefined],
    ['{"values":[1],"interval":1e308,"ts":0}', /^malformed: "interval"/],
    ['{"values":[1,2,3],"interval":1e9}', 'bad-time: "ts" is negative in value 0.'],
    ['{"values":[1,2,3],"interval":1e9,"ts":0}', /^bad-time: "ts" is 2000000000000 ms, which is more than 24 hours/],
    ['{"values":[1,2],"interval":86401,"ts":1790000000000}', /^bad-time: .* in value 1\.$/],
    ['{"values":[],"interval":1}', 'malformed: The batch has no value.'],
    ['{"values":{},"interval":1}', 'malformed: "values" of a batch must be an array or an object of arrays, not an object.'],
    ['{"values":{"a":[1],"b":[1,2]},"interval":1}', 'malformed: "b" has 2 values, where others have 1.'],
    ['{"values":{"a":1},"interval":1}', 'malformed: The values of "a" are no array.'],
    ['{"values":[[1]],"interval":1}', 'malformed: The value of "temperature" is an array, which no metric can be in value 0.'],
    ['{"values":[1],"interval":1,"more":1}', 'malformed: A batch has no field "more".'],
    ['{"metric":"a","values":{"a":[1]},"interval":1}', 'malformed: "metric" stands beside "values" that have names of their own.'],
    [`{"values":[${'1,'.repeat(10_000)}1],"interval":1,"ts":1}`, 'too-large: The message has more than 10000 samples.'],
  ])('%.60s', (text, reason) => {
    if (reason instanceof RegExp) expect(refusal(batch, text)).toMatch(reason);
    else expect(refusal(batch, text)).toBe(reason);
  }); // prettier-ignore
});

describe('ThingsBoard', () => {
  const board = new ThingsBoardDecoder([]);

  test('the forms of its device API', () => {
    expect(decode(board, '{"key1":"value1","key2":true,"key3":3.0}')).toEqual([
      ['arrival', { key1: 'value1', key2: true, key3: 3 }],
    ]);
    expect(decode(board, '[{"key1":1},{"key2":2}]')).toEqual([['arrival', { key1: 1 }], ['arrival', { key2: 2 }]]); // prettier-ignore
    expect(decode(board, '{"ts":1451649600512,"values":{"key1":"value1","key2":"value2"}}')).toEqual([
      [1_451_649_600_512, { key1: 'value1', key2: 'value2' }],
    ]);
  });

  test('values that are JSON themselves are kept as its text', () => {
    expect(decode(board, '{"key4":{"someNumber":42,"someArray":[1,2,3]},"list":[]}')).toEqual([
      ['arrival', { key4: '{"someNumber":42,"someArray":[1,2,3]}', list: '[]' }],
    ]);
    expect(decode(board, '{"ts":1,"metadata":{"x":1},"values":{"a":1}}')).toEqual([[1, { a: 1 }]]);
    expect(refusal(board, `{"a":${JSON.stringify({ b: 'x'.repeat(1024) })}}`)).toMatch(/^too-large: The text of "a" is longer/);
    expect(refusal(board, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`)).toMatch(/^malformed: .* nested deeper/);
  });
});

test('a message has no more values than the largest of JSON, whatever it is packed into', () => {
  const columns = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`m${index}`, Array<number>(10_000).fill(1)]));
  const text = JSON.stringify({ values: columns, interval: 1, ts: 1 });
  expect(refusal(new BatchDecoder([]), text)).toBe(`too-large: The message has more than ${MAX_MESSAGE_POINTS} values.`);
  const wide = Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`m${index}`, 1]));
  expect(refusal(cbor, encode(wide))).toBe('too-many-metrics: A sample has more than 256 metrics.');
});

test('a codec that nobody knows refuses everything, and says so', () => {
  expect(refusal(decoderOfCodec('modbus', new Map(), { metrics: [] }), '{"a":1}')).toBe(
    'malformed: The codec of the device type is "modbus", and there is no decoder of this name.',
  );
});

test('bytes of any kind are samples or a reason, for every codec that is built in', () => {
  for (const codec of ['json', 'cbor', 'senml', 'senml-json', 'senml-cbor', 'batch', 'thingsboard']) {
    const decoder = decoderOfCodec(codec, new Map(), { metrics: [{ metric: 'a', unit: '°C', type: 'number' }] });
    const start = fc.constantFrom('', '1f8b08', '28b52ffd', '789c', '7801', '5b', '7b', 'a1', '81');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 60 }), (magic, rest) => {
        try {
          decode(decoder, Buffer.concat([hex(magic), rest]));
        } catch (error) {
          expect(error).toBeInstanceOf(PayloadError);
        }
      }),
      { numRuns: 1500 },
    );
  }
});
