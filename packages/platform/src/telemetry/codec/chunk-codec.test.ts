import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PointValue } from '../telemetry-queries.ts';
import { decodeChunk, encodeChunk, MAX_CHUNK_POINTS } from './chunk-codec.ts';

const START = 1_700_000_000_000;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function everySecond(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => START + i * 1000);
}

/** Encodes in both ways, decodes, and compares bit by bit. @returns the encoded size, that of the quick way. */
function roundTrip(times: Float64Array, values: Float64Array | readonly PointValue[]): number {
  const bytes = encodeChunk(times, values, times.length);
  const smallest = encodeChunk(times, values, times.length, { smallest: true });
  if (smallest.length > bytes.length) expect.fail(`${smallest.length} bytes are not the fewest: ${bytes.length}`);
  compare(bytes, times, values);
  if (smallest.length < bytes.length) compare(smallest, times, values);
  return bytes.length;
}

function compare(bytes: Uint8Array, times: Float64Array, values: Float64Array | readonly PointValue[]): void {
  const chunk = decodeChunk(bytes);
  expect(chunk.count).toBe(times.length);
  expect(chunk.times).toHaveLength(times.length);
  expect(chunk.values).toHaveLength(times.length);
  expect(chunk.values instanceof Float64Array).toBe(Array.from<PointValue>(values).every((value) => typeof value === 'number'));
  for (let i = 0; i < times.length; i++) {
    if (chunk.times[i] !== times[i]) expect({ i, time: chunk.times[i] }).toEqual({ i, time: times[i] });
    if (!Object.is(chunk.values[i], values[i])) expect({ i, value: chunk.values[i] }).toEqual({ i, value: values[i] });
  }
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function walk(count: number, step: number, scale: number): Float64Array {
  const random = randomFrom(count + step);
  let value = 2351;
  return Float64Array.from({ length: count }, () => (value += Math.round((random() * 2 - 1) * step)) / scale);
}

/** 1 in 20 points is a tenth up or down. */
function slow(count: number): Float64Array {
  const random = randomFrom(7);
  let tenths = 215;
  return Float64Array.from({ length: count }, () => {
    const draw = random();
    return (tenths += draw < 0.025 ? 1 : draw > 0.975 ? -1 : 0) / 10;
  });
}

describe('the chunk format', () => {
  it.each<[string, number[], PointValue[], string]>([
    ['nothing', [], [], '01 00 00'],
    ['one zero', [1], [0], '01 00 01 00 00 00 00 00 00 f0 3f 30'],
    ['decimals', [1000, 2000, 3000], [23.51, 23.5, 23.55], '01 00 03 00 00 00 00 00 40 8f 40 00 d0 0f 02 03 dc 24 41 01'],
    ['integers that count', [1, 2, 3, 4, 5], [1000, 1007, 1014, 1021, 1028], '01 00 05 00 00 00 00 00 00 f0 3f 00 02 10 d0 0f 00 0e'],
    ['a true double', [1], [1 / 3], '01 00 01 00 00 00 00 00 00 f0 3f 20 0b 7d 55 55 55 55 55 55 f5 0f'],
    ['booleans', [1, 2, 3], [true, false, true], '01 01 03 00 00 00 00 00 00 f0 3f 00 02 02 01 00 00 02'],
    ['text, a number, -0', [1, 2, 3], ['ü', 2, -0], '01 01 03 00 00 00 00 00 00 f0 3f 00 02 03 03 02 c3 bc 02 00 00 00 00 00 00 00 40 02 00 00 00 00 00 00 00 80 00 24'],
  ])('%s', (_, times, values, wanted) => {
    const bytes = encodeChunk(Float64Array.from(times), values, times.length);
    expect(hex(bytes)).toBe(wanted);
    expect([...decodeChunk(bytes).values]).toEqual(values);
    expect([...decodeChunk(bytes).times]).toEqual(times);
  }); // prettier-ignore
});

describe('the chunk format where few values, or steps, differ', () => {
  it.each<[string, number[], number[], string]>([
    ['a constant', [1, 2, 3, 4, 5, 6], [7, 7, 7, 7, 7, 7], '01 02 06 01 00 00 00 00 00 00 f0 3f 00 00 0e'],
    ['a counter', [1, 2, 3, 4, 5, 6], [10, 12, 14, 16, 18, 20], '01 02 06 01 00 00 00 00 00 00 f0 3f 10 14 00 04'],
    [
      'four states',
      Array.from({ length: 60 }, (_, i) => i),
      Array.from({ length: 60 }, (_, i) => ((i * i) % 7) * 8),
      '01 02 3c 01 00 00 00 00 00 00 00 00 00 03 00 e5 04 07 87 09 07 88 09 0f 88 09 f5 d0 74 15 f1 ff ca dc e8 a8 d1 b0 b3 6d 4f 1b 0e bf',
    ],
  ])('%s', (_, times, values, wanted) => {
    const bytes = encodeChunk(Float64Array.from(times), values, times.length, { smallest: true });
    expect(hex(bytes)).toBe(wanted);
    compare(bytes, Float64Array.from(times), values);
  });
});

describe('sizes of 1,024 points every second', () => {
  it.each<[string, number, () => Float64Array | PointValue[]]>([
    ['a 2-decimal walk', 0.6, () => walk(1024, 5, 100)],
    ['a 1-decimal noise', 0.85, () => walk(1024, 5, 100).map((_, i) => 20 + ((i * 7919) % 61) / 10)],
    ['a constant', 0.06, () => new Float64Array(1024).fill(23.51)],
    ['a counter', 0.1, () => Float64Array.from({ length: 1024 }, (_, i) => 1e9 + i * 7)],
    ['a walk with spikes', 0.9, () => walk(1024, 5, 100).map((value, i) => (i % 100 === 50 ? value + 10_000 : value))],
    [
      'a walk with a few values of many digits',
      0.9,
      () => walk(1024, 5, 100).map((value, i) => (i % 100 === 50 ? value + 1e-9 : value)),
    ],
    ['a walk with a few NaN', 0.8, () => walk(1024, 5, 100).map((value, i) => (i % 100 === 0 ? NaN : value))],
    ['true doubles', 7, () => Float64Array.from({ length: 1024 }, (_, i) => 20 + 5 * Math.sin(i / 100))],
    ['doubles that were floats', 2.7, () => walk(1024, 5, 100).map((value) => Math.fround(value))],
    ['random booleans', 0.18, () => Array.from(walk(1024, 5, 1), (value) => value % 2 === 0)],
    ['a constant boolean', 0.04, () => Array<boolean>(1024).fill(true)],
    ['a constant text', 0.06, () => Array<string>(1024).fill('idle')],
  ])('%s: at most %f bytes a point', (_, most, make) => {
    expect(roundTrip(everySecond(1024), make()) / 1024).toBeLessThanOrEqual(most);
  });

  it.each<[string, number, () => Float64Array]>([
    ['a 2-decimal walk', 0.49, () => walk(1024, 5, 100)],
    ['a 1-decimal noise', 0.8, () => walk(1024, 5, 100).map((_, i) => 20 + ((i * 7919) % 61) / 10)],
    ['a temperature that seldom changes', 0.09, () => slow(1024)],
    ['a walk with spikes', 0.6, () => walk(1024, 5, 100).map((value, i) => (i % 100 === 50 ? value + 10_000 : value))],
    ['a constant', 0.02, () => new Float64Array(1024).fill(23.51)],
    ['a counter', 0.03, () => Float64Array.from({ length: 1024 }, (_, i) => 1e9 + i * 7)],
  ])('%s: at most %f bytes a point where time is taken for it', (_, most, make) => {
    const bytes = encodeChunk(everySecond(1024), make(), 1024, { smallest: true });
    compare(bytes, everySecond(1024), make());
    expect(bytes.length / 1024).toBeLessThanOrEqual(most);
  });

  it('exceptions cost ten bytes each, wherever they stand', () => {
    const clean = walk(1024, 5, 100);
    const size = (values: Float64Array): number => encodeChunk(everySecond(1024), values, 1024).length;
    for (const first of [0, 1, 127]) {
      expect(size(clean.map((value, i) => (i % 128 === first ? NaN : value)))).toBeLessThanOrEqual(size(clean) + 8 * 12);
      expect(size(clean.map((value, i) => ((i + 3) % 128 === first || i % 128 === first ? 1 / 3 : value)))).toBeLessThanOrEqual(
        size(clean) + 8 * 22,
      );
    }
  });

  it('integers whose bits differ little are stored by their bits', () => {
    expect(
      roundTrip(
        everySecond(1024),
        Float64Array.from({ length: 1024 }, (_, i) => 2 ** ((i * 7) % 31)),
      ) / 1024,
    ).toBeLessThan(3.2);
  });

  it('a block of what was there before costs a byte', () => {
    const size = (blocks: number): number =>
      encodeChunk(everySecond(blocks * 128 + 1), new Float64Array(blocks * 128 + 1).fill(1 / 3), blocks * 128 + 1).length;
    const timesBlock = 3;
    expect(size(4) - size(3)).toBe(1 + timesBlock);
  });
});

describe('every value comes back', () => {
  const special = fc.constantFrom(
    0,
    -0,
    NaN,
    Infinity,
    -Infinity,
    5e-324,
    -5e-324,
    Number.MAX_VALUE,
    2 ** 53,
    -(2 ** 53),
    2 ** 31,
    -(2 ** 31) - 1,
    2 ** 50,
    2 ** 51 + 1,
    1e22,
    0.1 + 0.2,
    1e-12,
    1e-13,
  );
  const decimal = fc.tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.nat({ max: 14 })).map(([m, e]) => m / 10 ** e);
  const near = fc.tuple(fc.integer({ min: -50, max: 50 }), fc.nat({ max: 4 })).map(([m, e]) => 20 + m / 10 ** e);
  const anyNumber = fc.oneof(near, decimal, fc.double(), fc.maxSafeInteger(), special);
  const mostlyNear = fc.oneof({ weight: 60, arbitrary: near }, { weight: 1, arbitrary: anyNumber });
  const counts = { minLength: 1, maxLength: 400 };

  it.each<[string, fc.Arbitrary<number[]>]>([
    ['numbers of all kinds', fc.array(anyNumber, counts)],
    ['decimals', fc.array(decimal, counts)],
    ['near numbers and a few others', fc.array(mostlyNear, { minLength: 100, maxLength: 400 })],
    ['runs of numbers', fc.array(fc.tuple(anyNumber, fc.integer({ min: 1, max: 150 })), { minLength: 1, maxLength: 6 }).map((runs) => runs.flatMap(([value, length]) => Array<number>(length).fill(value)))],
    ['integers far apart', fc.array(fc.maxSafeInteger(), counts)],
    ['numbers beside each other', fc.tuple(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), fc.array(fc.integer({ min: -3, max: 3 }), counts)).map(([value, steps]) => steps.map((step) => value * (1 + step * 2 ** -52)))],
  ])('of %s', (_, arbitrary) => {
    fc.assert(fc.property(arbitrary, (values) => void roundTrip(everySecond(values.length), Float64Array.from(values))), { numRuns: 400 });
  }); // prettier-ignore

  it('of booleans, texts and numbers in any order', () => {
    const value = fc.oneof(
      fc.boolean(),
      fc.string({ unit: 'binary', maxLength: 20 }),
      anyNumber,
      fc.constantFrom('\ud800', 'a\udc00b', '', '\ufeff', '0', 'true'),
    );
    const mixed = fc.oneof(
      fc.array(value, counts),
      fc
        .tuple(fc.array(value, { minLength: 1, maxLength: 5 }), fc.array(fc.nat({ max: 4 }), counts))
        .map(([pool, picks]) => picks.map((pick) => pool[pick % pool.length]!)),
    );
    fc.assert(
      fc.property(mixed, (values) => void roundTrip(everySecond(values.length), values)),
      { numRuns: 150 },
    );
  });

  it('of every field width', () => {
    for (let width = 0; width <= 32; width++) {
      const random = randomFrom(width + 1);
      const values = Float64Array.from({ length: 300 }, () => Math.floor(random() * 2 ** width));
      for (const count of [1, 2, 3, 127, 128, 129, 255, 300]) roundTrip(everySecond(count), values.subarray(0, count));
      roundTrip(
        everySecond(300),
        values.map((value) => value - 2 ** 40),
      );
      roundTrip(
        everySecond(300),
        values.map((value, i) => value + i * 2 ** 33),
      );
    }
  });

  it('of chunks of any size', () => {
    for (const count of [0, 1, 2, 126, 127, 128, 129, 130, 256, 257, 1023, 1024, 1025, 10_000, MAX_CHUNK_POINTS]) {
      roundTrip(everySecond(count), walk(count, 5, 100));
      roundTrip(
        everySecond(count),
        Float64Array.from({ length: count }, (_, i) => Math.sqrt(i)),
      );
      if (count > 0)
        roundTrip(
          everySecond(count),
          Array.from({ length: count }, (_, i) => `text ${i}`),
        );
    }
  });

  it('of texts longer than all buffers', () => {
    roundTrip(
      everySecond(40),
      Array.from({ length: 40 }, (_, i) => `${i}`.repeat(100_000)),
    );
    roundTrip(everySecond(3), ['x', 'y', 'x']);
  });

  it('of -0 among zeros', () => {
    for (let at = 0; at < 300; at += 13) {
      const values = new Float64Array(300);
      values[at] = -0;
      roundTrip(everySecond(300), values);
      roundTrip(everySecond(300), [...values, false].slice(1));
    }
  });

  it('takes the first points of longer arrays, and numbers in an array as numbers', () => {
    const chunk = decodeChunk(encodeChunk(everySecond(10), [1, 2, 3, true], 3));
    expect(chunk.values).toEqual(Float64Array.of(1, 2, 3));
    expect(chunk.times).toHaveLength(3);
  });

  it('gives arrays of their own to every call', () => {
    const first = decodeChunk(encodeChunk(everySecond(200), walk(200, 5, 100), 200));
    const copy = [...first.values];
    const bytes = encodeChunk(everySecond(200), new Float64Array(200), 200);
    decodeChunk(bytes);
    encodeChunk(everySecond(300), new Float64Array(300).fill(7.25), 300);
    expect([...first.values]).toEqual(copy);
    expect([...decodeChunk(bytes).values]).toEqual(Array(200).fill(0));
  });
});

