import { formatTime } from '../format/age.ts';
import { formatNumber } from '../format/number-format.ts';
import type { ChartColumns } from './chart-columns.ts';

/** What stands beside a chart's name: the row under the cursor, or the extremes of what is shown. */
export function readout(columns: ChartColumns, row: number | undefined, kind: 'number' | 'boolean'): string {
  if (row === undefined) return kind === 'boolean' ? '' : extremes(columns);
  const timeMs = columns.times[row];
  const value = columns.mid[row];
  if (timeMs === undefined || value === undefined || value === null) return '';
  const low = columns.low?.[row];
  const high = columns.high?.[row];
  const at = formatTime(timeMs);
  if (kind === 'boolean' && low === undefined) return `${at}   ${value === 1}`;
  if (kind === 'boolean') return `${at}   true ${Math.round(value * 100)} %`;
  const band =
    typeof low === 'number' && typeof high === 'number' && low !== high ? `   ${formatNumber(low)} … ${formatNumber(high)}` : '';
  return `${at}   ${formatNumber(value)}${band}`;
}

function extremes(columns: ChartColumns): string {
  let low = Infinity;
  let high = -Infinity;
  for (const value of columns.low ?? columns.mid) if (value !== null && value < low) low = value;
  for (const value of columns.high ?? columns.mid) if (value !== null && value > high) high = value;
  return low > high ? '' : `min ${formatNumber(low)}   max ${formatNumber(high)}`;
}
