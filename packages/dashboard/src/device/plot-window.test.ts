import { expect, it } from 'vitest';
import { plotColumns, plotWindow, refetchEveryMs } from './plot-window.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

it('has as many columns as the plot has pixels, in steps, so that a small resize asks nothing', () => {
  expect(plotColumns(600, 1)).toBe(550);
  expect(plotColumns(612, 1)).toBe(550);
  expect(plotColumns(600, 2)).toBe(1050);
  expect(plotColumns(50, 1)).toBe(100);
  expect(plotColumns(40_000, 3)).toBe(4_000);
});

it('keeps its columns where they are while the window moves', () => {
  const first = plotWindow(0, HOUR, 500, 60_000);
  const columnMs = HOUR / 500;
  expect(first.toMs - first.fromMs).toBe(first.widthPx * columnMs);
  for (const moved of [1, 999, columnMs, 12_345]) {
    const next = plotWindow(moved, HOUR + moved, 500, 60_000);
    expect(next.fromMs % columnMs).toBe(0);
    expect(next.fromMs).toBeLessThanOrEqual(moved);
    expect(next.toMs).toBeGreaterThanOrEqual(HOUR + moved + 60_000);
  }
});

it('asks for at least three columns and at most ten thousand, however short or long the window is', () => {
  for (const [from, to, ahead] of [
    [0, 1, 0],
    [5, 1005, 60_000],
    [0, 5 * 365 * DAY, 0],
  ] as const) {
    const { widthPx } = plotWindow(from, to, 4_000, ahead);
    expect(widthPx).toBeGreaterThanOrEqual(3);
    expect(widthPx).toBeLessThanOrEqual(10_000);
  }
});

it('fetches again no more often than something new can be seen', () => {
  expect(refetchEveryMs(5 * 60_000, 500)).toBe(30_000);
  expect(refetchEveryMs(30 * DAY, 500)).toBe(300_000);
});
