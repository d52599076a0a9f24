import { closeSync, fsyncSync, openSync } from 'node:fs';

/** A file that was made in it survives a power loss once its folder is synced. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
