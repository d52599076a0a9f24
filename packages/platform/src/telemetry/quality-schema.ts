import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/*
 * telemetry/quality.db: what is stored and looks wrong, counted for each metric of a device, and up to where of the log it is counted.
 * Both are written in one transaction, so that each point counts once, whatever ends the process.
 */
const DDL = `
CREATE TABLE quality (
  id INTEGER PRIMARY KEY, device TEXT NOT NULL, metric TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
  last_ms INTEGER NOT NULL, last_value TEXT NOT NULL, detail TEXT NOT NULL, updated INTEGER NOT NULL, UNIQUE (device, metric, kind));
CREATE INDEX quality_by_update ON quality (updated, id);
CREATE TABLE counted (log INTEGER NOT NULL, partition INTEGER NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY (log, partition));
PRAGMA user_version = 1;`;

export function qualityPath(telemetryDir: string): string {
  return join(telemetryDir, 'quality.db');
}

/** Few writes, and each must hold: the log may forget what was counted. */
export function openQualityForWrite(telemetryDir: string): DatabaseSync {
  mkdirSync(telemetryDir, { recursive: true });
  const db = new DatabaseSync(qualityPath(telemetryDir));
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 100;');
    if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
