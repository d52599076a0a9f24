import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARRIVAL, decode, refusal } from '../payloads.fixture.ts';
import { PathsDecoder, type PathsOptions } from './paths-decoder.ts';

const paths = (options: PathsOptions): PathsDecoder => new PathsDecoder([], options);

test('values from wherever they are, with scale and unit, and the time of the message', () => {
  const decoder = new PathsDecoder([{ metric: 'temperature', unit: '°C', type: 'number' }], {
    time: { path: '$.meta.at', unit: 'iso8601' },
    metrics: [
      { metric: 'temperature', path: '$.object.t', unit: '°F' },
      { metric: 'battery', path: "$['object']['b at']", scale: 0.001 },
      { metric: 'rssi', path: '$.rx[0].rssi' },
      { metric: 'last', path: '$.rx[-1].rssi' },
      { metric: 'state', path: '$.state' },
      { metric: 'absent', path: '$.object.none.of.it' },
      { metric: 'empty', path: '$.empty' },
    ],
  });
  const message = {
    meta: { at: '2026-09-21T12:00:00.5+02:00' },
    object: { t: 70.7, 'b at': 3301 },
    rx: [{ rssi: -60 }, { rssi: -80 }],
    state: 'idle',
    empty: null,
  };
  expect(decode(decoder, JSON.stringify(message))).toEqual([
    [Date.parse('2026-09-21T10:00:00.5Z'), { temperature: 21.5, battery: 3.301, rssi: -60, last: -80, state: 'idle' }],
  ]);
});

test('a list of samples, each with its time, beside what is of all of them', () => {
  const decoder = paths({
    samples: '$.readings[*]',
    time: { path: '@.t', unit: 's' },
    metrics: [
      { metric: 'level', path: '@.v' },
      { metric: 'site', path: '$.site' },
    ],
  });
  expect(decode(decoder, '{"site":"north","readings":[{"t":1700000000.25,"v":1},{"t":"1700000060","v":2},{"v":3}]}')).toEqual([
    [1_700_000_000_250, { level: 1, site: 'north' }],
    [1_700_000_060_000, { level: 2, site: 'north' }],
    ['arrival', { level: 3, site: 'north' }],
  ]);
  expect(refusal(decoder, '{"readings":[]}')).toBe('malformed: There is nothing at $.readings[*].');
  expect(refusal(decoder, '{}')).toBe('malformed: There is nothing at $.readings[*].');
});

test('samples that name their metric', () => {
  const decoder = paths({ samples: '$[*]', named: { name: '@.n', value: '@.v', prefix: 'x_' } });
  expect(decode(decoder, '[{"n":"a","v":1.5},{"n":2,"v":true},{"n":"c"}]')).toEqual([
    ['arrival', { x_a: 1.5 }],
    ['arrival', { x_2: true }],
  ]);
  expect(refusal(decoder, '[{"n":{},"v":1}]')).toBe('malformed: What is at @.n is no name.');
  expect(refusal(decoder, '[{"n":"__proto__","v":1}]')).toBeUndefined();
  expect(refusal(paths({ named: { name: '$.n', value: '$.v' } }), '{"n":"__proto__","v":1}')).toMatch(/"__proto__"/);
});

test('texts become numbers and booleans where the definition says so', () => {
  const decoder = paths({
    metrics: [
      { metric: 'n', path: '$.n', type: 'number', scale: 0.1 },
      { metric: 'b', path: '$.b', type: 'boolean' },
      { metric: 't', path: '$.t', type: 'text' },
    ],
  });
  expect(decode(decoder, '{"n":" 23.5 ","b":"ON","t":7}')).toEqual([['arrival', { n: 2.35, b: true, t: '7' }]]);
  expect(decode(decoder, '{"n":true,"b":0}')).toEqual([['arrival', { n: 0.1, b: false }]]);
  expect(refusal(decoder, '{"n":"0x10"}')).toBe('malformed: The value of "n" is no number.');
  expect(refusal(decoder, '{"b":"maybe"}')).toBe('malformed: The value of "b" is no boolean.');
  expect(refusal(decoder, '{"n":[1]}')).toBe('malformed: The value of "n" is an array, which no metric can be.');
});

test('of CBOR too, whose keys may be numbers and whose times may be times', () => {
  const decoder = paths({ input: 'cbor', time: { path: '$.at' }, metrics: [{ metric: 'a', path: "$['1'].x[0]" }] });
  const message = encode(new Map<string | number, unknown>([[1, { x: [4.25] }], ['at', ARRIVAL - 5]])); // prettier-ignore
  expect(decode(decoder, message)).toEqual([[ARRIVAL - 5, { a: 4.25 }]]);
});

test('a message in which there is nothing is a dead letter that names the paths', () => {
  const decoder = paths({ metrics: [{ metric: 'a', path: '$.a.b' }] });
  expect(refusal(decoder, '{"A":{"b":1}}')).toBe('malformed: There is no value at any of the paths: $.a.b.');
  expect(refusal(decoder, '[')).toMatch(/^malformed: The payload is not JSON at byte 1/);
  expect(refusal(decoder, `{"x":${'['.repeat(40)}${']'.repeat(40)}}`)).toMatch(/nested deeper/);
  expect(decode(decoder, '{"a":{"b":null}}')).toEqual([]);
});

describe('a definition that is wrong is refused, and says where', () => {
  test.each<[PathsOptions, RegExp]>([
    [{}, /no path of a metric/],
    [{ metrics: [{ metric: 'a', path: 'a.b' }] }, /begins neither with \$/],
    [{ metrics: [{ metric: 'a', path: '$..b' }] }, /not understood at "\.\.b"/],
    [{ metrics: [{ metric: 'a', path: '$[?(@.x)]' }] }, /not understood/],
    [{ metrics: [{ metric: 'a', path: '$[*].x' }] }, /must find one value/],
    [{ metrics: [{ metric: 'a', path: `$${'.a'.repeat(20)}` }] }, /at most 16 steps/],
    [{ metrics: [{ metric: '', path: '$.a' }] }, /empty/],
    [{ metrics: [{ metric: 'a', path: '$.a' }, { metric: 'a', path: '$.b' }] }, /stands there twice/],
    [{ metrics: [{ metric: 'a', path: '$.a', scale: Infinity }] }, /finite/],
    [{ samples: '@.a', metrics: [{ metric: 'a', path: '$.a' }] }, /begins with \$/],
    [{ time: { path: '$[*]' }, metrics: [{ metric: 'a', path: '$.a' }] }, /must find one value/],
  ])('%j', (options, message) => {
    expect(() => paths(options)).toThrow(
      expect.objectContaining({ code: 'request.invalid', message: expect.stringMatching(message) }),
    );
  }); // prettier-ignore
});

test('JSON of any kind is samples or a reason', () => {
  const decoder = paths({
    samples: '$.a[*]',
    time: { path: '@.t' },
    metrics: [
      { metric: 'x', path: '@.v', type: 'number' },
      { metric: 'y', path: '$.a' },
    ],
    named: { name: '@.n', value: '@.v' },
  });
  const key = fc.constantFrom('a', 't', 'v', 'n', '__proto__');
  const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 3 }), fc.constant(null));
  const json = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      scalar,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(key, tie('node'), { maxKeys: 3 }),
    ),
  })).node;
  fc.assert(
    fc.property(json, (value) => {
      try {
        decode(decoder, JSON.stringify(value));
      } catch (error) {
        expect(error).toBeInstanceOf(PayloadError);
      }
    }),
    { numRuns: 2000 },
  );
});
