import type { Point, PointValue } from '../api/telemetry.ts';

/** One metric as a chart takes it: columns of equal length, times strictly ascending; null breaks the line. */
export interface ChartColumns {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

export const NO_COLUMNS: ChartColumns = { times: [], values: [] };

/** Booleans are 0 and 1; text has no place on a number axis. */
export function toNumber(value: PointValue): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

export function columnsFromPoints(points: readonly Point[]): ChartColumns {
  const times: number[] = [];
  const values: number[] = [];
  for (const [timeMs, value] of points) {
    const number = toNumber(value);
    if (number === undefined) continue;
    times.push(timeMs);
    values.push(number);
  }
  return { times, values };
}

/**
 * Live points (any order, duplicates allowed) added behind and between the fetched ones.
 * The live value wins at an equal time, as the later arrival does in the store.
 */
export function withLive(base: ChartColumns, live: readonly Point[]): ChartColumns {
  const fresh = live
    .map(([t, value]) => [t, toNumber(value)] as const)
    .filter((pair): pair is readonly [number, number] => pair[1] !== undefined);
  if (fresh.length === 0) return base;
  const byTime = new Map<number, number | null>();
  const firstFresh = fresh.reduce((first, [t]) => Math.min(first, t), Infinity);
  let keep = base.times.length;
  while (keep > 0 && (base.times[keep - 1] ?? 0) >= firstFresh) keep--;
  for (let i = keep; i < base.times.length; i++) byTime.set(base.times[i] ?? 0, base.values[i] ?? null);
  for (const [t, value] of fresh) byTime.set(t, value);
  const tail = [...byTime].sort((a, b) => a[0] - b[0]);
  return {
    times: [...base.times.slice(0, keep), ...tail.map(([t]) => t)],
    values: [...base.values.slice(0, keep), ...tail.map(([, value]) => value)],
  };
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

function slice({ times, values }: ChartColumns, start: number, end: number): ChartColumns {
  return start === 0 && end === times.length
    ? { times, values }
    : { times: times.slice(start, end), values: values.slice(start, end) };
}
