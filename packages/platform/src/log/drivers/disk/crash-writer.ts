/**
 * For crash.test.ts: appends to a disk log until it is killed, and prints the ticket up to which all is durable, each
 * time on a line. The text of a record is `<run> <ticket>`, so that the reader knows which records must be there.
 *
 *   node crash-writer.ts DIR RUN
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../../kernel/clock.ts';
import type { DeviceId } from '../../../kernel/device-id.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { RecordSource, type PartitionId } from '../../log.ts';
import { openDiskLog } from './disk-log.ts';
import { newDiskLogShared } from './shared-positions.ts';

const [dir, run] = process.argv.slice(2);
if (dir === undefined || run === undefined) throw new Error('DIR RUN');

const log = await openDiskLog({
  dir,
  shared: newDiskLogShared(1),
  role: 'owner',
  clock: systemClock,
  logLines: silentLogLines,
  segmentBytes: 300_000,
});
const sources = Array.from({ length: 50 }, (_, i) => new RecordSource(`d${i}` as DeviceId, `telemetry/d${i}`));
const appender = await log.openAppender(0 as PartitionId, {
  onDurable(upTo) {
    writeSync(1, `${upTo}\n`);
    addSome();
  },
  onRejected(_upTo, error) {
    throw error;
  },
  onDrained: () => undefined,
});

let added = 0;
let turn = 0;

/** Batches of very different sizes, and some records of several pages. */
function addSome(): void {
  turn += 1;
  const count = 1 + ((turn * 7919) % 400);
  for (let i = 0; i < count; i += 1) {
    const data = Buffer.from(`${run} ${++added}`.padEnd(added % 97 === 0 ? 9000 : 60 + (added % 40)));
    appender.add(sources[added % sources.length]!, data, 0, data.length);
  }
}

addSome();
