import { formatTime } from '../format/age.ts';
import { formatNumber } from '../format/number-format.ts';
import type { ChartColumns } from './chart-columns.ts';

/** What stands beside a chart's name: the row under the cursor, or the extremes of what is shown. */
export function readout(columns: ChartColumns, row: number | undefined, kind: 'number' | 'boolean'): string {
  if (row === undefined) return kind === 'boolean' ? '' : extremes(columns);
  const timeMs = columns.times[row];
  const value = columns.values[row];
  if (timeMs === undefined || value === undefined || value === null) return '';
  return `${formatTime(timeMs)}   ${kind === 'boolean' ? String(value === 1) : formatNumber(value)}`;
}

function extremes({ values }: ChartColumns): string {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? '' : `min ${formatNumber(low)}   max ${formatNumber(high)}`;
}
