/** For full-disk.test.ts: appends a hundred records of 10,000 bytes, one a commit, and prints how they ended. `node limited-writer.ts DIR` */
import { systemClock } from '../../../kernel/clock.ts';
import type { DeviceId } from '../../../kernel/device-id.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { RecordSource, type PartitionId } from '../../log.ts';
import { openDiskLog } from './disk-log.ts';
import { newDiskLogShared } from './shared-positions.ts';

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('DIR');

const log = await openDiskLog({ dir, shared: newDiskLogShared(1), role: 'owner', clock: systemClock, logLines: silentLogLines });
const data = Buffer.alloc(10_000, 'x');
const from = new RecordSource('a' as DeviceId, 't');
const codes = new Set<string>();
let [durable, rejected] = [0, 0];
let settle: () => void = () => undefined;
const appender = await log.openAppender(0 as PartitionId, {
  onDurable() {
    durable += 1;
    settle();
  },
  onRejected(_upTo, error) {
    rejected += 1;
    codes.add(error.code);
    settle();
  },
  onDrained: () => undefined,
});
for (let i = 0; i < 100; i += 1) {
  const { promise, resolve } = Promise.withResolvers<void>();
  settle = resolve;
  appender.add(from, data, 0, data.length);
  await promise;
}
await log[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify({ durable, rejected, codes: [...codes] }));
