import { describe, expect, it } from 'vitest';
import { clip, columnsFromBuckets, columnsFromPoints, withLive } from './chart-columns.ts';

it('draws booleans as 0 and 1 and leaves text out', () => {
  expect(
    columnsFromPoints([
      [1, true],
      [2, false],
      [3, 'x'],
      [4, 2.5],
    ]),
  ).toEqual({ times: [1, 2, 4], mid: [1, 0, 2.5] });
});

it('joins mean, minimum and maximum by bucket and leaves a half-known one out', () => {
  const columns = columnsFromBuckets(
    [
      [0, 5],
      [60, 6],
      [120, 7],
    ],
    [
      [0, 1],
      [60, 2],
    ],
    [
      [0, 9],
      [60, 8],
      [120, 9],
    ],
  );
  expect(columns).toEqual({ times: [0, 60], mid: [5, 6], low: [1, 2], high: [9, 8] });
});

describe('live points behind fetched ones', () => {
  const base = { times: [10, 20, 30], mid: [1, 2, 3] };

  it('are appended', () => {
    expect(
      withLive(
        base,
        [
          [40, 4],
          [50, 5],
        ],
        0,
      ),
    ).toEqual({ times: [10, 20, 30, 40, 50], mid: [1, 2, 3, 4, 5] });
  });

  it('may be late, out of order or known already: times stay ascending, the live value wins', () => {
    expect(
      withLive(
        base,
        [
          [40, 4],
          [25, 9],
          [30, 8],
        ],
        0,
      ),
    ).toEqual({ times: [10, 20, 25, 30, 40], mid: [1, 2, 9, 8, 4] });
    expect(withLive(base, [[5, 0]], 0)).toEqual({ times: [5, 10, 20, 30], mid: [0, 1, 2, 3] });
  });

  it('change nothing when there are none, and never the fetched columns themselves', () => {
    expect(withLive(base, [], 0)).toBe(base);
    withLive(base, [[30, 99]], 0);
    expect(base.mid).toEqual([1, 2, 3]);
  });
});

describe('live points in buckets', () => {
  const base = { times: [0, 60], mid: [5, 6], low: [4, 5], high: [6, 7] };

  it('widen the band of a fetched bucket, whose mean stays the one of the store', () => {
    expect(
      withLive(
        base,
        [
          [70, 9],
          [75, 1],
        ],
        60,
      ),
    ).toEqual({ times: [0, 60], mid: [5, 6], low: [4, 1], high: [6, 9] });
  });

  it('make new buckets, with the mean of what came', () => {
    expect(
      withLive(
        base,
        [
          [121, 2],
          [179, 4],
          [300, 8],
        ],
        60,
      ),
    ).toEqual({
      times: [0, 60, 120, 300],
      mid: [5, 6, 3, 8],
      low: [4, 5, 2, 8],
      high: [6, 7, 4, 8],
    });
  });

  it('begin the chart of a device that had none', () => {
    expect(withLive({ times: [], mid: [], low: [], high: [] }, [[125, 3]], 60)).toEqual({
      times: [120],
      mid: [3],
      low: [3],
      high: [3],
    });
  });
});

it('keeps of a window its points and one on each side', () => {
  const columns = { times: [1, 2, 3, 4, 5, 6], mid: [1, 2, 3, 4, 5, 6] };
  expect(clip(columns, 3, 4)).toEqual({ times: [2, 3, 4, 5], mid: [2, 3, 4, 5] });
  expect(clip(columns, 0, 9)).toEqual(columns);
});
