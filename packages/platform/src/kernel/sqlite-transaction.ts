import type { DatabaseSync } from 'node:sqlite';

/** All of `work` or nothing of it, also where SQLite has rolled back by itself (disk full). */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/**
 * Copies the write-ahead log into the file and syncs both: afterwards every commit survives a power loss.
 *
 * @returns false when a reader was in the way: try again.
 */
export function checkpoint(db: DatabaseSync): boolean {
  const row = db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get();
  return row?.['busy'] === 0 && row['log'] === row['checkpointed'];
}
