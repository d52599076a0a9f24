import type uPlot from 'uplot';

/** A point between two gaps has no line: it gets a dot. `null` lets uPlot draw as it would. */
export function isolatedPoints(plot: uPlot, seriesIdx: number, show: boolean): number[] | null {
  if (show) return null;
  const values = plot.data[seriesIdx] ?? [];
  const [first, last] = plot.series[0]?.idxs ?? [0, values.length - 1];
  const found = indexesAlone(values, Math.max(0, first - 1), Math.min(values.length - 1, last + 1));
  return found.length === 0 ? null : found;
}

/** Where a value has nothing on either side. */
export function indexesAlone(values: ArrayLike<number | null | undefined>, first: number, last: number): number[] {
  const found: number[] = [];
  for (let i = first; i <= last; i++) {
    if (isValue(values[i]) && !isValue(values[i - 1]) && !isValue(values[i + 1])) found.push(i);
  }
  return found;
}

function isValue(value: number | null | undefined): boolean {
  return value !== null && value !== undefined;
}
