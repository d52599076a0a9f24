import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Caller } from '../kernel/thread-channel.ts';
import { sizeOfDatabase } from '../telemetry/unlinked-file.ts';
import { ROLLUPS_AT_ONCE, type RollupKey, type RollupsOf, type UpkeepStoreCalls } from '../telemetry/upkeep-calls.ts';

const PAGE = 10_000;
const KEYS = `SELECT period, series, generation FROM rollup
  WHERE (period, series, generation) > (?, ?, ?) ORDER BY period, series, generation LIMIT ${PAGE}`;

/**
 * Deletes the rows of series that are let go from a file of rollups, and gives their room back.
 *
 * @returns the bytes that the file is smaller by; 'gone' where there is no such file any more
 */
export async function trimRollups(options: {
  readonly store: Caller<UpkeepStoreCalls>;
  readonly of: RollupsOf;
  readonly path: string;
  readonly goes: (series: number) => boolean;
  readonly signal: AbortSignal;
}): Promise<number | 'gone'> {
  const { store, of, path, goes, signal } = options;
  const before = sizeOfDatabase(path);
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('PRAGMA busy_timeout = 1000');
    const page = db.prepare(KEYS);
    page.setReturnArrays(true);
    let after = [-1e9, -1, -1];
    for (;;) {
      const rows = page.all(...after) as unknown as [number, number, number][];
      const going = rows
        .filter(([, series]) => goes(series))
        .map(([period, series, generation]): RollupKey => ({ period, series, generation }));
      for (let start = 0; start < going.length; start += ROLLUPS_AT_ONCE) {
        signal.throwIfAborted();
        if (!(await store.call('deleteRollups', { ...of, rows: going.slice(start, start + ROLLUPS_AT_ONCE) }))) return 'gone';
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) break;
      after = last;
      await nextTurn();
    }
  } finally {
    db.close();
  }
  while (await store.call('shrinkRollups', of)) signal.throwIfAborted();
  return Math.max(0, before - sizeOfDatabase(path));
}
