import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { parseSamples } from './parsed-samples.ts';
import type { SampleValue } from './sample-checks.ts';
import { PayloadError } from './payload-error.ts';
import { PAYLOAD_LIMITS } from './payload-limits.ts';
import type { Shape } from './shape.ts';
import { NO_TIME, ShapeHint, TelemetryPayloadDecoder } from './telemetry-payload.ts';

const ARRIVAL = 1_700_000_000_000;
const DAY = 86_400_000;
const utf8 = new TextEncoder();

interface Visit {
  readonly kind: 'numbers' | 'mixed';
  readonly shape: Shape;
  readonly timeMs: number;
  readonly values: readonly SampleValue[];
}

function visits(decoder: TelemetryPayloadDecoder, payload: string | Uint8Array, hint?: ShapeHint): Visit[] {
  const text = typeof payload === 'string' ? utf8.encode(payload) : payload;
  // In the middle of something else, as in a log segment: what stands around must not matter.
  const data = new Uint8Array(text.length + 8).fill(0x31);
  data.set(text, 3);
  const seen: Visit[] = [];
  decoder.decode(
    data,
    3,
    3 + text.length,
    ARRIVAL,
    {
      numbers: (shape, timeMs, values) => seen.push({ kind: 'numbers', shape, timeMs, values: [...values] }),
      mixed: (shape, timeMs, values) => seen.push({ kind: 'mixed', shape, timeMs, values }),
    },
    hint,
  );
  return seen;
}

type Outcome = string | readonly (readonly [timeMs: number, ...entries: readonly (readonly [string, SampleValue])[]])[];

