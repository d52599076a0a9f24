import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes of all files below `folder` whose path `wants`. Files that go away meanwhile count as nothing. */
export function folderBytes(folder: string, wants: (path: string) => boolean = () => true): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && wants(path)) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
