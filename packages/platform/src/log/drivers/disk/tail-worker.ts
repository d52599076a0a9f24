/** For disk-reader.test.ts: tails a partition in a thread of its own, checks each record, and tells what it has seen. */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import type { Offset, PartitionId } from '../../log.ts';
import { openDiskLog } from './disk-log.ts';

export interface TailJob {
  readonly dir: string;
  readonly shared: SharedArrayBuffer;
  readonly until: number;
}

export interface TailResult {
  readonly records: number;
  readonly batches: number;
  readonly wrong: number;
  readonly sources: number;
}

// The test gives a TailJob.
const { dir, shared, until } = workerData as TailJob;
const log = await openDiskLog({ dir, shared, role: 'reader', clock: systemClock, logLines: silentLogLines });
const reader = await log.openReader(0 as PartitionId, 0 as Offset);
// Without a handle of its own the thread would end while it waits.
const alive = setInterval(() => undefined, 1000);
const sources = new Set<object>();
let [records, batches, wrong] = [0, 0, 0];
parentPort?.postMessage('ready');
while (records < until) {
  const batch = reader.read();
  if (batch === undefined) {
    await reader.wait(AbortSignal.timeout(10_000));
    continue;
  }
  batches += 1;
  for (let i = 0; i < batch.count; i += 1) {
    const source = batch.sources[batch.sourceIndex[i]!]!;
    sources.add(source);
    const text = Buffer.from(
      batch.data.buffer,
      batch.data.byteOffset + batch.starts[i]!,
      batch.ends[i]! - batch.starts[i]!,
    ).toString('latin1');
    if (Number(text) !== records || batch.firstOffset + i !== records || source.device !== `d${records % 20}`) wrong += 1;
    records += 1;
  }
}
clearInterval(alive);
await log[Symbol.asyncDispose]();
parentPort?.postMessage({ records, batches, wrong, sources: sources.size } satisfies TailResult);
