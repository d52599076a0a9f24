/**
 * For kill.test.ts: appends telemetry to a disk log and stores it until it is killed, and prints the ticket up to which
 * all is durable, each time on a line. Message n of a run is point (run * 10^7 + n, n) of metric `n` and `run` of device n % 20.
 *
 *   node store-victim.ts DIR RUN
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { openDiskLog } from '../log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '../log/drivers/disk/shared-positions.ts';
import { RecordSource, type PartitionId } from '../log/log.ts';
import { TelemetryIngest } from './telemetry-ingest.ts';

const [dir, run] = process.argv.slice(2);
if (dir === undefined || run === undefined) throw new Error('DIR RUN');

const log = await openDiskLog({
  dir: join(dir, 'log'),
  shared: newDiskLogShared(1),
  role: 'owner',
  clock: systemClock,
  logLines: silentLogLines,
  segmentBytes: 300_000,
  retention: { maxAgeMs: 0, maxBytes: 0 },
});
const ingest = new TelemetryIngest({
  log,
  dir: join(dir, 'telemetry'),
  clock: systemClock,
  logLines: silentLogLines,
  memtablePoints: 400_000,
  sealAfterMs: 60,
  sealAfterRecords: 20_000,
  lowWaterEveryMs: 20,
});
await ingest.start();

const sources = Array.from({ length: 20 }, (_, i) => new RecordSource(`d${i}` as DeviceId, `telemetry/d${i}`));
const appender = await log.openAppender(0 as PartitionId, {
  onDurable(upTo) {
    writeSync(1, `${upTo}\n`);
    setImmediate(addSome);
  },
  onRejected(_upTo, error) {
    throw error;
  },
  onDrained: () => undefined,
});

let added = 0;

function addSome(): void {
  for (let i = 0; i < 300; i++) {
    added++;
    const data = Buffer.from(`{"ts":${Number(run) * 10_000_000 + added},"n":${added},"run":${run}}`);
    appender.add(sources[added % sources.length]!, data, 0, data.length);
  }
}

addSome();
