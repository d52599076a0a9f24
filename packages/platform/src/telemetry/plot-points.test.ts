import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestTriangles, PixelColumns, POINTS_OF_PIXEL } from './plot-points.ts';
import { columns, pairs, type Pair } from './query-fixture.ts';

const series = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: -500, max: 500 })), {
    selector: ([timeMs]) => timeMs,
    maxLength: 300,
  })
  .map((list) => list.toSorted((a, b) => a[0] - b[0]));

function thinned(points: readonly Pair[], width: number): Pair[] {
  const pixels = new PixelColumns(0, 10_000, width);
  for (const [timeMs, value] of points) pixels.add(timeMs, value);
  return pairs(pixels.finish());
}

describe('the points of pixel columns', () => {
  it('are points of the series, with the first, last, least and greatest of each column', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 50 }), (points, width) => {
        const kept = thinned(points, width);
        const all = new Map<number, Pair[]>(
          Object.entries(Object.groupBy(points, ([t]) => Math.floor((t * width) / 10_000))).map(([k, v]) => [Number(k), v!]),
        );
        const byPixel = Map.groupBy(kept, ([t]) => Math.floor((t * width) / 10_000));
        expect([...byPixel.keys()]).toEqual([...all.keys()]);
        for (const [pixel, members] of all) {
          const shown = byPixel.get(pixel)!;
          expect(shown.length).toBeLessThanOrEqual(POINTS_OF_PIXEL);
          for (const point of shown) expect(members).toContainEqual(point);
          expect(shown[0]).toEqual(members[0]);
          expect(shown.at(-1)).toEqual(members.at(-1));
          expect(Math.max(...shown.map(([, v]) => Number(v)))).toBe(Math.max(...members.map(([, v]) => Number(v))));
          expect(Math.min(...shown.map(([, v]) => Number(v)))).toBe(Math.min(...members.map(([, v]) => Number(v))));
        }
        expect(kept.map(([t]) => t)).toEqual(kept.map(([t]) => t).toSorted((a, b) => a - b));
      }),
    );
  });

  it('keep booleans as they are, and of text the ends', () => {
    expect(
      thinned(
        [
          [0, 'a'],
          [1, 'b'],
          [2, 'c'],
        ],
        1,
      ),
    ).toEqual([
      [0, 'a'],
      [2, 'c'],
    ]);
    expect(
      thinned(
        [
          [0, true],
          [1, false],
          [2, true],
        ],
        1,
      ),
    ).toEqual([
      [0, true],
      [1, false],
      [2, true],
    ]);
  });
});

describe('largest triangles', () => {
  it('keep so many points of the series, its ends and a lone peak', () => {
    fc.assert(
      fc.property(series, fc.integer({ min: 3, max: 60 }), (points, count) => {
        const kept = pairs(largestTriangles(columns(points), count));
        expect(kept.length).toBe(Math.min(points.length, count));
        for (const point of kept) expect(points).toContainEqual(point);
        expect(kept[0]).toEqual(points[0]);
        expect(kept.at(-1)).toEqual(points.at(-1));
        expect(kept.map(([t]) => t)).toEqual(kept.map(([t]) => t).toSorted((a, b) => a - b));
      }),
    );
    const flat = Array.from({ length: 1_000 }, (_, i): Pair => [i, i === 517 ? 100 : 0]);
    expect(pairs(largestTriangles(columns(flat), 20))).toContainEqual([517, 100]);
  });

  it('leave out text, but not where there is nothing else', () => {
    expect(
      pairs(
        largestTriangles(
          columns([
            [0, 'on'],
            [1, 2],
            [2, true],
          ]),
          3,
        ),
      ),
    ).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(
      pairs(
        largestTriangles(
          columns([
            [0, 'on'],
            [1, 'off'],
          ]),
          3,
        ),
      ),
    ).toEqual([
      [0, 'on'],
      [1, 'off'],
    ]);
  });
});
