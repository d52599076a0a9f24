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

/**
 * Gives back the room of the write-ahead log, all of which is in the file already (`checkpoint`). Waits for nobody.
 *
 * @returns false when a reader was in the way: the log stays as long as it is
 */
export function cutLog(db: DatabaseSync): boolean {
  const before = Number(db.prepare('PRAGMA busy_timeout').get()?.['timeout'] ?? 0);
  db.exec('PRAGMA busy_timeout = 0');
  try {
    return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0;
  } finally {
    db.exec(`PRAGMA busy_timeout = ${before}`);
  }
}
