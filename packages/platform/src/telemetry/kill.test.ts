import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { decodeChunk } from './codec/chunk-codec.ts';
import { openDayFileForRead } from './day-file-schema.ts';
import { TelemetryIngest } from './telemetry-ingest.ts';

const ROUNDS = Number(process.env['SELSYN_KILL_ROUNDS'] ?? 10);
const VICTIM = fileURLToPath(new URL('./store-victim.ts', import.meta.url));

/** Returns the ticket up to which the victim had said that all is durable. */
async function killedRun(dir: string, run: number): Promise<number> {
  const child = spawn(process.execPath, [VICTIM, dir, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.setEncoding('latin1');
  child.stdout.on('data', (text: string) => {
    said += text;
    begun.resolve();
  });
  const closed = once(child, 'close');
  await Promise.race([begun.promise, closed]);
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 250));
  child.kill('SIGKILL');
  await closed;
  return Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
}

test('every acknowledged point is there after kills at any moment, and none twice', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-kill-'));
  try {
    const acknowledged: number[] = [];
    for (let run = 0; run < ROUNDS; run++) acknowledged.push(await killedRun(dir, run));
    expect(Math.min(...acknowledged)).toBeGreaterThan(0);

    await using log = await openDiskLog({
      dir: join(dir, 'log'),
      shared: newDiskLogShared(1),
      role: 'owner',
      clock: systemClock,
      logLines: silentLogLines,
    });
    await using ingest = new TelemetryIngest({ log, dir: join(dir, 'telemetry'), clock: systemClock, logLines: silentLogLines });
    await ingest.start();
    await ingest.whenReady;
    const seen = Array.from({ length: ROUNDS }, () => new Map<number, number>());
    const see = (times: Float64Array, values: Float64Array): void => {
      times.forEach((time, index) => {
        const ofRun = seen[Math.floor(time / 10_000_000)]!;
        if (values[index] !== time % 10_000_000) throw new Error(`time ${time} has value ${values[index]}`);
        ofRun.set(time % 10_000_000, (ofRun.get(time % 10_000_000) ?? 0) + 1);
      });
    };
    const ids: number[] = [];
    for (const device of ingest.writer.devices.all()) {
      const { series } = ingest.writer.hot.read({ device: device.id, metrics: ['n'], fromMs: 0, toMs: Infinity });
      for (const { id, times, values } of series) {
        ids.push(id);
        see(times, values as Float64Array);
      }
    }
    expect(ids.length).toBe(20);
    for (const day of ingest.writer.files.days()) {
      const file = openDayFileForRead(join(dir, 'telemetry'), day);
      for (const { series, data } of file.prepare('SELECT series, data FROM chunk').iterate()) {
        const chunk = decodeChunk(data as Uint8Array);
        if (ids.includes(Number(series))) see(chunk.times, chunk.values as Float64Array);
      }
      file.close();
    }
    seen.forEach((ofRun, run) => {
      const missing = Array.from({ length: acknowledged[run]! }, (_, index) => index + 1).filter((n) => !ofRun.has(n));
      expect(missing, `run ${run}`).toEqual([]);
      expect(
        [...ofRun].filter(([, times]) => times !== 1),
        `run ${run}`,
      ).toEqual([]);
    });
    expect(ingest.writer.positions[0]).toBeGreaterThan(acknowledged.reduce((sum, count) => sum + count, 0) - 1);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
