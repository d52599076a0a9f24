import type { Kysely } from 'kysely';

/** Joins the transaction of the caller, where there is one, so that stores can be combined. */
export async function inTransaction<S, T>(database: Kysely<S>, work: (transaction: Kysely<S>) => Promise<T>): Promise<T> {
  return database.isTransaction ? await work(database) : await database.transaction().execute(work);
}
