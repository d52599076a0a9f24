import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openDiskLog } from '../../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../../log/drivers/disk/shared-positions.ts';
import { decodeChunk } from '../codec/chunk-codec.ts';
import { DAY_MS, HOUR_MS, openDayFileForRead } from '../day-file-schema.ts';
import { TelemetryIngest } from '../telemetry-ingest.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { fastClock } from './fast-clock.ts';
import { naiveRollups, rowsOf } from './rollup-model.ts';
import { RollupReader } from './rollup-reader.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 6);
const VICTIM = fileURLToPath(new URL('./rollup-victim.ts', import.meta.url));

/** Kills it soon after it has written its first rollups. */
async function killedRun(dir: string, run: number): Promise<void> {
  const child = spawn(process.execPath, [VICTIM, dir, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  expect(child.exitCode).toBe(null);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
  child.kill('SIGKILL');
  await closed;
}

test('after kills at any moment the rollups say what the points say', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-rollup-kill-'));
  try {
    for (let run = 0; run < ROUNDS; run++) await killedRun(dir, run);

    await using log = await openDiskLog({
      dir: join(dir, 'log'),
      shared: newDiskLogShared(1),
      role: 'owner',
      clock: systemClock,
      logLines: silentLogLines,
    });
    const telemetryDir = join(dir, 'telemetry');
    await using ingest = new TelemetryIngest({
      log,
      dir: telemetryDir,
      clock: fastClock(100_000),
      logLines: silentLogLines,
      sealAfterMs: 1,
    });
    await ingest.start();
    await ingest.whenReady;
    const { writer } = ingest;
    while (writer.memtable.points > 0 || writer.unrolled.all.length > 0) {
      writer.rollups.step();
      await nextTurn();
    }

    const series = [...writer.devices.all()].flatMap((device) => device.series);
    const points = new Map(series.map((id) => [id, new Map<number, PointValue>()]));
    for (const day of writer.files.days()) {
      const file = openDayFileForRead(telemetryDir, day);
      for (const row of file.prepare('SELECT series, data FROM chunk ORDER BY id').iterate()) {
        const chunk = decodeChunk(row['data'] as Uint8Array);
        chunk.times.forEach((time, i) => points.get(Number(row['series']))!.set(time, chunk.values[i]!));
      }
      expect(file.prepare('SELECT count(*) AS stale FROM mark WHERE hours <> 0').get()).toEqual({ stale: 0 });
      file.close();
    }
    using reader = new RollupReader({ telemetryDir });
    reader.refresh(1);
    expect(series.length).toBe(20);
    for (const id of series) {
      expect(rowsOf(reader.read('1h', id, 0, 100 * DAY_MS))).toEqual(naiveRollups([points.get(id)!], HOUR_MS));
      expect(rowsOf(reader.read('1d', id, 0, 100 * DAY_MS))).toEqual(naiveRollups([points.get(id)!], DAY_MS));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
