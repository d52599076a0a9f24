import { DatabaseSync } from 'node:sqlite';
import { systemCode } from '../kernel/errors.ts';

/** What a day file says of itself. */
export interface DayState {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Tells the file from any other of the day. A file that retention took points from stays the one it was: its `meta.origin`. */
  readonly generation: number;
  /** Tells it from the file that it was before points were taken from it, too: `meta.generation`. */
  readonly fileGeneration: number;
  readonly version: number;
  /** The version of each hour that has, or had, points. */
  readonly hours: ReadonlyMap<number, number>;
}

/**
 * Undefined where there is no such file, or its writer has not set it up or upgraded it yet: its hours are not archived then.
 * Throws what SQLite throws for a broken one.
 *
 * @param path `dayFilePath` of the day
 */
export function readDayState(path: string, day: number): DayState | undefined {
  let db: DatabaseSync;
  try {
    db = new DatabaseSync(path, { readOnly: true });
  } catch (error) {
    // SQLITE_CANTOPEN
    if (systemCode(error) === 'ERR_SQLITE_ERROR' && (error as { errcode?: number }).errcode === 14) return undefined;
    throw error;
  }
  try {
    db.exec('PRAGMA busy_timeout = 250; BEGIN');
    if (Number(db.prepare('PRAGMA user_version').get()?.['user_version']) < 2) return undefined;
    const meta = new Map(
      db
        .prepare('SELECT name, value FROM meta')
        .all()
        .map((row) => [row['name'], Number(row['value'])]),
    );
    const hours = new Map(
      db
        .prepare('SELECT hour, version FROM hour')
        .all()
        .map((row) => [Number(row['hour']), Number(row['version'])]),
    );
    const fileGeneration = meta.get('generation') ?? 0;
    return { day, generation: meta.get('origin') ?? fileGeneration, fileGeneration, version: meta.get('version') ?? 0, hours };
  } finally {
    db.close();
  }
}
