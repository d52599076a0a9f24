import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SelsynError, systemCode } from '../../kernel/errors.ts';
import { DAY_MS } from '../day-file-schema.ts';

/*
 * telemetry/rollups/hourly/2026-11-16.db: a week from its Monday (UTC), a row for each series and day that has points.
 * telemetry/rollups/daily/2026.db: a year, a row for each series and month.
 *
 * rollup  period: days since 1970-01-01 of the day, or of the first day of the month.
 *         generation: of hours, that of the mark (day-file-schema.ts) that the row was computed for. Points of a series and
 *         day that came after its points were dropped are in a row of another generation: readers add up all of them.
 *         0 for days, which have it within `data`.
 *         data: rollup-codec.ts, up to 24 hours or 31 days.
 * meta    version: grows with every commit, and is never used again for anything else.
 *
 * By period first: a pass over the series of one day writes pages that follow each other.
 */
const DDL = `
CREATE TABLE rollup (period INTEGER NOT NULL, series INTEGER NOT NULL, generation INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (period, series, generation)) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('version', 0);
PRAGMA user_version = 1;`;

export type RollupLevel = '1h' | '1d';

const FOLDERS = { '1h': 'hourly', '1d': 'daily' } as const;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY = 4;

export function rollupFolder(telemetryDir: string, level: RollupLevel): string {
  return join(telemetryDir, 'rollups', FOLDERS[level]);
}

/** The days (since 1970) that the file of a day is for, the last one not included. */
export function rollupFileDays(level: RollupLevel, day: number): { readonly first: number; readonly end: number } {
  if (level === '1h') {
    const first = Math.floor((day - FIRST_MONDAY) / 7) * 7 + FIRST_MONDAY;
    return { first, end: first + 7 };
  }
  const year = new Date(day * DAY_MS).getUTCFullYear();
  return { first: Date.UTC(year, 0, 1) / DAY_MS, end: Date.UTC(year + 1, 0, 1) / DAY_MS };
}

/** The name of the file that has the rollups of a day: `2026-11-16.db` or `2026.db`. */
export function rollupFileName(level: RollupLevel, day: number): string {
  const date = new Date(rollupFileDays(level, day).first * DAY_MS).toISOString();
  return `${level === '1h' ? date.slice(0, -14) : date.slice(0, -20)}.db`;
}

/** As `rollupFileDays`; undefined for the name of anything else (a `-wal`, a file set aside). */
export function daysOfRollupFile(level: RollupLevel, name: string): { readonly first: number; readonly end: number } | undefined {
  const match = /^((?:[+]\d{6}|\d{4})(?:-\d\d-\d\d)?)\.db$/.exec(name);
  if (match === null) return undefined;
  const timeMs = Date.parse(level === '1h' ? `${match[1]!}T00:00:00Z` : `${match[1]!}-01-01T00:00:00Z`);
  if (Number.isNaN(timeMs) || rollupFileName(level, timeMs / DAY_MS) !== name) return undefined;
  return rollupFileDays(level, timeMs / DAY_MS);
}

export function rollupFilePath(telemetryDir: string, level: RollupLevel, day: number): string {
  return join(rollupFolder(telemetryDir, level), rollupFileName(level, day));
}

/** A file of rollups: its name in its folder, and the days that it is for, `endDay` not included. */
export interface RollupFileEntry {
  readonly level: RollupLevel;
  readonly name: string;
  readonly path: string;
  readonly firstDay: number;
  readonly endDay: number;
}

/** Ascending. @throws SelsynError `telemetry.store-failed` */
export function listRollupFiles(telemetryDir: string, level: RollupLevel): RollupFileEntry[] {
  const folder = rollupFolder(telemetryDir, level);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw new SelsynError('telemetry.store-failed', 'a folder of rollups could not be listed', { cause, retryable: true });
  }
  return names
    .flatMap((name): RollupFileEntry[] => {
      const days = daysOfRollupFile(level, name);
      return days === undefined ? [] : [{ level, name, path: join(folder, name), firstDay: days.first, endDay: days.end }];
    })
    .sort((a, b) => a.firstDay - b.firstDay);
}

/** `rollup.period` of a day: the day itself, or the first one of its month. */
export function periodOf(level: RollupLevel, day: number): number {
  if (level === '1h') return day;
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS;
}

/** Opens, or makes, a file; there is one writer, the processor thread. Each commit is durable when it returns. */
export function openRollupFileForWrite(telemetryDir: string, level: RollupLevel, day: number): DatabaseSync {
  mkdirSync(rollupFolder(telemetryDir, level), { recursive: true });
  const db = new DatabaseSync(rollupFilePath(telemetryDir, level, day));
  try {
    // The room of rows that retention deletes is given back.
    db.exec('PRAGMA busy_timeout = 100; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    db.exec('PRAGMA journal_size_limit = 16777216;');
    db.exec('PRAGMA secure_delete = FAST; PRAGMA cache_size = -4096;');
    if (db.prepare('PRAGMA user_version').get()?.['user_version'] === 0) db.exec(`BEGIN; ${DDL} COMMIT;`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** For readers in any thread. Throws what SQLite throws (`errcode` 14) when the file does not exist. */
export function openRollupFileForRead(telemetryDir: string, level: RollupLevel, day: number): DatabaseSync {
  return new DatabaseSync(rollupFilePath(telemetryDir, level, day), { readOnly: true });
}
