import type { StateDatabase } from '../database/schema.ts';

/** Ids of a millisecond: more changes than are written in one. */
const IDS_PER_MS = 1_000;

/**
 * Makes the ids of the outbox go on above all that were ever given, also where this database was set back to a backup or is new: who
 * follows it keeps in another database how far, and would pass over what has a lower id.
 */
export async function openAuditOutbox(database: StateDatabase, nowMs: number): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    // An id that was given by the server itself raises those that the database gives; it never lowers them.
    const { id } = await transaction
      .insertInto('state_audit')
      .values({ at_ms: nowMs, change: '' })
      .returning('id')
      .executeTakeFirstOrThrow();
    await transaction.deleteFrom('state_audit').where('id', '=', id).execute();
    const first = nowMs * IDS_PER_MS;
    if (first <= Number(id)) return;
    await transaction.insertInto('state_audit').values({ id: first, at_ms: nowMs, change: '' }).execute();
    await transaction.deleteFrom('state_audit').where('id', '=', first).execute();
  });
}
