import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/*
 * telemetry/days/2026-11-22.db: the points of one UTC day (of their own time), in chunks.
 *
 * chunk     start_ms, end_ms: times of the first and the last point, both inclusive. Chunks of a series may overlap:
 *           at equal times the point of the chunk with the larger id wins. Times within a chunk are strictly ascending.
 * progress  positions of all log partitions, as JSON {"partition":offset}, at a commit; `log` numbers the log they
 *           speak of (catalog.db). Rows that the low-water mark has passed are pruned, and their ids never used again.
 * mark      every point of this series and day that was in the log before progress(mark.progress) is in the chunks.
 *           A mark whose progress row is gone lies before the low-water mark, and is of no more interest.
 */
const DDL = `
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
  count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX chunk_by_series ON chunk (series, start_ms, end_ms, count);
CREATE TABLE progress (id INTEGER PRIMARY KEY AUTOINCREMENT, log INTEGER NOT NULL, upto TEXT NOT NULL);
CREATE TABLE mark (series INTEGER PRIMARY KEY, progress INTEGER NOT NULL);
PRAGMA user_version = 1;`;

export const DAY_MS = 86_400_000;

/** Days since 1970-01-01 UTC. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

export function daysFolder(telemetryDir: string): string {
  return join(telemetryDir, 'days');
}

/** `2026-11-22.db` */
export function dayFileName(day: number): string {
  return `${new Date(day * DAY_MS).toISOString().slice(0, -14)}.db`;
}

/** Undefined for the name of anything but a day file (a `-wal`, a file set aside). */
export function dayOfFileName(name: string): number | undefined {
  if (!/^([+]\d{6}|\d{4})-\d\d-\d\d\.db$/.test(name)) return undefined;
  const timeMs = Date.parse(`${name.slice(0, -3)}T00:00:00Z`);
  return Number.isNaN(timeMs) || dayFileName(dayOf(timeMs)) !== name ? undefined : dayOf(timeMs);
}

export function dayFilePath(telemetryDir: string, day: number): string {
  return join(daysFolder(telemetryDir), dayFileName(day));
}

/** Opens, or makes, a day file; there is one writer, the processor thread. Commits survive a kill, and a power loss once checkpointed. */
export function openDayFileForWrite(telemetryDir: string, day: number): DatabaseSync {
  mkdirSync(daysFolder(telemetryDir), { recursive: true });
  const db = new DatabaseSync(dayFilePath(telemetryDir, day));
  try {
    db.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    db.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA busy_timeout = 100; PRAGMA secure_delete = FAST; PRAGMA cache_size = -4096;');
    if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For readers in any thread. Throws what SQLite throws (`errcode` 14) when the file does not exist. */
export function openDayFileForRead(telemetryDir: string, day: number): DatabaseSync {
  return new DatabaseSync(dayFilePath(telemetryDir, day), { readOnly: true });
}
