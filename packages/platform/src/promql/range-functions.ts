/** A window of samples of one series: `times[start..end)`, for the range (fromMs, toMs]. */
export interface Window {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly start: number;
  readonly end: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Gives `undefined` where there is no answer. `parameter`: of those functions that have one. */
export type RangeFunction = (window: Window, parameter: number) => number | undefined;

/** Sums with the error carried along (Kahan-Babuska). */
function sumOf({ values, start, end }: Window): number {
  let sum = 0;
  let lost = 0;
  for (let i = start; i < end; i++) {
    const value = values[i]!;
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return Number.isFinite(sum) ? sum + lost : sum;
}

function count({ start, end }: Window): number {
  return end - start;
}

/** NaN counts only where there is nothing else. */
function extreme(window: Window, isBetter: (value: number, than: number) => boolean): number {
  let best = window.values[window.start]!;
  for (let i = window.start + 1; i < window.end; i++) {
    const value = window.values[i]!;
    if (isBetter(value, best) || Number.isNaN(best)) best = value;
  }
  return best;
}

function variance(window: Window): number {
  const mean = sumOf(window) / count(window);
  let sum = 0;
  for (let i = window.start; i < window.end; i++) sum += (window.values[i]! - mean) ** 2;
  return sum / count(window);
}

/** By linear interpolation between the two values that are nearest to the rank. @param values is sorted */
export function quantileOf(share: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(share)) return NaN;
  if (share < 0) return -Infinity;
  if (share > 1) return Infinity;
  const sorted = values.sort();
  // They are sorted to the end, and belong to the beginning.
  let numbers = sorted.length;
  while (numbers > 0 && Number.isNaN(sorted[numbers - 1])) numbers--;
  sorted.copyWithin(sorted.length - numbers, 0, numbers).fill(NaN, 0, sorted.length - numbers);
  const rank = share * (sorted.length - 1);
  const low = Math.max(0, Math.floor(rank));
  const high = Math.min(sorted.length - 1, low + 1);
  const weight = rank - Math.floor(rank);
  return sorted[low]! * (1 - weight) + sorted[high]! * weight;
}

/**
 * `rate`, `increase` and `delta`: the change between the first and the last sample, extended to the ends of the range where samples reach
 * near enough to them (1.1 times their usual distance), else by half that distance; a counter is not extended below zero.
 */
function extrapolated(window: Window, isCounter: boolean, isRate: boolean): number | undefined {
  const { times, values, start, end, fromMs, toMs } = window;
  if (end - start < 2) return undefined;
  const first = values[start]!;
  let change = values[end - 1]! - first;
  if (isCounter) for (let i = start + 1; i < end; i++) if (values[i]! < values[i - 1]!) change += values[i - 1]!;
  const sampledMs = times[end - 1]! - times[start]!;
  const usualMs = sampledMs / (end - start - 1);
  const near = usualMs * 1.1;
  let beforeMs = times[start]! - fromMs;
  let afterMs = toMs - times[end - 1]!;
  if (beforeMs >= near) beforeMs = usualMs / 2;
  if (isCounter && change > 0 && first >= 0) beforeMs = Math.min(beforeMs, sampledMs * (first / change));
  if (afterMs >= near) afterMs = usualMs / 2;
  const extended = change * ((sampledMs + beforeMs + afterMs) / sampledMs);
  return isRate ? extended / ((toMs - fromMs) / 1000) : extended;
}

function instant({ times, values, start, end }: Window, isRate: boolean): number | undefined {
  if (end - start < 2) return undefined;
  const [before, last] = [values[end - 2]!, values[end - 1]!];
  const change = isRate && last < before ? last : last - before;
  return isRate ? change / ((times[end - 1]! - times[end - 2]!) / 1000) : change;
}

/** Slope a second and the value at `atMs`, by least squares. */
function regression({ times, values, start, end }: Window, atMs: number): { slope: number; intercept: number } {
  const n = end - start;
  let [sumX, sumY, sumXY, sumXX] = [0, 0, 0, 0];
  for (let i = start; i < end; i++) {
    const x = (times[i]! - atMs) / 1000;
    sumX += x;
    sumY += values[i]!;
    sumXY += x * values[i]!;
    sumXX += x * x;
  }
  const covariance = sumXY - (sumX * sumY) / n;
  const slope = covariance / (sumXX - (sumX * sumX) / n);
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}

function countWhere({ values, start, end }: Window, test: (value: number, before: number) => boolean): number {
  let found = 0;
  for (let i = start + 1; i < end; i++) if (test(values[i]!, values[i - 1]!)) found++;
  return found;
}

/** Those of PromQL over a range of samples that is never empty. The label of the metric goes with all but `last_over_time`. */
export const RANGE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  rate: (window) => extrapolated(window, true, true),
  increase: (window) => extrapolated(window, true, false),
  delta: (window) => extrapolated(window, false, false),
  irate: (window) => instant(window, true),
  idelta: (window) => instant(window, false),
  deriv: (window) => (count(window) < 2 ? undefined : regression(window, window.times[window.start]!).slope),
  predict_linear: (window, seconds) => {
    if (count(window) < 2) return undefined;
    const { slope, intercept } = regression(window, window.toMs);
    return slope * seconds + intercept;
  },
  avg_over_time: (window) => sumOf(window) / count(window),
  sum_over_time: sumOf,
  count_over_time: count,
  min_over_time: (window) => extreme(window, (value, than) => value < than),
  max_over_time: (window) => extreme(window, (value, than) => value > than),
  last_over_time: ({ values, end }) => values[end - 1]!,
  present_over_time: () => 1,
  stddev_over_time: (window) => Math.sqrt(variance(window)),
  stdvar_over_time: variance,
  quantile_over_time: ({ values, start, end }, share) => quantileOf(share, values.slice(start, end)),
  changes: (window) => countWhere(window, (value, before) => value !== before && !(Number.isNaN(value) && Number.isNaN(before))),
  resets: (window) => countWhere(window, (value, before) => value < before),
};
