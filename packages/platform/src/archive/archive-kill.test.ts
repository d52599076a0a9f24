import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import { ArchiveFixture, parquetForTests, type Row } from './archive.fixture.ts';

const KILLS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 8);
const VICTIM = fileURLToPath(new URL('./archive-victim.ts', import.meta.url));

const parquet = parquetForTests();
afterAll(async () => {
  await parquet[Symbol.asyncDispose]();
});

/** @returns whether it came to its end before it was killed */
async function run(archive: ArchiveFixture, killAfterMs: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [VICTIM, archive.store.dir, join(archive.root, 'archive'), String(archive.today + 2 * DAY_MS)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const closed = once(child, 'close') as Promise<[number | null]>;
  await Promise.race([once(child.stdout, 'data'), closed]);
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [code] = await closed;
  clearTimeout(timer);
  return code === 0;
}

test('an archiver that is killed again and again ends with every point once, and no litter', { timeout: 600_000 }, async () => {
  await using archive = await ArchiveFixture.open(parquet);
  const expected: Row[] = [];
  for (let hour = 0; hour < 24; hour++) {
    const points = Array.from(
      { length: 400 },
      (_, i) => [`d${i % 20}`, 'v', hour * 60 + Math.floor(i / 20), Math.sqrt(i + hour)] as const,
    );
    archive.points(...points);
    expected.push(...points.map(([device, metric, minute, value]) => `${device} ${metric} ${minute} ${value}`));
  }
  archive.closeArchive();
  let finished = 0;
  for (let kill = 0; kill < KILLS; kill++) if (await run(archive, 20 + Math.random() * 900)) finished++;
  expect(finished).toBeLessThan(KILLS);
  expect(await run(archive, 400_000)).toBe(true);
  await archive.openArchive();
  expect(await archive.rows()).toEqual(expected.sort());
  expect(archive.keys().every((key) => key.includes('/day-'))).toBe(true);
  expect(await archive.stored()).toEqual(archive.keys());
  expect(archive.asideFiles()).toEqual([]);
});
