import { expect, it } from 'vitest';
import { sparklineArea, sparklinePath } from './sparkline-path.ts';

const BOX = { width: 100, height: 12 };

it('fits the points into the box, the highest one unit below the top', () => {
  expect(
    sparklinePath(
      [
        { x: 0, y: 5 },
        { x: 5, y: 15 },
        { x: 10, y: 10 },
      ],
      BOX,
    ),
  ).toBe('M0.0 11.0L50.0 1.0L100.0 6.0');
});

it('breaks where points are too far apart', () => {
  expect(
    sparklinePath(
      [
        { x: 0, y: 0 },
        { x: 1, y: 1 },
        { x: 10, y: 0 },
      ],
      { ...BOX, breakAfter: 3 },
    ),
  ).toBe('M0.0 11.0L10.0 1.0M100.0 11.0');
});

it('draws over a fixed span that ends with the last point, and fills down to the bottom', () => {
  const path = sparklinePath(
    [
      { x: 0, y: 9 },
      { x: 50, y: 1 },
      { x: 100, y: 2 },
    ],
    { ...BOX, spanX: 50, fromZero: true },
  );
  expect(path).toBe('M0.0 9.9L100.0 8.8');
  expect(sparklineArea(path, BOX)).toBe('M0.0 9.9L100.0 8.8L100 12L0.0 12Z');
});

it('draws a constant in the middle, and nothing for fewer than two points', () => {
  expect(
    sparklinePath(
      [
        { x: 0, y: 3 },
        { x: 1, y: 3 },
      ],
      BOX,
    ),
  ).toBe('M0.0 6.0L100.0 6.0');
  expect(sparklinePath([{ x: 0, y: 3 }], BOX)).toBe('');
});
