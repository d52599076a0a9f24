import type { Point, PointValue } from '../api/telemetry.ts';

/**
 * One metric as a chart takes it: columns of equal length, times strictly ascending.
 * `low` and `high` are there for buckets, absent for raw points.
 */
export interface ChartColumns {
  readonly times: readonly number[];
  readonly mid: readonly (number | null)[];
  readonly low?: readonly (number | null)[];
  readonly high?: readonly (number | null)[];
}

export const NO_COLUMNS: ChartColumns = { times: [], mid: [] };

/** Booleans are 0 and 1; text has no place on a number axis. */
export function toNumber(value: PointValue): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

export function columnsFromPoints(points: readonly Point[]): ChartColumns {
  const times: number[] = [];
  const mid: number[] = [];
  for (const [timeMs, value] of points) {
    const number = toNumber(value);
    if (number === undefined) continue;
    times.push(timeMs);
    mid.push(number);
  }
  return { times, mid };
}

/**
 * The three answers joined by bucket. They were asked one after the other while data came in:
 * a bucket that is not in all of them is left for the next fetch.
 */
export function columnsFromBuckets(mean: readonly Point[], min: readonly Point[], max: readonly Point[]): ChartColumns {
  const mins = new Map(min);
  const maxs = new Map(max);
  const times: number[] = [];
  const columns = { mid: [] as number[], low: [] as number[], high: [] as number[] };
  for (const [timeMs, value] of mean) {
    const middle = toNumber(value);
    const low = toNumber(mins.get(timeMs) ?? '');
    const high = toNumber(maxs.get(timeMs) ?? '');
    if (middle === undefined || low === undefined || high === undefined) continue;
    times.push(timeMs);
    columns.mid.push(middle);
    columns.low.push(low);
    columns.high.push(high);
  }
  return { times, ...columns };
}

/**
 * Live points (any order, duplicates allowed) added behind and between the fetched ones.
 * The live value wins at an equal time, as the later arrival does in the store.
 * For buckets a point widens the band of its bucket; only a bucket past the last fetched one is made of live points alone.
 */
export function withLive(base: ChartColumns, live: readonly Point[], everyMs: number): ChartColumns {
  const fresh = live
    .map(([t, value]) => [t, toNumber(value)] as const)
    .filter((pair): pair is readonly [number, number] => pair[1] !== undefined);
  if (fresh.length === 0) return base;
  if (base.low !== undefined && base.high !== undefined)
    return foldIntoBuckets(base.times, base.mid, base.low, base.high, fresh, everyMs);
  const byTime = new Map<number, number | null>();
  const firstFresh = fresh.reduce((first, [t]) => Math.min(first, t), Infinity);
  let keep = base.times.length;
  while (keep > 0 && (base.times[keep - 1] ?? 0) >= firstFresh) keep--;
  for (let i = keep; i < base.times.length; i++) byTime.set(base.times[i] ?? 0, base.mid[i] ?? null);
  for (const [t, value] of fresh) byTime.set(t, value);
  const tail = [...byTime].sort((a, b) => a[0] - b[0]);
  return {
    times: [...base.times.slice(0, keep), ...tail.map(([t]) => t)],
    mid: [...base.mid.slice(0, keep), ...tail.map(([, value]) => value)],
  };
}

type Column = readonly (number | null)[];

function foldIntoBuckets(
  baseTimes: readonly number[],
  baseMid: Column,
  baseLow: Column,
  baseHigh: Column,
  fresh: readonly (readonly [number, number])[],
  everyMs: number,
): ChartColumns {
  const times = [...baseTimes];
  const [mid, low, high] = [[...baseMid], [...baseLow], [...baseHigh]];
  const anchor = times.at(-1) ?? Math.floor((fresh[0]?.[0] ?? 0) / everyMs) * everyMs;
  const counts = new Map<number, number>();
  for (const [timeMs, value] of [...fresh].sort((a, b) => a[0] - b[0])) {
    const start = anchor + Math.floor((timeMs - anchor) / everyMs) * everyMs;
    const last = times.length - 1;
    if (last < 0 || start > (times[last] ?? 0)) {
      times.push(start);
      mid.push(value);
      low.push(value);
      high.push(value);
      counts.set(start, 1);
      continue;
    }
    const at = times.lastIndexOf(start);
    if (at < 0) continue;
    low[at] = Math.min(low[at] ?? value, value);
    high[at] = Math.max(high[at] ?? value, value);
    const count = counts.get(start);
    if (count === undefined) continue;
    mid[at] = ((mid[at] ?? value) * count + value) / (count + 1);
    counts.set(start, count + 1);
  }
  return { times, mid, low, high };
}

/** Only what is in the window, and one row on each side so that lines run to its edges. */
export function clip(columns: ChartColumns, fromMs: number, toMs: number): ChartColumns {
  const { times } = columns;
  let start = 0;
  while (start < times.length && (times[start] ?? 0) < fromMs) start++;
  let end = times.length;
  while (end > start && (times[end - 1] ?? 0) > toMs) end--;
  return slice(columns, Math.max(0, start - 1), Math.min(times.length, end + 1));
}

function slice({ times, mid, low, high }: ChartColumns, start: number, end: number): ChartColumns {
  if (start === 0 && end === times.length) return { times, mid, ...(low && high ? { low, high } : {}) };
  const cut = { times: times.slice(start, end), mid: mid.slice(start, end) };
  return low && high ? { ...cut, low: low.slice(start, end), high: high.slice(start, end) } : cut;
}
