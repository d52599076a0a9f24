import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi, type TestContext } from 'vitest';
import { silentLogLines } from '../kernel/log-lines.ts';
import { DayFiles } from '../telemetry/day-files.ts';
import { copySurvivors } from './survivor-copy.ts';

const DAY = 20_000;

let volume: string;
let mountFault: string | undefined;
beforeEach(() => {
  volume = mkdtempSync(join(tmpdir(), 'selsyn-volume-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', volume], { stdio: 'pipe' });
  } catch (error) {
    mountFault = `a tmpfs cannot be mounted here: ${String(error)}`;
    if (process.env['CI'] !== undefined && process.platform === 'linux' && process.getuid?.() === 0)
      throw new Error(mountFault, { cause: error });
  }
});
afterEach(() => {
  if (mountFault === undefined) execFileSync('umount', ['-l', volume]);
  rmSync(volume, { recursive: true });
});

/** Day files with one of 4 MB; then the volume is full. */
function fullVolume(context: TestContext): DayFiles {
  if (mountFault !== undefined) {
    process.stderr.write(`skipped: ${mountFault}\n`);
    context.skip(mountFault);
  }
  const numbers = { versionEpoch: 0, nextGeneration: () => 1 };
  const files = new DayFiles({ dir: volume, limit: 4, logLines: silentLogLines, numbers });
  const file = files.use(DAY);
  const insert = file.statement('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, 0, 1, 1, ?)');
  file.db.exec('BEGIN');
  for (let series = 0; series < 400; series++) insert.run(series, Buffer.alloc(10_000, series));
  file.db.exec('COMMIT');
  files.makeDurable(DAY);
  const { bavail, bsize } = statfsSync(volume);
  writeFileSync(join(volume, 'filler'), Buffer.alloc(bavail * bsize));
  return files;
}

function freeBytes(): number {
  const { bavail, bsize } = statfsSync(volume);
  return bavail * bsize;
}

test('a day is dropped though not a byte is free, and its space is back', async (context) => {
  const files = fullVolume(context);
  expect(freeBytes()).toBe(0);
  files.drop(DAY);
  // Another thread gives it back.
  await vi.waitFor(() => expect(freeBytes()).toBeGreaterThan(4_000_000), { timeout: 120_000, interval: 5 });
  expect(files.days()).toEqual([]);
});

test('a copy for which there is no room leaves nothing behind, and the file as it was', async (context) => {
  const files = fullVolume(context);
  const from = files.pathOf(DAY)!;
  const to = join(volume, 'aside', '1.db');
  const { signal } = new AbortController();
  await expect(copySurvivors({ from, to, stays: (series) => series % 2 === 0, signal })).rejects.toThrow(/full|ENOSPC/);
  rmSync(join(volume, 'filler'));
  expect(readdirSync(volume).includes('aside') ? readdirSync(join(volume, 'aside')) : []).toEqual([]);
  await copySurvivors({ from, to, stays: (series) => series % 2 === 0, signal });
  expect(readdirSync(join(volume, 'aside'))).toEqual(['1.db']);
  files.close();
});