describe('every time comes back', () => {
  const max = Number.MAX_SAFE_INTEGER;

  it.each<[string, fc.Arbitrary<number>]>([
    ['regular', fc.constant(1000)],
    ['jittered', fc.integer({ min: 980, max: 1020 })],
    [
      'regular with gaps',
      fc.oneof({ weight: 50, arbitrary: fc.constant(1000) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 45 }) }),
    ],
    ['of all sizes', fc.integer({ min: 0, max: 44 }).map((bits) => 2 ** bits)],
    ['huge', fc.integer({ min: 2 ** 40, max: 2 ** 44 })],
  ])('in steps that are %s', (_, step) => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 41), max: 2 ** 41 }),
        fc.array(step, { minLength: 1, maxLength: 300 }),
        (first, steps) => {
          let time = first;
          const times = [first, ...steps.map((by) => (time += by))];
          roundTrip(Float64Array.from(times), new Float64Array(times.length));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('at the ends of the range', () => {
    for (const times of [[-max, max], [max - 1, max], [-max, -max + 1, max], [-max], [max], [-5, 0, 5]]) roundTrip(Float64Array.from(times), new Float64Array(times.length));
  }); // prettier-ignore

  it('at one second regularly for next to nothing, with jitter for its entropy', () => {
    const size = (times: Float64Array): number => encodeChunk(times, new Float64Array(1024), 1024).length;
    expect(size(everySecond(1024))).toBeLessThan(48);
    const random = randomFrom(5);
    expect(size(everySecond(1024).map((time) => time + Math.floor(random() * 16)))).toBeLessThan((1024 * 5) / 8 + 64);
    // A gap in each block must not widen the others.
    expect(size(everySecond(1024).map((time, i) => time + Math.floor(i / 100) * 3_600_000))).toBeLessThan(160);
  });

  it.each<[string, number[]]>([
    ['equal', [1, 1]],
    ['descending', [2, 1]],
    ['fractional', [1, 1.5, 2]],
    ['fractional at first', [0.5, 2]],
    ['NaN', [1, NaN, 2]],
    ['NaN at the end', [1, NaN]],
    ['beyond 2^53', [1, 2 ** 53]],
    ['infinite', [-Infinity, 1]],
  ])('but not when they are %s', (_, times) => {
    expect(() => encodeChunk(Float64Array.from(times), new Float64Array(times.length), times.length)).toThrow(
      expect.objectContaining({ code: 'telemetry.bad-time' }),
    );
  });

  it.each([-1, 4, NaN, 65_536])('and never with a count of %d for three points', (count) => {
    expect(() => encodeChunk(everySecond(3), new Float64Array(3), count)).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});
