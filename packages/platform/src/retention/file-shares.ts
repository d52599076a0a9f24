import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoredLevel } from './planner.ts';
import type { SeriesClass, SeriesClasses } from './series-classes.ts';

const PAGE = 10_000;
/** Points, from the index alone. */
const OF_DAY = `SELECT series, sum(count) FROM chunk WHERE series > ? GROUP BY series ORDER BY series LIMIT ${PAGE}`;
/** Bytes of the rows: they are of different lengths, and short beside what a row takes besides. */
const OF_ROLLUPS = `SELECT series, length(data) + 24, period, generation FROM rollup
  WHERE (period, series, generation) > (?, ?, ?) ORDER BY period, series, generation LIMIT ${PAGE}`;

/** How much of a file is of which class of series. Throws what SQLite throws. */
export async function readShares(
  path: string,
  level: StoredLevel,
  classes: Pick<SeriesClasses, 'of'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<SeriesClass, number>> {
  const shares = new Map<SeriesClass, number>();
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('PRAGMA busy_timeout = 1000; PRAGMA cache_size = -4096');
    const page = db.prepare(level === 'raw' ? OF_DAY : OF_ROLLUPS);
    page.setReturnArrays(true);
    let after: readonly number[] = level === 'raw' ? [-1] : [-1e9, -1, -1];
    for (;;) {
      const rows = page.all(...after) as unknown as [series: number, share: number, period: number, generation: number][];
      for (const [series, share] of rows) {
        const found = classes.of(series);
        shares.set(found, (shares.get(found) ?? 0) + share);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return shares;
      after = level === 'raw' ? [last[0]] : [last[2], last[0], last[3]];
      await nextTurn();
      signal.throwIfAborted();
    }
  } finally {
    db.close();
  }
}
