/**
 * For rollup-kill.test.ts: appends telemetry to a disk log, stores it and rolls it up until it is killed. Message n of a run
 * is point (run * 10^7 + n * 1000, n) of metric `n` of device n % 20. Prints a line once rollups were written.
 *
 *   node rollup-victim.ts DIR RUN
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import type { DeviceId } from '../../kernel/device-id.ts';
import { silentLogLines } from '../../kernel/log-lines.ts';
import { openDiskLog } from '../../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../../log/drivers/disk/shared-positions.ts';
import { RecordSource, type PartitionId } from '../../log/log.ts';
import { TelemetryIngest } from '../telemetry-ingest.ts';
import { fastClock } from './fast-clock.ts';

const SPEED = 100_000;
const [dir, run] = process.argv.slice(2);
if (dir === undefined || run === undefined) throw new Error('DIR RUN');

const log = await openDiskLog({
  dir: join(dir, 'log'),
  shared: newDiskLogShared(1),
  role: 'owner',
  clock: systemClock,
  logLines: silentLogLines,
});
const ingest = new TelemetryIngest({
  log,
  dir: join(dir, 'telemetry'),
  clock: fastClock(SPEED),
  logLines: silentLogLines,
  memtablePoints: 400_000,
  sealAfterMs: 20 * SPEED,
  lowWaterEveryMs: 20 * SPEED,
});
await ingest.start();

const sources = Array.from({ length: 20 }, (_, i) => new RecordSource(`d${i}` as DeviceId, `telemetry/d${i}`));
const appender = await log.openAppender(0 as PartitionId, {
  onDurable() {
    if (ingest.writer.rollups.rows > 0) writeSync(1, `${ingest.writer.rollups.rows}\n`);
    setImmediate(addSome);
  },
  onRejected(_upTo, error) {
    throw error;
  },
  onDrained: () => undefined,
});

let added = 0;

function addSome(): void {
  // More often than the maintenance would.
  for (let slices = 0; slices < 10; slices++) ingest.writer.rollups.step();
  for (let i = 0; i < 100; i++) {
    added++;
    const data = Buffer.from(`{"ts":${Number(run) * 10_000_000 + added * 1000},"n":${added}}`);
    appender.add(sources[added % sources.length]!, data, 0, data.length);
  }
}

addSome();
