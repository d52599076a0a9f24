import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemCode } from '../kernel/errors.ts';

/*
 * telemetry/days/2026-11-22.db: the points of one UTC day (of their own time), in chunks.
 *
 * chunk     start_ms, end_ms: times of the first and the last point, both inclusive. Chunks of a series may overlap:
 *           at equal times the point of the chunk with the larger id wins. Times within a chunk are strictly ascending.
 * progress  positions of all log partitions, as JSON {"partition":offset}, at a commit; `log` numbers the log they
 *           speak of (catalog.db). Rows that the low-water mark has passed are pruned, and their ids never used again.
 * mark      progress: every point of this series and day that was in the log before progress(mark.progress) is in the
 *           chunks. A mark whose progress row is gone lies before the low-water mark, and is of no more interest.
 *           Every series that has chunks has a mark.
 *           hours: bit h is set where hour h (UTC) has points in chunks that are not in its rollup; bit 24 where the day's
 *           rollup is not up to date. Set by the commit that writes the chunks, cleared once the rollup is durable.
 *           generation: names the rollup of this series and day: what `meta.generation` was when the mark was made.
 * hour      version: `meta.version` of the last commit that stored points of that hour; hours without points are missing.
 * meta      generation: a number that no other day file, and no other state of this one after points were dropped from it,
 *           ever has (`Catalog.nextGeneration`; 0: made before there were generations).
 *           version: grows with every commit that adds points, removes points or changes marks, and is never used again for
 *           anything else, not even after a power loss took commits back: each start of the process begins far above
 *           (`Catalog.versionEpoch`). Compaction, which changes no point, leaves it alone.
 *
 * Points are dropped from a day by dropping the file, or by a copy of what is kept that takes its place (`dayFilePath`). The copy has the
 * marks of what is kept as they are, and a `meta.generation` of its own: a series that was dropped and gets points again
 * is then rolled up anew, beside the rollup of what it had before. What the copy was made of must still be of the same
 * `meta.version` when it takes the place.
 */
const CHUNKS = `
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
  count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX chunk_by_series ON chunk (series, start_ms, end_ms, count);
CREATE TABLE progress (id INTEGER PRIMARY KEY AUTOINCREMENT, log INTEGER NOT NULL, upto TEXT NOT NULL);
CREATE TABLE mark (series INTEGER PRIMARY KEY, progress INTEGER NOT NULL, hours INTEGER NOT NULL, generation INTEGER NOT NULL);`;
/**
 * What this program makes and reads. A file of a later one is refused: its chunks may have a form that is not known here, and what
 * cannot be decoded is left out of rollups and archive, and goes with its day. So a new form of chunks (codec/chunk-codec.ts)
 * comes with a new version of the file.
 */
const NEWEST_VERSION = 2;
const VERSIONS = `
CREATE TABLE hour (hour INTEGER PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = ${NEWEST_VERSION};`;

/** @param version `PRAGMA user_version` of a day file. Throws for that of a later program. */
export function refuseNewer(version: number): void {
  if (version > NEWEST_VERSION)
    throw new Error(`a day file is of version ${version}: it was made by a newer version of this program`);
}

/** `mark.hours`: the 24 hours. */
export const ALL_HOURS = 0xff_ffff;
/** `mark.hours`: the rollup of the day. */
export const DAY_STALE = 0x100_0000;
export const HOUR_MS = 3_600_000;

// In a file of version 1 any hour may hold points, and nothing is rolled up.
const UPGRADE_1 = `
ALTER TABLE mark ADD COLUMN hours INTEGER NOT NULL DEFAULT ${ALL_HOURS | DAY_STALE};
ALTER TABLE mark ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
${VERSIONS}
INSERT INTO hour WITH RECURSIVE hours(h) AS (SELECT 0 UNION ALL SELECT h + 1 FROM hours WHERE h < 23) SELECT h, 1 FROM hours;
INSERT INTO meta VALUES ('generation', 0), ('version', 1);`;

export const DAY_MS = 86_400_000;

