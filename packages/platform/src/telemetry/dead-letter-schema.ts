import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/*
 * telemetry/dead-letters.db: what could not be decoded or stored, the newest of it. A larger id is newer.
 * (log, partition, offset) names the record for ever, so that a replay of the log adds nothing twice.
 */
const DDL = `
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY, log INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  arrival_ms INTEGER NOT NULL, device TEXT NOT NULL, topic TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
  payload BLOB NOT NULL, payload_bytes INTEGER NOT NULL,
  UNIQUE (log, partition, "offset"));
CREATE INDEX dead_letter_by_device ON dead_letter (device, id);
PRAGMA user_version = 1;`;

export function deadLettersPath(telemetryDir: string): string {
  return join(telemetryDir, 'dead-letters.db');
}

export function openDeadLettersForWrite(telemetryDir: string): DatabaseSync {
  mkdirSync(telemetryDir, { recursive: true });
  const db = new DatabaseSync(deadLettersPath(telemetryDir));
  try {
    db.exec(
      'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 100;',
    );
    if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For readers in any thread. Throws what SQLite throws (`errcode` 14) when there never was a dead letter. */
export function openDeadLettersForRead(telemetryDir: string): DatabaseSync {
  return new DatabaseSync(deadLettersPath(telemetryDir), { readOnly: true });
}
