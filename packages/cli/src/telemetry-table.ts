import type { Columns, Value } from './api-client.ts';
import { formatTable } from './table.ts';

export interface TableOptions {
  /** Metrics that come first, in this order. */
  readonly order?: readonly string[];
  /** The values were computed: shown with 8 digits, as no sensor has more. Values as they were sent are shown whole. */
  readonly aggregated?: boolean;
  /** IANA name of the zone in which times are shown. */
  readonly timeZone?: string;
}

/** One row a time, one column a metric that has points; undefined when there are none. */
export function tableOf(columns: Columns, options: TableOptions = {}): string | undefined {
  const given = Object.keys(columns).filter((metric) => columns[metric]?.length !== 0);
  const metrics = [...new Set([...(options.order ?? []).filter((metric) => given.includes(metric)), ...given])];
  if (metrics.length === 0) return undefined;
  const formatTime = timeFormat(options.timeZone ?? 'UTC');
  const rows = new Map<number, string[]>();
  for (const [column, metric] of metrics.entries()) {
    for (const [timeMs, value] of columns[metric] ?? []) {
      let row = rows.get(timeMs);
      if (row === undefined) rows.set(timeMs, (row = [formatTime(timeMs), ...metrics.map(() => '')]));
      row[column + 1] = options.aggregated === true ? shortened(value) : String(value);
    }
  }
  const sorted = [...rows].sort(([a], [b]) => a - b).map(([, row]) => row);
  return formatTable(['time', ...metrics], sorted);
}

/** The metrics that an answer names and has no points of. */
export function emptyMetrics(columns: Columns): string[] {
  return Object.keys(columns).filter((metric) => columns[metric]?.length === 0);
}

function shortened(value: Value): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(8))) : String(value);
}

/** ISO 8601: `2026-01-31T12:00:00.000Z`, or with the offset that a zone has at that time: `2026-01-31T13:00:00+01:00`. */
function timeFormat(timeZone: string): (timeMs: number) => string {
  if (timeZone.toUpperCase() === 'UTC') return (timeMs) => new Date(timeMs).toISOString();
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  return (timeMs) => {
    const parts = Object.fromEntries(format.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    const offset = (parts['timeZoneName'] ?? '').replace('GMT', '') || '+00:00';
    return `${parts['year']}-${parts['month']}-${parts['day']}T${parts['hour']}:${parts['minute']}:${parts['second']}${offset}`;
  };
}