/** A full chunk takes some 850 bytes: of a page of 4 KB a sixth would be empty. A file keeps the one that it was made with. */
export const DAY_FILE_PAGE_BYTES = 8192;

/** Days since 1970-01-01 UTC. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

export function daysFolder(telemetryDir: string): string {
  return join(telemetryDir, 'days');
}

/** `2026-11-22.db`, or `2026-11-22.17.db`: see `dayFilePath`. */
export function dayFileName(day: number, number = 0): string {
  return `${new Date(day * DAY_MS).toISOString().slice(0, -14)}${number === 0 ? '' : `.${number}`}.db`;
}

/** Undefined for the name of anything but a day file (a `-wal`, a file set aside). */
export function dayOfFileName(name: string): number | undefined {
  const match = /^((?:[+]\d{6}|\d{4})-\d\d-\d\d)(?:[.]([1-9]\d{0,14}))?[.]db$/.exec(name);
  if (match === null) return undefined;
  const timeMs = Date.parse(`${match[1]!}T00:00:00Z`);
  return Number.isNaN(timeMs) || dayFileName(dayOf(timeMs), Number(match[2] ?? 0)) !== name ? undefined : dayOf(timeMs);
}

/** Of the day files that are there, in no order. Throws what `readdir` throws. */
export function listDays(telemetryDir: string): number[] {
  return [...listDayFiles(telemetryDir).keys()];
}

/** The paths of the day files, by day: of each the one that counts first. Throws what `readdir` throws. */
export function listDayFiles(telemetryDir: string): Map<number, [path: string, ...outdated: string[]]> {
  const folder = daysFolder(telemetryDir);
  const found = new Map<number, string[]>();
  for (const name of readdirSync(folder)) {
    const day = dayOfFileName(name);
    if (day !== undefined) found.set(day, [...(found.get(day) ?? []), name]);
  }
  return new Map(
    [...found].map(([day, names]) => {
      const [newest, ...outdated] = names.sort((a, b) => numberOf(b) - numberOf(a)).map((name) => join(folder, name));
      return [day, [newest!, ...outdated]];
    }),
  );
}

/**
 * The path of the file of a day, or of what would be made as such.
 *
 * A day's first file has no number. One that takes its place, or is made after it was dropped, has a greater one than all before: a
 * name is never used twice while somebody may still have the file before open, for SQLite finds the `-wal` and the `-shm`
 * of a database by its name. The one with the greatest number counts.
 */
export function dayFilePath(telemetryDir: string, day: number): string {
  const first = join(daysFolder(telemetryDir), dayFileName(day));
  try {
    return listDayFiles(telemetryDir).get(day)?.[0] ?? first;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return first;
    throw error;
  }
}

function numberOf(name: string): number {
  return Number(/[.](\d+)[.]db$/.exec(name)?.[1] ?? 0);
}

/**
 * Opens, or makes, a day file; there is one writer, the processor thread. Commits survive a kill, and a power loss once
 * checkpointed. A file of an earlier version is upgraded.
 *
 * @param newGeneration asked where the file is made, before it is
 * @param path of the file to open or make
 */
export function openDayFileForWrite(
  telemetryDir: string,
  day: number,
  newGeneration: () => number,
  path: string = dayFilePath(telemetryDir, day),
): DatabaseSync {
  mkdirSync(daysFolder(telemetryDir), { recursive: true });
  const db = new DatabaseSync(path);
  try {
    // The time to wait first: a reader that opens it at the same moment has a lock for an instant.
    db.exec(`PRAGMA busy_timeout = 100; PRAGMA page_size = ${DAY_FILE_PAGE_BYTES}`);
    db.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    db.exec('PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = FAST; PRAGMA cache_size = -4096;');
    const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
    refuseNewer(version);
    if (version === 0) {
      const generation = newGeneration();
      db.exec(`BEGIN; ${CHUNKS} ${VERSIONS} INSERT INTO meta VALUES ('generation', ${generation}), ('version', 0); COMMIT;`);
    } else if (version === 1) db.exec(`BEGIN; ${UPGRADE_1} COMMIT;`);
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
