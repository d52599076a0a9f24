import { describe, expect, it } from 'vitest';
import { clip, columnsFromPoints, withLive } from './chart-columns.ts';

it('draws booleans as 0 and 1 and leaves text out', () => {
  expect(
    columnsFromPoints([
      [1, true],
      [2, false],
      [3, 'x'],
      [4, 2.5],
    ]),
  ).toEqual({ times: [1, 2, 4], values: [1, 0, 2.5] });
});

describe('live points behind fetched ones', () => {
  const base = { times: [10, 20, 30], values: [1, 2, 3] };

  it('are appended', () => {
    expect(
      withLive(base, [
        [40, 4],
        [50, 5],
      ]),
    ).toEqual({ times: [10, 20, 30, 40, 50], values: [1, 2, 3, 4, 5] });
  });

  it('may be late, out of order or known already: times stay ascending, the live value wins', () => {
    expect(
      withLive(base, [
        [40, 4],
        [25, 9],
        [30, 8],
      ]),
    ).toEqual({ times: [10, 20, 25, 30, 40], values: [1, 2, 9, 8, 4] });
    expect(withLive(base, [[5, 0]])).toEqual({ times: [5, 10, 20, 30], values: [0, 1, 2, 3] });
  });

  it('change nothing when there are none, and never the fetched columns themselves', () => {
    expect(withLive(base, [])).toBe(base);
    withLive(base, [[30, 99]]);
    expect(base.values).toEqual([1, 2, 3]);
  });
});

it('keeps of a window its points and one on each side', () => {
  const columns = { times: [1, 2, 3, 4, 5, 6], values: [1, 2, 3, 4, 5, 6] };
  expect(clip(columns, 3, 4)).toEqual({ times: [2, 3, 4, 5], values: [2, 3, 4, 5] });
  expect(clip(columns, 0, 9)).toEqual(columns);
});
