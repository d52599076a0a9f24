import type { PointColumns, PointValue } from './telemetry-queries.ts';

/** Points of one series: times strictly ascending whole ms, `values[i]` belongs to `times[i]`. */
export type Columns = PointColumns;

export const NO_NUMBERS: Float64Array = new Float64Array(0);
export const NO_POINTS: Columns = { times: NO_NUMBERS, values: NO_NUMBERS };

/** The first index whose time is not before `timeMs`; `times.length` if there is none. O(log n) */
export function lowerBound(times: Float64Array, timeMs: number, from = 0): number {
  let low = from;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The points with from <= time < to. Shares the arrays. */
export function sliceTime(columns: Columns, fromMs: number, toMs: number): Columns {
  const { times } = columns;
  const start = times.length > 0 && times[0]! >= fromMs ? 0 : lowerBound(times, fromMs);
  const end = times.length > 0 && times[times.length - 1]! < toMs ? times.length : lowerBound(times, toMs, start);
  return sliceIndex(columns, start, end);
}

export function sliceIndex(columns: Columns, start: number, end: number): Columns {
  const { times, values } = columns;
  if (start === 0 && end === times.length) return columns;
  return {
    times: times.subarray(start, end),
    values: values instanceof Float64Array ? values.subarray(start, end) : values.slice(start, end),
  };
}

/** Joins runs that follow one another in time. One run is returned as it is; otherwise each point is copied once. */
export function concatColumns(runs: readonly Columns[]): Columns {
  if (runs.length === 0) return NO_POINTS;
  if (runs.length === 1) return runs[0]!;
  let count = 0;
  for (const run of runs) count += run.times.length;
  const times = new Float64Array(count);
  let at = 0;
  for (const run of runs) {
    times.set(run.times, at);
    at += run.times.length;
  }
  return { times, values: concatValues(runs, count) };
}

function concatValues(runs: readonly Columns[], count: number): Columns['values'] {
  if (runs.every((run) => run.values instanceof Float64Array || run.times.length === 0)) {
    const numbers = new Float64Array(count);
    let at = 0;
    for (const { values } of runs) {
      if (values instanceof Float64Array) numbers.set(values, at);
      at += values.length;
    }
    return numbers;
  }
  const mixed: PointValue[] = [];
  for (const { values } of runs) {
    for (let i = 0; i < values.length; i++) mixed.push(values[i]!);
  }
  return mixed;
}

/**
 * Merges runs of one series that may overlap; at equal times the one later in the list wins.
 * Neighbours are merged pairwise, so k runs of n points cost O(n log k), and runs that do not overlap only a copy.
 */
export function mergeColumns(runs: readonly Columns[]): Columns {
  let level = runs.filter((run) => run.times.length > 0);
  while (level.length > 1) {
    const next: Columns[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const newer = level[i + 1];
      next.push(newer === undefined ? level[i]! : mergePair(level[i]!, newer));
    }
    level = next;
  }
  return level[0] ?? NO_POINTS;
}

function mergePair(older: Columns, newer: Columns): Columns {
  if (older.times[older.times.length - 1]! < newer.times[0]!) return concatColumns([older, newer]);
  if (newer.times[newer.times.length - 1]! < older.times[0]!) return concatColumns([newer, older]);
  const times = new Float64Array(older.times.length + newer.times.length);
  if (older.values instanceof Float64Array && newer.values instanceof Float64Array) {
    const values = new Float64Array(times.length);
    const count = mergeNumbers(older.times, older.values, newer.times, newer.values, times, values);
    return { times: times.subarray(0, count), values: values.subarray(0, count) };
  }
  const values: PointValue[] = [];
  mergeMixed(older, newer, times, values);
  return { times: times.subarray(0, values.length), values };
}

function mergeNumbers(
  aTimes: Float64Array,
  aValues: Float64Array,
  bTimes: Float64Array,
  bValues: Float64Array,
  times: Float64Array,
  values: Float64Array,
): number {
  let a = 0;
  let b = 0;
  let count = 0;
  while (a < aTimes.length && b < bTimes.length) {
    const aTime = aTimes[a]!;
    const bTime = bTimes[b]!;
    if (aTime < bTime) {
      times[count] = aTime;
      values[count++] = aValues[a++]!;
    } else {
      if (aTime === bTime) a++;
      times[count] = bTime;
      values[count++] = bValues[b++]!;
    }
  }
  const restTimes = a < aTimes.length ? aTimes.subarray(a) : bTimes.subarray(b);
  times.set(restTimes, count);
  values.set(a < aTimes.length ? aValues.subarray(a) : bValues.subarray(b), count);
  return count + restTimes.length;
}

function mergeMixed(older: Columns, newer: Columns, times: Float64Array, values: PointValue[]): void {
  let a = 0;
  let b = 0;
  while (a < older.times.length || b < newer.times.length) {
    const aTime = a < older.times.length ? older.times[a]! : Infinity;
    const bTime = b < newer.times.length ? newer.times[b]! : Infinity;
    times[values.length] = Math.min(aTime, bTime);
    values.push(bTime <= aTime ? newer.values[b]! : older.values[a]!);
    if (aTime <= bTime) a++;
    if (bTime <= aTime) b++;
  }
}
