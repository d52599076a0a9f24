import { statSync } from 'node:fs';
import { readDayState, type DayState } from '../archive/day-state.ts';

/** The state of a day file that may be dropped, or replaced, at any time; undefined where it was. Throws what SQLite throws for a broken one. */
export function stateOfFile(path: string, day: number): DayState | undefined {
  const inode = inodeOf(path);
  try {
    return readDayState(path, day);
  } catch (error) {
    // Its write-ahead log is found by its name: a database without one cannot be begun to read.
    if (inode === undefined || inodeOf(path) !== inode) return undefined;
    throw error;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
