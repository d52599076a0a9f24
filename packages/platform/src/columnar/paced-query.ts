import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { DuckDBPendingResultState, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import type { Pace } from './idle-pace.ts';

/**
 * Runs a query in this thread, a task of the engine after the other (some ten ms each), and rests in between.
 *
 * Not for a query that asks this thread for rows: it would wait for itself. The engine has one thread of its own, this one; where another
 * one had all tasks, it waits for that.
 *
 * @returns its rows
 */
export async function readPaced(connection: DuckDBConnection, sql: string, pace: Pace): Promise<DuckDBValue[][]> {
  const pending = await connection.start(sql);
  for (;;) {
    const state = pending.runTask();
    if (state === DuckDBPendingResultState.RESULT_READY) break;
    if (state === DuckDBPendingResultState.NO_TASKS_AVAILABLE) await pause(1);
    pace.rest();
    // Calls are heard meanwhile.
    await nextTurn();
  }
  return (await pending.readAll()).getRows();
}
