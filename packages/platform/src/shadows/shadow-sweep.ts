import type { StateDatabase } from '../database/schema.ts';

/** How long what is known of the past is kept. */
export interface HistoryBounds {
  readonly maxAgeMs: number;
  /** Of all shadows together. */
  readonly maxRows: number;
}

/** AWS keeps the version of a shadow that was deleted for 48 hours ("Deleting a shadow does not reset its version number"). */
export const TOMBSTONE_MS = 48 * 3_600_000;
/** Rows that one step takes away: some ms. */
export const SWEEP_STEP = 1_000;

/** Takes the oldest history away, some of it. @returns how many rows may have gone. */
export async function sweepHistory(database: StateDatabase, bounds: HistoryBounds, nowMs: number): Promise<number> {
  const first = await endOfHistory(database, 'asc');
  const last = await endOfHistory(database, 'desc');
  if (first === undefined || last === undefined) return 0;
  const stepEnd = Math.min(first + SWEEP_STEP, last);
  let upTo = Math.min(stepEnd, last - bounds.maxRows + 1);
  if (upTo < stepEnd) {
    // Ids grow with time: what is too old stands before all that is not.
    const kept = await database
      .selectFrom('shadow_history')
      .select('id')
      .where('id', '>=', first)
      .where('id', '<', stepEnd)
      .where('at_ms', '>=', nowMs - bounds.maxAgeMs)
      .orderBy('id')
      .limit(1)
      .executeTakeFirst();
    upTo = Math.max(upTo, kept === undefined ? stepEnd : Number(kept.id));
  }
  if (upTo <= first) return 0;
  // The last row stays: ids are never given twice.
  await database.deleteFrom('shadow_history').where('id', '<', upTo).execute();
  return upTo - first;
}

/** Forgets shadows that were deleted long ago, some of them. @returns their paths. */
export async function sweepTombstones(database: StateDatabase, nowMs: number): Promise<readonly string[]> {
  const rows = await database
    .selectFrom('shadow')
    .select(['id', 'path'])
    .where('deleted_at_ms', 'is not', null)
    .where('deleted_at_ms', '<=', nowMs - TOMBSTONE_MS)
    .orderBy('deleted_at_ms')
    .limit(SWEEP_STEP)
    .execute();
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  await database.deleteFrom('shadow').where('id', 'in', ids).execute();
  return rows.map((row) => row.path);
}

async function endOfHistory(database: StateDatabase, direction: 'asc' | 'desc'): Promise<number | undefined> {
  const row = await database.selectFrom('shadow_history').select('id').orderBy('id', direction).limit(1).executeTakeFirst();
  return row === undefined ? undefined : Number(row.id);
}
