import { renameSync } from 'node:fs';

/** SQLITE_CORRUPT, SQLITE_NOTADB: a further try cannot help. */
const BROKEN = new Set([11, 26]);

/** True for what SQLite throws about a file that it cannot read, and never will. */
export function isBrokenFile(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && BROKEN.has(error.errcode & 0xff);
}

/** Gives a database that is closed another name, so that it can be made again. @returns that name. Throws what rename throws. */
export function setAside(path: string): string {
  const aside = `${path}.broken-${process.hrtime.bigint()}`;
  renameSync(path, aside);
  for (const suffix of ['-wal', '-shm']) {
    try {
      renameSync(path + suffix, aside + suffix);
    } catch {
      // There is none where it was closed cleanly.
    }
  }
  return aside;
}
