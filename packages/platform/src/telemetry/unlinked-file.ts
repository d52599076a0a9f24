import { close, existsSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What SQLite keeps beside a database in WAL mode. */
const BESIDE = ['-wal', '-shm'];

/**
 * Unlinks a database, then what stands beside it: who opens it meanwhile finds no database, and makes nothing beside it anew.
 * Throws what unlinking the database throws: all of it is there still.
 */
export function removeDatabase(path: string): void {
  // The last one to close it gives its blocks back, which takes a large file half a millisecond a megabyte: not this thread.
  const held = hold(path);
  try {
    rmSync(path, { force: true });
  } finally {
    if (held !== undefined) close(held, () => undefined);
  }
  for (const suffix of BESIDE) {
    try {
      rmSync(path + suffix, { force: true });
    } catch {
      // What is left is removed at the next start.
    }
  }
}

function hold(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** Removes what stands beside databases that are gone: a kill came between. */
export function removeOrphans(folder: string): void {
  for (const name of readdirSync(folder)) {
    const suffix = BESIDE.find((one) => name.endsWith(`.db${one}`));
    if (suffix === undefined) continue;
    const path = join(folder, name);
    if (!existsSync(path.slice(0, -suffix.length))) rmSync(path, { force: true });
  }
}

/** Bytes that a database takes on the disk, with its write-ahead log. */
export function sizeOfDatabase(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) + sizeOfLog(path);
}

/** Of these, its write-ahead log: most of it is in the database too. */
export function sizeOfLog(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
