import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columns, type Pair } from './query-fixture.ts';
import { pointsToJson, seriesJsonParts, seriesToJson } from './query-json.ts';

const NOW = 1_790_000_000_000;

describe('points as JSON', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [-7, '-7'],
    [23.5, '23.5'],
    [-0.25, '-0.25'],
    [0.001, '0.001'],
    [-999_999.999, '-999999.999'],
    [999_999.5, '999999.5'],
    [1_000_000, '1000000'],
    [10, '10'],
    [99_999, '99999'],
    [0.1 + 0.2, '0.30000000000000004'],
    [1e21, '1e+21'],
    [5e-324, '5e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Infinity, 'null'],
    [Number.NaN, 'null'],
  ])('write %s as %s', (value, text) => {
    expect(pointsToJson({ times: Float64Array.of(NOW), values: Float64Array.of(value) })).toBe(`[[${NOW},${text}]]`);
  });

  it.each([0, 1, -1, 999_999_999_999, 1e12, 9_999_999_999_999, 1e13, 8.64e15, -8.64e15])('write the time %s', (timeMs) => {
    expect(pointsToJson(columns([[timeMs, 1]]))).toBe(`[[${timeMs},1]]`);
  });

  it('are what JSON.stringify writes, for any number', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer().map((n) => n / 10),
      fc.integer().map((n) => n / 100),
      fc.integer().map((n) => n / 1_000),
      fc.integer({ min: -2_000_000, max: 2_000_000 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.maxSafeInteger(), number)), (points) => {
        expect(pointsToJson(columns(points))).toBe(JSON.stringify(points));
      }),
      { numRuns: 500 },
    );
  });

  it('read back as they were, whatever the texts and however long', () => {
    const value = fc.oneof(
      fc.boolean(),
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.integer({ min: 5_000, max: 40_000 }).map((n) => 'ü'.repeat(n)),
    );
    const series = fc.array(fc.tuple(fc.maxSafeInteger(), value), { maxLength: 12 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), series), { selector: ([name]) => name, maxLength: 4 }),
        (metrics) => {
          const text = seriesToJson(new Map(metrics.map(([name, points]) => [name, columns(points)]))).toString('utf8');
          expect(JSON.parse(text)).toEqual(
            JSON.parse(`{${metrics.map(([name, points]) => `${JSON.stringify(name)}:${JSON.stringify(points)}`).join()}}`),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('come in parts of bounded size that make up the whole', () => {
    const points: Pair[] = Array.from({ length: 20_000 }, (_, i) => [NOW + i, i % 3 === 0 ? `text ${i}` : i / 8]);
    const parts = [
      ...seriesJsonParts(
        new Map([
          ['a', columns(points)],
          ['b', columns([])],
        ]),
      ),
    ];
    expect(parts.length).toBeGreaterThan(4);
    for (const part of parts) expect(part.length).toBeLessThanOrEqual(65_536);
    expect(JSON.parse(Buffer.concat(parts).toString())).toEqual({ a: points, b: [] });
  });

  it('without any metric are an empty object', () => {
    expect(seriesToJson(new Map()).toString()).toBe('{}');
    expect(pointsToJson(columns([]))).toBe('[]');
  });
});
