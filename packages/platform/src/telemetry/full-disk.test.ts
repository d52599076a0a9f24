import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { decodeChunk } from './codec/chunk-codec.ts';
import { openDayFileForRead } from './day-file-schema.ts';
import { FakeLog } from './fake-log.ts';
import { TelemetryIngest } from './telemetry-ingest.ts';

const NOW = 1_790_000_000_000;
const VOLUME_BYTES = 8 * 1024 * 1024;

/** Why a volume of our own cannot be mounted here, if so. */
function mount(volume: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_BYTES}`, 'tmpfs', volume], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const fault = `a tmpfs cannot be mounted here: ${String(error)}`;
    if (process.env['CI'] !== undefined && process.platform === 'linux' && process.getuid?.() === 0)
      throw new Error(fault, { cause: error });
    return fault;
  }
}

test('on a full volume it keeps what fits in memory, stops consuming, and loses nothing', async (context) => {
  const volume = mkdtempSync(join(tmpdir(), 'selsyn-volume-'));
  const fault = mount(volume);
  if (fault !== undefined) {
    rmSync(volume, { recursive: true });
    process.stderr.write(`skipped: ${fault}\n`);
    return context.skip(fault);
  }
  try {
    const clock = new FakeClock(NOW);
    const log = new FakeLog(1);
    await using ingest = new TelemetryIngest({
      log,
      dir: join(volume, 'telemetry'),
      clock,
      logLines: silentLogLines,
      memtablePoints: 100_000,
      sealAfterMs: 1000,
    });
    const until = async (isSo: () => boolean): Promise<void> => {
      for (let turns = 0; !isSo(); turns++) {
        if (turns > 100_000) throw new Error('it did not come to be');
        clock.advance(20);
        await nextTurn();
      }
    };
    await ingest.start();
    let sent = 0;
    const send = (): void => {
      // True doubles: they do not compress.
      const points = Array.from({ length: 2000 }, () => ({ ts: NOW + sent++, v: Math.sin(sent) * 1e9 }));
      log.append(
        0,
        NOW,
        points.map((point) => ['a', point]),
      );
    };
    send();
    await until(() => ingest.writer.memtable.points === 0);
    writeFileSync(join(volume, 'filler'), Buffer.alloc(statfsSync(volume).bavail * statfsSync(volume).bsize - 65_536));
    while (sent < 300_000) send();
    await until(() => ingest.maintenance.failing && ingest.writer.memtable.fill > 0.5);
    for (let turns = 0; turns < 200; turns++) {
      clock.advance(20);
      await nextTurn();
    }
    expect(ingest.maintenance.failures).toBeGreaterThan(1);
    expect(ingest.lagRecords).toBeGreaterThan(100_000);
    expect(ingest.writer.memtable.points).toBeLessThanOrEqual(100_000);
    const { series } = ingest.writer.hot.read({ device: 'a', metrics: undefined, fromMs: 0, toMs: Infinity });
    expect(series[0]!.times.length).toBe(ingest.writer.memtable.points);

    rmSync(join(volume, 'filler'));
    await until(() => ingest.lagRecords === 0 && ingest.writer.memtable.points === 0);
    expect(ingest.maintenance.failing).toBe(false);
    const times: number[] = [];
    for (const day of ingest.writer.files.days()) {
      const db = openDayFileForRead(join(volume, 'telemetry'), day);
      for (const { data } of db.prepare('SELECT data FROM chunk').iterate()) times.push(...decodeChunk(data as Uint8Array).times);
      db.close();
    }
    expect(times.length).toBe(sent);
    expect(new Set(times).size).toBe(sent);
  } finally {
    execFileSync('umount', ['-l', volume]);
    rmSync(volume, { recursive: true });
  }
});
