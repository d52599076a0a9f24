import type { ChartColumns } from './chart-columns.ts';

/** So many usual intervals without a point are a gap. */
const INTERVALS_THAT_MAKE_A_GAP = 3.5;
const FEWEST_POINTS = 4;

/**
 * The longest silence that is still drawn as a line: 3.5 times the interval that 90 % of the points keep.
 * A device that reports at irregular times thus keeps its line, one that was off shows it. Infinity for fewer than four points.
 */
export function longestSilenceMs(times: readonly number[], atLeastMs: number): number {
  if (times.length < FEWEST_POINTS) return Infinity;
  const intervals: number[] = [];
  const stride = Math.max(1, Math.floor(times.length / 2000));
  for (let i = 1; i < times.length; i += stride) intervals.push((times[i] ?? 0) - (times[i - 1] ?? 0));
  intervals.sort((a, b) => a - b);
  const usual = intervals[Math.floor((intervals.length - 1) * 0.9)] ?? 0;
  return Math.max(atLeastMs, usual * INTERVALS_THAT_MAKE_A_GAP);
}

/** A row of nulls in every silence that is longer: the chart breaks its line there. */
export function withGaps(columns: ChartColumns, silenceMs: number): ChartColumns {
  const { times, mid, low, high } = columns;
  const banded = low !== undefined && high !== undefined;
  let cuts = 0;
  for (let i = 1; i < times.length; i++) if ((times[i] ?? 0) - (times[i - 1] ?? 0) > silenceMs) cuts++;
  if (cuts === 0) return columns;
  const out = {
    times: [] as number[],
    mid: [] as (number | null)[],
    low: [] as (number | null)[],
    high: [] as (number | null)[],
  };
  const push = (timeMs: number, m: number | null, l: number | null, h: number | null) => {
    out.times.push(timeMs);
    out.mid.push(m);
    if (!banded) return;
    out.low.push(l);
    out.high.push(h);
  };
  for (let i = 0; i < times.length; i++) {
    const timeMs = times[i] ?? 0;
    const before = times[i - 1];
    if (before !== undefined && timeMs - before > silenceMs) push((before + timeMs) / 2, null, null, null);
    push(timeMs, mid[i] ?? null, low?.[i] ?? null, high?.[i] ?? null);
  }
  return banded ? out : { times: out.times, mid: out.mid };
}
