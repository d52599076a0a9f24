import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { syncFolder } from '../telemetry/sync-folder.ts';

/*
 * archive/archive.db: synchronous=FULL, each commit is durable when it returns. One writer, the upkeep thread.
 *
 * meta      place: where the objects are (`BlobStore.place`).
 * object    planned: allotted before it is stored; may be there, in part or whole, and counts for nothing.
 *           current: stored, read back and right.
 *           replaced: counts no more, and may still be there.
 *           A row goes once its object is deleted. Within all current objects a (device, metric, time) is once.
 *           hour: of the day; NULL: hours of the day joined in one.
 * hour      generation, version: of the day file that it was archived of last (DayState).
 *           times: how often it was archived.
 * erasure   upto: objects up to this id may hold points of the device from before the erasure; NULL: all may.
 *           series: ids of its series, whose chunks are to be gone before it is done, as JSON.
 *           checked: objects up to this id were looked into, but for those that are in bad_object.
 *           state: begun (the raw points are to be made unreadable), hidden (they are, and what is archived is left out by
 *           readers), done (nothing of it is left).
 * bad_object
 *           objects that are current and not what was archived (`data.corrupt`), gone (`archive.object-gone`), or that something
 *           failed with: left as they are, and looked at again at next_ms (wall time). A row goes once its object is right again, or gone.
 */
const DDL = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE object (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, state TEXT NOT NULL, device_type TEXT, day INTEGER NOT NULL, hour INTEGER,
  bytes INTEGER NOT NULL, rows INTEGER NOT NULL, sha256 TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  first_device TEXT NOT NULL, last_device TEXT NOT NULL, stored_ms INTEGER NOT NULL);
CREATE INDEX object_by_day ON object (day, hour) WHERE state = 'current';
CREATE INDEX object_leftover ON object (state) WHERE state <> 'current';
CREATE TABLE hour (
  day INTEGER NOT NULL, hour INTEGER NOT NULL, generation INTEGER NOT NULL, version INTEGER NOT NULL,
  archived_ms INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (day, hour)) WITHOUT ROWID;
CREATE TABLE erasure (
  id TEXT PRIMARY KEY, device TEXT NOT NULL, reason TEXT NOT NULL, requested_by TEXT NOT NULL, state TEXT NOT NULL,
  begun_ms INTEGER NOT NULL, hidden_ms INTEGER, done_ms INTEGER, upto INTEGER, series TEXT NOT NULL,
  raw_ms INTEGER, objects_checked INTEGER NOT NULL, objects_rewritten INTEGER NOT NULL, rows_erased INTEGER NOT NULL,
  last_error TEXT) WITHOUT ROWID;
CREATE INDEX erasure_open ON erasure (id) WHERE state <> 'done';
CREATE INDEX erasure_by_device ON erasure (device);
PRAGMA user_version = 1;`;

/** Of version 1. */
const UPGRADE = `
ALTER TABLE erasure ADD COLUMN checked INTEGER NOT NULL DEFAULT 0;
CREATE TABLE bad_object (
  id INTEGER PRIMARY KEY, code TEXT NOT NULL, message TEXT NOT NULL, since_ms INTEGER NOT NULL, tried_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL, next_ms INTEGER NOT NULL);
PRAGMA user_version = 2;`;

export interface ArchiveFolders {
  /** The manifest. */
  readonly manifest: string;
  /** Objects of an archive in a directory, where none is configured. */
  readonly objects: string;
  /** Files that are being written. */
  readonly aside: string;
  /** Copies of objects that are elsewhere. */
  readonly cache: string;
  /** Links to files that somebody reads. */
  readonly held: string;
}

export function archiveFolders(root: string): ArchiveFolders {
  return {
    manifest: join(root, 'archive.db'),
    objects: join(root, 'objects'),
    aside: join(root, 'aside'),
    cache: join(root, 'cache'),
    held: join(root, 'held'),
  };
}

/** For the one writer: opens the manifest, or makes it. Throws what SQLite throws. */
export function openManifestForWrite(root: string): DatabaseSync {
  mkdirSync(root, { recursive: true });
  const db = new DatabaseSync(archiveFolders(root).manifest);
  try {
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 1000; PRAGMA journal_size_limit = 16777216;',
    );
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version < 2) db.exec(`BEGIN; ${version === 0 ? DDL : ''} ${UPGRADE} COMMIT;`);
    syncFolder(root);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For readers in any thread, once there is one. */
export function openManifestForRead(root: string): DatabaseSync {
  const db = new DatabaseSync(archiveFolders(root).manifest, { readOnly: true });
  db.exec('PRAGMA busy_timeout = 1000');
  return db;
}
