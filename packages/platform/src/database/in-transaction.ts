import type { Database } from './schema.ts';

/** Joins the transaction of the caller, where there is one, so that stores can be combined. */
export async function inTransaction<T>(database: Database, work: (transaction: Database) => Promise<T>): Promise<T> {
  return database.isTransaction ? await work(database) : await database.transaction().execute(work);
}