function outcome(run: () => Outcome): Outcome {
  try {
    return run();
  } catch (error) {
    if (error instanceof PayloadError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

function decoded(decoder: TelemetryPayloadDecoder, payload: string | Uint8Array, hint?: ShapeHint): Outcome {
  return outcome(() =>
    visits(decoder, payload, hint).map(({ kind, shape, timeMs, values }) => {
      expect(values).toHaveLength(shape.names.length);
      expect(kind).toBe(values.every((value) => typeof value === 'number') ? 'numbers' : 'mixed');
      return [timeMs, ...shape.names.map((name, i) => [name, values[i]!] as const)];
    }),
  );
}

/** By JSON.parse alone. */
function expected(payload: string | Uint8Array): Outcome {
  const data = typeof payload === 'string' ? utf8.encode(payload) : payload;
  return outcome(() =>
    parseSamples(data, 0, data.length, ARRIVAL, PAYLOAD_LIMITS)
      .filter(({ names }) => names.length > 0)
      .map(({ timeMs, names, values }) => [timeMs ?? NO_TIME, ...names.map((name, i) => [name, values[i]!] as const)]),
  );
}

/** Twice by one decoder: the second time on the fast way, where there is one. */
function expectTwice(payload: string | Uint8Array, wanted: Outcome): void {
  const decoder = new TelemetryPayloadDecoder();
  expect(decoded(decoder, payload)).toEqual(wanted);
  expect(decoded(decoder, payload)).toEqual(wanted);
}

describe('a telemetry payload', () => {
  it.each<[string, Outcome]>([
    ['{"temperature":23.5}', [[NO_TIME, ['temperature', 23.5]]]],
    ['{"a":1,"b":true,"c":"idle","d":false}', [[NO_TIME, ['a', 1], ['b', true], ['c', 'idle'], ['d', false]]]],
    ['{"ts":1600000000000,"a":-0.5}', [[1_600_000_000_000, ['a', -0.5]]]],
    ['{"a":1,"ts":1600000000000.9}', [[1_600_000_000_000, ['a', 1]]]],
    ['{"ts":5,"values":{"a":1}}', [[5, ['a', 1]]]],
    ['{"values":{"a":1},"ts":5}', [[5, ['a', 1]]]],
    ['{"values":{"a":1}}', [[NO_TIME, ['a', 1]]]],
    ['{"values":{"a":1,"ts":7,"values":8}}', [[NO_TIME, ['a', 1], ['ts', 7], ['values', 8]]]],
    ['{"values":7}', [[NO_TIME, ['values', 7]]]],
    ['{"values":"x","ts":1}', [[1, ['values', 'x']]]],
    ['[{"a":1},{"ts":5,"a":2},{"ts":6,"values":{"b":"x"}}]', [[NO_TIME, ['a', 1]], [5, ['a', 2]], [6, ['b', 'x']]]],
    [' \t\r\n{ "a" : 1 , "b" : "x" } \n', [[NO_TIME, ['a', 1], ['b', 'x']]]],
    [' [ { "a" : 1 } , { "a" : 2 } ] ', [[NO_TIME, ['a', 1]], [NO_TIME, ['a', 2]]]],
    ['{"a":null,"b":1}', [[NO_TIME, ['b', 1]]]],
    ['{"a":null}', []],
    ['[{"a":null},{"a":1}]', [[NO_TIME, ['a', 1]]]],
    ['{"a":1,"a":2}', [[NO_TIME, ['a', 2]]]],
    ['{"a":1,"b":2,"a":"x"}', [[NO_TIME, ['a', 'x'], ['b', 2]]]],
    ['{"ts":1,"ts":2,"a":3}', [[2, ['a', 3]]]],
    ['{"values":{"a":1},"values":{"b":2}}', [[NO_TIME, ['b', 2]]]],
    ['{"values":{"a":1},"values":3}', [[NO_TIME, ['values', 3]]]],
    ['{"a":{"b":7},"a":null,"b":1}', [[NO_TIME, ['b', 1]]]],
    ['{"a":[1,"b",{"c":2}],"a":2}', [[NO_TIME, ['a', 2]]]],
    ['{"a":-0,"ts":-0.0}', [[0, ['a', -0]]]],
    ['{"Grüße":"Äpfel","\\u0061b":"\\ud83d\\ude00 \\"x\\""}', [[NO_TIME, ['Grüße', 'Äpfel'], ['ab', '😀 "x"']]]],
    ['{"constructor":1,"toString":2,"hasOwnProperty":3}', [[NO_TIME, ['constructor', 1], ['toString', 2], ['hasOwnProperty', 3]]]],
    ['{"10":1,"2":2}', [[NO_TIME, ['2', 2], ['10', 1]]]],
    [`{"ts":${ARRIVAL + DAY},"a":1}`, [[ARRIVAL + DAY, ['a', 1]]]],
    [`{"${'n'.repeat(256)}":"${'t'.repeat(1024)}"}`, [[NO_TIME, ['n'.repeat(256), 't'.repeat(1024)]]]],
    ['{"a":"","b":" "}', [[NO_TIME, ['a', ''], ['b', ' ']]]],
    ['{"a":1e308,"b":5e-324,"c":0.1e1}', [[NO_TIME, ['a', 1e308], ['b', 5e-324], ['c', 1]]]],
  ])('%s', (payload, wanted) => {
    expectTwice(payload, wanted);
  }); // prettier-ignore

  it.each<[string, string]>([
    ['', 'malformed: The payload is not JSON at byte 0.'],
    ['{"a":1', 'malformed: The payload is not JSON at byte 6.'],
    ['{"a":01}', 'malformed: The payload is not JSON at byte 6.'],
    ['{"ü":1,}', 'malformed: The payload is not JSON at byte 8.'],
    ['{"a":1}}', 'malformed: The payload is not JSON at byte 7.'],
    ['{"a":1} {"a":2}', 'malformed: The payload is not JSON at byte 8.'],
    ['{"a":NaN}', 'malformed: The payload is not JSON at byte 5.'],
    ['{"a":"\n"}', 'malformed: The payload is not JSON at byte 6.'],
    ['{"a":"\\x"}', 'malformed: The payload is not JSON at byte 7.'],
    ["{'a':1}", 'malformed: The payload is not JSON at byte 1.'],
    ['\ufeff{"a":1}', 'malformed: The payload is not JSON at byte 0.'],
    ['[{"a":1},]', 'malformed: The payload is not JSON at byte 9.'],
    ['23.5', 'malformed: A sample must be a JSON object, not a number.'],
    ['null', 'malformed: A sample must be a JSON object, not null.'],
    ['"text"', 'malformed: A sample must be a JSON object, not a string.'],
    ['[]', 'malformed: The array has no sample.'],
    ['[{"a":1},5]', 'malformed: A sample must be a JSON object, not a number in sample 1.'],
    ['[[{"a":1}]]', 'malformed: A sample must be a JSON object, not an array in sample 0.'],
    ['{}', 'malformed: The sample has no metric.'],
    ['{"ts":1}', 'malformed: The sample has no metric.'],
    ['[{"a":1},{}]', 'malformed: The sample has no metric in sample 1.'],
    ['{"ts":1,"values":{}}', 'malformed: The sample has no metric.'],
    ['{"a":{}}', 'malformed: The value of "a" is an object, which no metric can be.'],
    ['{"a":[1]}', 'malformed: The value of "a" is an array, which no metric can be.'],
    ['{"values":[1]}', 'malformed: The value of "values" is an array, which no metric can be.'],
    ['{"values":{"a":{}}}', 'malformed: The value of "a" is an object, which no metric can be.'],
    ['{"values":{"a":1},"b":2}', 'malformed: "b" stands beside "values", where only "ts" may.'],
    ['{"a":1e999}', 'malformed: The value of "a" is too large for a number.'],
    ['[{"a":1},{"a":-1e999}]', 'malformed: The value of "a" is too large for a number in sample 1.'],
    ['{"":1}', 'malformed: The name of a metric is empty.'],
    ['{"a\\u0000b":1}', 'malformed: The name "a\\u0000b" has a control character.'],
    ['{"a\\u0085":1}', `malformed: The name "a\u0085" has a control character.`],
    ['{"\u007f":1}', 'malformed: The name "\u007f" has a control character.'],
    ['{"\\ud800":1}', 'malformed: The name "\\ud800" has half a surrogate pair.'],
    ['{"a":"\\ude00"}', 'malformed: The text of "a" has half a surrogate pair.'],
    ['{"__proto__":1}', 'malformed: No metric can have the name "__proto__".'],
    ['{"values":{"__proto__":1}}', 'malformed: No metric can have the name "__proto__".'],
    ['{"__proto__":{"values":{"a":1}}}', 'malformed: No metric can have the name "__proto__".'],
    [`{"${'n'.repeat(257)}":1}`, `malformed: The name "${'n'.repeat(64)}…" is longer than 256 bytes.`],
    [`{"${'ü'.repeat(129)}":1}`, `malformed: The name "${'ü'.repeat(64)}…" is longer than 256 bytes.`],
    [`{"a":"${'t'.repeat(1025)}"}`, 'too-large: The text of "a" is longer than 1024 bytes.'],
    [`{"a":"${'😀'.repeat(257)}"}`, 'too-large: The text of "a" is longer than 1024 bytes.'],
    ['{"ts":-1,"a":1}', 'bad-time: "ts" is negative.'],
    ['{"ts":-0.5,"a":1}', 'bad-time: "ts" is negative.'],
    ['{"ts":"1700000000000","a":1}', 'bad-time: "ts" must be a number of milliseconds, not a string.'],
    ['{"ts":null,"a":1}', 'bad-time: "ts" must be a number of milliseconds, not null.'],
    ['{"ts":true,"a":1}', 'bad-time: "ts" must be a number of milliseconds, not a boolean.'],
    ['{"ts":{},"a":1}', 'bad-time: "ts" must be a number of milliseconds, not an object.'],
    ['{"ts":1e999,"a":1}', 'bad-time: "ts" is Infinity ms, which is more than 24 hours in the future.'],
    [`{"ts":${ARRIVAL + DAY + 1},"a":1}`, `bad-time: "ts" is ${ARRIVAL + DAY + 1} ms, which is more than 24 hours in the future.`],
    ['{"a":{"b":{"c":{}}}}', 'malformed: The payload is nested deeper than telemetry can be at byte 15.'],
  ])('%j is refused', (payload, wanted) => {
    expectTwice(payload, wanted);
  }); // prettier-ignore

  it('refuses what is no UTF-8, and says where', () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80], [0x80]]) {
      const payload = Uint8Array.from([...utf8.encode('{"ab":"'), ...bytes, ...utf8.encode('"}')]);
      expectTwice(payload, 'malformed: The payload is not UTF-8 at byte 7.');
    }
    const decoder = new TelemetryPayloadDecoder();
    decoded(decoder, '{"ab":"x"}');
    const learned = Uint8Array.from([...utf8.encode('{"ab":"'), 0xff, ...utf8.encode('"}')]);
    expect(decoded(decoder, learned)).toBe('malformed: The payload is not UTF-8 at byte 7.');
  });

  it('takes 256 metrics in a sample and 10,000 samples in an array, and no more', () => {
    const sample = (metrics: number): string => `{${Array.from({ length: metrics }, (_, i) => `"m${i}":${i}`).join()}}`;
    const decoder = new TelemetryPayloadDecoder();
    expect(visits(decoder, sample(256))[0]!.values).toHaveLength(256);
    expect(visits(decoder, sample(256))[0]!.values[255]).toBe(255);
    expect(decoded(decoder, sample(257))).toBe('too-many-metrics: A sample has more than 256 metrics.');
    const array = (samples: number): string => `[${Array.from({ length: samples }, (_, i) => `{"ts":${i},"a":${i}}`).join()}]`;
    for (let round = 0; round < 2; round++) {
      const seen = visits(decoder, array(10_000));
      expect(seen).toHaveLength(10_000);
      expect(seen[9999]).toMatchObject({ timeMs: 9999, values: [9999] });
      expect(decoded(decoder, array(10_001))).toBe('too-large: The array has 10001 samples; at most 10000 are allowed.');
    }
  });

  it('is all or nothing: no sample is visited before an error', () => {
    const decoder = new TelemetryPayloadDecoder();
    visits(decoder, '[{"a":1},{"a":2}]');
    for (const bad of [
      '[{"a":1},{"a":[]}]',
      '[{"a":1},{"a":1e999}]',
      '[{"a":1},{"ts":-1,"a":1}]',
      '[{"a":1},{"a":2}',
      '[{"a":1},{"a":2}]]',
    ]) {
      let seen = 0;
      const data = utf8.encode(bad);
      const visitor = { numbers: () => seen++, mixed: () => seen++ };
      expect(() => decoder.decode(data, 0, data.length, ARRIVAL, visitor)).toThrow(PayloadError);
      expect(seen).toBe(0);
    }
  });

  it('never reads beyond its end', () => {
    const decoder = new TelemetryPayloadDecoder();
    const visitor = { numbers: () => {}, mixed: () => {} };
    const data = utf8.encode('{"a":12.5,"b":true,"c":"xy"}');
    decoder.decode(data, 0, data.length, ARRIVAL, visitor);
    for (let end = 0; end < data.length; end++) {
      expect(() => decoder.decode(data, 0, end, ARRIVAL, visitor)).toThrow(PayloadError);
      expect(() => decoder.decode(data.slice(0, end), 0, end, ARRIVAL, visitor)).toThrow(PayloadError);
    }
  });

  it('gives the same names the same shape', () => {
    const decoder = new TelemetryPayloadDecoder();
    const shapes = [
      '{"a":1,"b":2}',
      '{"a":3,"b":4}',
      '{ "a":3, "b":4}',
      '{"ts":1,"values":{"a":3,"b":"x"}}',
      '{"a":3,"b":null}',
    ].map((payload) => visits(decoder, payload)[0]!.shape);
    expect(new Set(shapes.slice(0, 4)).size).toBe(1);
    expect(shapes[4]!.names).toEqual(['a']);
  });

  it('is learned, alone and in an array, so that the next one like it is only compared', () => {
    for (const payload of [
      '{"a":1,"b":true,"c":"idle","d":null}',
      '{"ts":5,"a":1}',
      '{"values":7}',
      '{"values":{"a":1}}',
      '{"ts":5,"values":{"a":1,"values":2}}',
      ' { "v\\u0061lues" : { "a" : 1 } , "ts" : 5 } ',
    ]) {
      for (const text of [payload, `[${payload},${payload}]`]) {
        const decoder = new TelemetryPayloadDecoder();
        const hint = new ShapeHint();
        visits(decoder, text, hint);
        expect(hint.skeleton).toBeUndefined();
        visits(decoder, text, hint);
        expect(hint.skeleton?.shape.names).toEqual(visits(decoder, text)[0]!.shape.names);
      }
    }
  });

  it('is not learned from a text with an escape, which pushes out nothing that was', () => {
    const decoder = new TelemetryPayloadDecoder();
    visits(decoder, '{"a":1,"b":2}');
    for (let i = 0; i < 100; i++) visits(decoder, `{"a":${i},"unit":"\\u00b0C"}`);
    const hint = new ShapeHint();
    visits(decoder, '{"a":3,"b":4}', hint);
    expect(hint.skeleton?.shape.names).toEqual(['a', 'b']);
  });

  it.each([
    ['{"values":{"temperature":{},"temperature":""}}', 26],
    ['{"a":{"b":{}},"a":1}', 11],
    ['{"a":{"values":{}},"a":1}', 16],
    ['{"values":{"values":{},"values":1}}', 21],
    ['{"values":{"a":[],"a":1}}', 16],
  ])('%s may be too deep in an array, for all that the key stands twice', (payload, deepAt) => {
    const decoder = new TelemetryPayloadDecoder();
    const alone = expected(payload);
    expect(alone).toHaveLength(1);
    for (let round = 0; round < 2; round++) expect(decoded(decoder, payload)).toEqual(alone);
    for (let round = 0; round < 2; round++) {
      const refusal = `malformed: The payload is nested deeper than telemetry can be at byte ${deepAt}.`;
      expect(decoded(decoder, `[${payload}]`)).toBe(refusal);
    }
  });

  it('stays bounded and right when every message has names of its own', () => {
    const decoder = new TelemetryPayloadDecoder();
    for (let i = 0; i < 6000; i++) {
      const payload = `{"first":1,"name${i}":${i}}`;
      expect(decoded(decoder, payload)).toEqual([[NO_TIME, ['first', 1], [`name${i}`, i]]]);
    }
  });

  it('answers a depth bomb at the first bracket that is too deep, and parses nothing of it', () => {
    const decoder = new TelemetryPayloadDecoder();
    const parse = vi.spyOn(JSON, 'parse');
    for (const [part, at] of [
      ['[', 3],
      ['{"a":', 15],
      ['[{"a":', 7],
    ] as const) {
      expect(decoded(decoder, part.repeat(1_000_000 / part.length))).toBe(
        `malformed: The payload is nested deeper than telemetry can be at byte ${at}.`,
      );
    }
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  const name = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'ts', 'values', 'temperature', '__proto__', '1', '') },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
  );
  const scalar: fc.Arbitrary<string> = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    fc.integer({ min: -2000, max: 2000 }).map((value) => String(value / 100)),
    fc.integer({ min: -5, max: 2_000_000_000_000 }).map(String),
    fc.string({ unit: 'binary', maxLength: 8 }).map((text) => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'null', '1e999', '-0', '1.5e3', '"idle"', '"\\u0041"', '01', 'nul', '{}', '[1]', '{"a":1}'),
  );
  const members = fc.array(fc.tuple(name, scalar), { maxLength: 4 });
  const space = fc.constantFrom('', '', '', ' ', '\n\t');
  const object = fc
    .tuple(members, space, fc.option(members, { nil: undefined }))
    .map(([outer, blank, inner]): { template: string; scalars: string[] } => {
      const scalars: string[] = [];
      const write = (list: readonly (readonly [string, string])[]): string[] =>
        list.map(([key, value]) => {
          scalars.push(value);
          return `${JSON.stringify(key)}${blank}:${blank}\u0001`;
        });
      const parts = write(outer);
      if (inner !== undefined) parts.push(`"values":{${write(inner).join(`${blank},`)}}`);
      return { template: `{${blank}${parts.join(`,${blank}`)}}`, scalars };
    });
  const fill = ({ template, scalars }: { template: string; scalars: readonly string[] }): string => {
    let i = 0;
    return template.replaceAll('\u0001', () => scalars[i++] ?? '0');
  };

  it('is decoded as by JSON.parse alone, whatever was learned before', () => {
    fc.assert(
      fc.property(
        fc.array(object, { minLength: 1, maxLength: 3 }),
        fc.array(fc.array(scalar, { maxLength: 6 }), { maxLength: 4 }),
        (objects, others) => {
          const decoder = new TelemetryPayloadDecoder();
          const hint = new ShapeHint();
          const payloads = objects.map(fill);
          // The same skeletons with other values in them, alone and in an array.
          for (const scalars of others) for (const { template } of objects) payloads.push(fill({ template, scalars }));
          payloads.push(`[${payloads.join(' , ')}]`, ...payloads);
          for (const payload of payloads) {
            expect(decoded(decoder, payload, hint)).toEqual(expected(payload));
            expect(decoded(decoder, payload)).toEqual(expected(payload));
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('survives any change of its bytes, as JSON.parse alone does', () => {
    const valid = ['{"ts":1600000000000,"a":23.5,"b":true,"c":"idle"}', '[{"a":1,"b":"x"},{"ts":5,"values":{"a":-2.5e3}}]'].map(
      (text) => utf8.encode(text),
    );
    const decoder = new TelemetryPayloadDecoder();
    for (const payload of valid) decoded(decoder, payload);
    const change = fc.tuple(
      fc.nat({ max: 60 }),
      fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...utf8.encode('{}[],:"\\0159.-+eEtfn \n'))),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...valid),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        (payload, changes, shorter) => {
          let changed = payload.slice();
          for (const [at, byte] of changes) {
            if (shorter) changed = Uint8Array.from([...changed.subarray(0, at), ...changed.subarray(at + 1)]);
            else changed[at % changed.length] = byte;
          }
          expect(decoded(decoder, changed)).toEqual(expected(changed));
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
