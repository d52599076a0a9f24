import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A small volume of its own for the data folder, of so many MiB, which only root can mount. */
export function mountVolume(sizeMiB: number): { readonly folder: string; unmount(): void } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-volume-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true });
    if (process.env['CI'] !== undefined && process.getuid?.() === 0) throw error;
    process.stderr.write('no volume can be mounted here (not root): the test of a full disk is skipped\n');
    return undefined;
  }
  return {
    folder,
    unmount(): void {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Takes all that is free in the volume of a folder, by a file. */
export function fill(path: string, folder: string): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(path, Buffer.alloc(bavail * bsize, 1));
  } catch {
    // Full is what it is meant to be.
  }
}
