import { expect, test } from 'vitest';
import { logContract, readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset, PartitionId } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import { openDiskLog } from './disk-log.ts';
import { newDiskLogShared, setRefusing } from './shared-positions.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';

for (const sync of ['always', 'interval'] as const) {
  logContract(`disk, synced ${sync}`, async () => {
    const folder = new DiskLogFolder();
    return {
      clock: folder.clock,
      open: (limits) => folder.open({ ...limits, sync }),
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  });
}

test('opens partitions that an earlier start with more threads has left', async () => {
  await using folder = new DiskLogFolder();
  const writer = await TestWriter.open(await folder.open(), 1 as PartitionId);
  writer.add(source('a', 't'), 'left behind');
  await writer.settled();
  const log = await folder.open({ shared: newDiskLogShared(1) });
  expect(log.partitions).toEqual([0, 1]);
  expect(readAll(await log.openReader(1 as PartitionId, 0 as Offset)).map((record) => record.text)).toEqual(['left behind']);
});

test('opens in other threads only once the owner has recovered it, and for one owner', async () => {
  await using folder = new DiskLogFolder();
  const options = { dir: folder.dir, clock: folder.clock, logLines: silentLogLines };
  await expect(openDiskLog({ ...options, role: 'reader', shared: folder.shared })).rejects.toMatchObject({ code: 'log.failed' });
  await folder.open();
  await expect(openDiskLog({ ...options, role: 'owner', shared: folder.shared })).rejects.toMatchObject({ code: 'log.failed' });
  const reader = await openDiskLog({ ...options, role: 'reader', shared: folder.shared });
  const listener = { onDurable: () => undefined, onRejected: () => undefined, onDrained: () => undefined };
  await expect(reader.openAppender(FIRST, listener)).rejects.toMatchObject({ code: 'log.failed' });
  await reader[Symbol.asyncDispose]();
});

test('tells the time and the size of each commit', async () => {
  await using folder = new DiskLogFolder();
  const commits: number[][] = [];
  const log = await folder.open({ onCommit: (durationMs, records, sizeBytes) => commits.push([durationMs, records, sizeBytes]) });
  const writer = await TestWriter.open(log, FIRST);
  const from = source('a', 't');
  writer.add(from, 'x');
  writer.add(from, 'y');
  await writer.settled();
  // A frame's header, two records of an index, a length and a byte, and the source at its first use.
  expect(commits).toEqual([[0, 2, 40 + 2 * 3 + 9]]);
});

test('begins a new segment before one becomes too large, and reads across them', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open({ segmentBytes: 4096 });
  const writer = await TestWriter.open(log, FIRST);
  for (let i = 0; i < 40; i += 1) {
    writer.add(source('a', 't'), String(i).padEnd(1000));
    await writer.settled();
  }
  // Larger than a segment, but never split.
  writer.add(source('a', 't'), 'x'.repeat(10_000));
  writer.add(source('a', 't'), 'y');
  await writer.settled();
  expect(folder.segments(0).length).toBe(15);
  for (const from of [0, 1, 17, 39, 40, 41]) {
    const records = readAll(await log.openReader(FIRST, from as Offset));
    expect(records.map((record) => record.offset)).toEqual(Array.from({ length: 42 - from }, (_, i) => from + i));
  }
});

test('splits a large batch into frames of about one mebibyte', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  const data = 'z'.repeat(10_000);
  const sources = Array.from({ length: 5 }, (_, i) => source(`d${i}`, 't'));
  for (let i = 0; i < 500; i += 1) writer.add(sources[i % 5]!, data);
  await writer.settled();
  const reader = await log.openReader(FIRST, 0 as Offset);
  const counts: number[] = [];
  for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
    counts.push(batch.count);
    expect(batch.sources).toHaveLength(5);
  }
  expect(counts).toEqual([105, 105, 105, 105, 80]);
});

test('refuses what is appended while the volume is to be spared, and takes it again afterwards', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  writer.add(source('a', 't'), 'one');
  await writer.settled();
  setRefusing(folder.shared, true);
  writer.add(source('a', 't'), 'two');
  await writer.settled();
  expect(writer.events.at(-1)).toMatchObject({ rejected: 2, error: { code: 'log.full', retryable: true } });
  setRefusing(folder.shared, false);
  writer.add(source('a', 't'), 'three');
  await writer.settled();
  expect(readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text)).toEqual(['one', 'three']);
});
