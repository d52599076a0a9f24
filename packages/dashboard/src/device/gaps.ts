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

/** A row without a value in every silence that is longer: the chart breaks its line there. */
export function withGaps(columns: ChartColumns, silenceMs: number): ChartColumns {
  const out = { times: [] as number[], values: [] as (number | null)[] };
  columns.times.forEach((timeMs, i) => {
    const before = columns.times[i - 1];
    if (before !== undefined && timeMs - before > silenceMs) {
      out.times.push((before + timeMs) / 2);
      out.values.push(null);
    }
    out.times.push(timeMs);
    out.values.push(columns.values[i] ?? null);
  });
  return out.times.length === columns.times.length ? columns : out;
}
