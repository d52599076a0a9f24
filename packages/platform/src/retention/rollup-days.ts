import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { DAY_MS } from '../telemetry/day-file-schema.ts';

const PERIODS = 'SELECT (SELECT min(period) FROM rollup) AS first, (SELECT max(period) FROM rollup) AS last';

/**
 * The first and the last day that a file of rollups has something of. A file of hours tells days; one of days whole months,
 * which may not be over. Undefined where it has nothing, or is gone. Throws what SQLite throws.
 */
export function readRollupDays(
  path: string,
  level: 'hourly' | 'daily',
): { readonly firstDay: number; readonly lastDay: number } | undefined {
  if (!existsSync(path)) return undefined;
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('PRAGMA busy_timeout = 1000');
    const { first = null, last = null } = db.prepare(PERIODS).get() ?? {};
    if (first === null || last === null) return undefined;
    return { firstDay: Number(first), lastDay: level === 'hourly' ? Number(last) : endOfMonth(Number(last)) };
  } finally {
    db.close();
  }
}

function endOfMonth(day: number): number {
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS - 1;
}
