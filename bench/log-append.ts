import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceId } from '@selsyn/platform/kernel/device-id.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { silentLogLines } from '@selsyn/platform/kernel/log-lines.ts';
import { openDiskLog } from '@selsyn/platform/log/drivers/disk/disk-log.ts';
import { newDiskLogShared } from '@selsyn/platform/log/drivers/disk/shared-positions.ts';
import { RecordSource, type Offset, type PartitionId } from '@selsyn/platform/log/log.ts';
import { describeMachine } from './harness/machine.ts';
import { median, quantile, type ClaimResult } from './harness/report.ts';

const SOURCES = 1000;
const PAYLOAD_BYTES = 75;
const OUTSTANDING = 20_000;
const ROUNDS = 3;
const PARTITION = 0 as PartitionId;

interface Round {
  readonly perSecond: number;
  readonly addNs: number;
  readonly commitMsMedian: number;
  readonly commitMsP99: number;
  readonly recordsACommit: number;
  readonly bytesARecord: number;
  readonly cpuMicrosecondsARecord: number;
  readonly readNs: number;
}

/**
 * Appending to the disk log, each record durable before it counts, in a closed loop of 20,000 outstanding records of
 * 1,000 sources with 75 bytes each: at full speed, and 300 records a millisecond as a busy gateway would. Then reading it all.
 */
export async function logAppend(): Promise<ClaimResult> {
  const full: Round[] = [];
  const paced: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    full.push(await measure(4_000_000, OUTSTANDING));
    paced.push(await measure(500_000, 300));
  }
  const of = (rounds: readonly Round[], field: keyof Round): number => median(rounds.map((round) => round[field]));
  const rate = of(full, 'perSecond');
  const addNs = of(full, 'addNs');
  return {
    claim: 'log-append',
    workload: `${SOURCES} sources, ${PAYLOAD_BYTES} bytes, ${OUTSTANDING} outstanding; ${ROUNDS} rounds, medians`,
    machine: describeMachine(),
    rows: [
      {
        what: 'durable records a second',
        selsyn: Math.round(rate).toLocaleString('en'),
        target: '1,500,000',
        holds: rate >= 1_500_000,
      },
      { what: 'a call of add', selsyn: `${addNs.toFixed(0)} ns`, target: '150 ns', holds: addNs <= 150 },
      {
        what: 'commit, at full speed',
        selsyn: commit(of(full, 'commitMsMedian'), of(full, 'commitMsP99'), of(full, 'recordsACommit')),
      },
      {
        what: 'commit, 300 records a ms',
        selsyn: commit(of(paced, 'commitMsMedian'), of(paced, 'commitMsP99'), of(paced, 'recordsACommit')),
      },
      {
        what: 'bytes a record',
        selsyn: `${of(full, 'bytesARecord').toFixed(1)} (paced ${of(paced, 'bytesARecord').toFixed(1)})`,
      },
      { what: 'reading a record', selsyn: `${of(full, 'readNs').toFixed(0)} ns (paced ${of(paced, 'readNs').toFixed(0)} ns)` },
    ],
    measured: { full, paced },
  };
}

/** Appends `total` records, at most `perTurn` in one turn of the event loop, and reads them. */
async function measure(total: number, perTurn: number): Promise<Round> {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-bench-log-'));
  const commitMs: number[] = [];
  const log = await openDiskLog({
    dir,
    shared: newDiskLogShared(1),
    role: 'owner',
    clock: systemClock,
    logLines: silentLogLines,
    onCommit: (durationMs) => commitMs.push(durationMs),
  });
  const sources = Array.from({ length: SOURCES }, (_, i) => new RecordSource(`sensor${i}` as DeviceId, `telemetry/sensor${i}`));
  const chunk = Buffer.alloc(
    60_000,
    JSON.stringify({ temperature: 23.51, humidity: 61.2, pressure: 1013.25 }).padEnd(PAYLOAD_BYTES),
  );
  const done = Promise.withResolvers<void>();
  let [added, durable, credit, addMs, isAdding] = [0, 0, OUTSTANDING, 0, false];

  const addTurn = (): void => {
    isAdding = false;
    const until = Math.min(total, added + Math.min(credit, perTurn));
    credit -= until - added;
    const startMs = performance.now();
    for (; added < until; added += 1) {
      const start = (added % 800) * PAYLOAD_BYTES;
      appender.add(sources[(added * 7919) % SOURCES]!, chunk, start, start + PAYLOAD_BYTES);
    }
    addMs += performance.now() - startMs;
    if (credit > 0 && added < total) addSoon();
  };
  const addSoon = (): void => {
    if (isAdding) return;
    isAdding = true;
    if (perTurn >= OUTSTANDING) addTurn();
    else setTimeout(addTurn, 1);
  };
  const appender = await log.openAppender(PARTITION, {
    onDurable(upTo) {
      credit += upTo - durable;
      durable = upTo;
      if (durable === total) done.resolve();
      else if (added < total) addSoon();
    },
    onRejected: (_upTo, error) => done.reject(error),
    onDrained: () => undefined,
  });
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  addTurn();
  await done.promise;
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await appender[Symbol.asyncDispose]();

  const readStartMs = performance.now();
  const reader = await log.openReader(PARTITION, 0 as Offset);
  let read = 0;
  for (let batch = reader.read(); batch !== undefined; batch = reader.read()) read += batch.count;
  const readMs = performance.now() - readStartMs;
  if (read !== total) throw new Error(`read ${read} of ${total} records`);
  await log[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
  return {
    perSecond: total / seconds,
    addNs: (addMs / total) * 1e6,
    commitMsMedian: median(commitMs),
    commitMsP99: quantile(commitMs, 0.99),
    recordsACommit: total / appender.counters.commits,
    bytesARecord: appender.counters.sizeBytes / total,
    cpuMicrosecondsARecord: (user + system) / total,
    readNs: (readMs / total) * 1e6,
  };
}

function commit(medianMs: number, p99Ms: number, records: number): string {
  return `${medianMs.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, ${Math.round(records)} records`;
}
