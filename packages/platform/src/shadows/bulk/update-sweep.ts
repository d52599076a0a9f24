import type { Batch } from '../../state/batch.ts';

const KEPT_MS = 30 * 24 * 3_600_000;
/** The newest of those that are over are kept, whatever their age. */
const MAX_KEPT = 10_000;
const ROWS_AT_ONCE = 1_000;

/** Takes away some of what updates have left that were over long ago. @returns whether nothing is left to take away. */
export async function sweepUpdates({ transaction, nowMs }: Batch): Promise<boolean> {
  const beyond = await transaction
    .selectFrom('shadow_update')
    .select('id')
    .where('state', '!=', 'running')
    .orderBy('id', 'desc')
    .offset(MAX_KEPT)
    .limit(1)
    .executeTakeFirst();
  const old = await transaction
    .selectFrom('shadow_update')
    .select('id')
    .where('state', '!=', 'running')
    .where((builder) =>
      builder.or([
        builder('finished_at_ms', '<', nowMs - KEPT_MS),
        ...(beyond === undefined ? [] : [builder('id', '<=', beyond.id)]),
      ]),
    )
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  if (old === undefined) return true;
  const failures = await transaction
    .selectFrom('shadow_update_failure')
    .select('id')
    .where('update_id', '=', old.id)
    .orderBy('id')
    .limit(ROWS_AT_ONCE)
    .execute();
  const last = failures.at(-1);
  if (last !== undefined) {
    await transaction.deleteFrom('shadow_update_failure').where('update_id', '=', old.id).where('id', '<=', last.id).execute();
  }
  if (failures.length < ROWS_AT_ONCE) await transaction.deleteFrom('shadow_update').where('id', '=', old.id).execute();
  return false;
}
