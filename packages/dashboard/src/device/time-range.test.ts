import { expect, it } from 'vitest';
import {
  movedRange,
  parseRangeSearch,
  rangeFromSearch,
  scaledRange,
  searchFromRange,
  wholeRange,
  windowAt,
  zoomRange,
  type TimeRange,
} from './time-range.ts';

const HOUR = 3_600_000;

it('a preset ends now, two times stay where they are', () => {
  expect(windowAt({ kind: 'live', preset: '1h' }, 10 * HOUR)).toEqual({ fromMs: 9 * HOUR, toMs: 10 * HOUR });
  expect(windowAt({ kind: 'fixed', fromMs: 1, toMs: 2 }, 10 * HOUR)).toMatchObject({ fromMs: 1, toMs: 2 });
});

it('goes into the address and comes back the same', () => {
  const ranges: TimeRange[] = [{ kind: 'live', preset: '7d' }, { kind: 'all' }, { kind: 'fixed', fromMs: 1000, toMs: 5000 }];
  for (const range of ranges) expect(rangeFromSearch(parseRangeSearch({ ...searchFromRange(range) }))).toEqual(range);
});

it('takes nonsense in the address for the default', () => {
  for (const search of [
    {},
    { range: '3y' },
    { from: 5, to: 5 },
    { from: 'x', to: 9 },
    { from: 1 },
    { from: Number.NaN, to: 5 },
  ]) {
    expect(rangeFromSearch(parseRangeSearch(search))).toEqual({ kind: 'live', preset: '5m' });
  }
});

it('zooms to what was dragged, in either direction, and not below a second', () => {
  expect(zoomRange(9000.4, 2000.6)).toEqual({ kind: 'fixed', fromMs: 2000, toMs: 9001 });
  expect(zoomRange(5000, 5001)).toEqual({ kind: 'fixed', fromMs: 4501, toMs: 5501 });
});

it('moves by parts of its length, and not past now', () => {
  const range: TimeRange = { kind: 'fixed', fromMs: 4 * HOUR, toMs: 6 * HOUR };
  expect(movedRange(range, 100 * HOUR, -0.5)).toEqual({ kind: 'fixed', fromMs: 3 * HOUR, toMs: 5 * HOUR });
  expect(movedRange(range, 6.5 * HOUR, 0.5)).toEqual({ kind: 'fixed', fromMs: 4.5 * HOUR, toMs: 6.5 * HOUR });
  expect(movedRange(range, 5 * HOUR, 0.5)).toEqual(range);
});

it('grows and shrinks around its middle, or at its end where that is now', () => {
  expect(scaledRange({ kind: 'fixed', fromMs: 4 * HOUR, toMs: 6 * HOUR }, 100 * HOUR, 2)).toEqual({
    kind: 'fixed',
    fromMs: 3 * HOUR,
    toMs: 7 * HOUR,
  });
  expect(scaledRange({ kind: 'live', preset: '1h' }, 10 * HOUR, 0.5)).toEqual({
    kind: 'fixed',
    fromMs: 9.5 * HOUR,
    toMs: 10 * HOUR,
  });
});

it('everything runs from the first point to now, or to a last point that is long ago or still to come', () => {
  expect(windowAt(wholeRange(2 * HOUR, 99 * HOUR, 100 * HOUR), 101 * HOUR)).toEqual({ fromMs: 2 * HOUR, toMs: 101 * HOUR });
  expect(windowAt(wholeRange(2 * HOUR, 12 * HOUR, 100 * HOUR), 101 * HOUR)).toEqual({ fromMs: 2 * HOUR, toMs: 12 * HOUR + 1 });
  expect(windowAt(wholeRange(2 * HOUR, 120 * HOUR, 100 * HOUR), 101 * HOUR).toMs).toBe(120 * HOUR + 1);
  const { fromMs, toMs } = windowAt(wholeRange(5 * HOUR, 5 * HOUR, 5 * HOUR), 5 * HOUR);
  expect(fromMs).toBeLessThan(toMs);
});
