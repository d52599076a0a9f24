import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import { SEGMENT_HEADER_BYTES, segmentPath } from './segment-file.ts';
import type { TailJob, TailResult } from './tail-worker.ts';

test('tails a partition in another thread over many segments', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open({ segmentBytes: 200_000 });
  const until = 60_000;
  const worker = new Worker(new URL('./tail-worker.ts', import.meta.url), {
    workerData: { dir: folder.dir, shared: folder.shared, until } satisfies TailJob,
  });
  await once(worker, 'message');
  const result = once(worker, 'message');
  const writer = await TestWriter.open(log, FIRST);
  const sources = Array.from({ length: 20 }, (_, i) => source(`d${i}`, `telemetry/d${i}`));
  for (let i = 0; i < until;) {
    const next = Math.min(until, i + 1 + ((i * 31) % 500));
    for (; i < next; i += 1) writer.add(sources[i % 20]!, String(i).padEnd(75));
    await writer.settled();
  }
  const [seen] = (await result) as [TailResult];
  expect(seen).toMatchObject({ records: until, wrong: 0, sources: 20 });
  expect(seen.batches).toBeGreaterThan(100);
  expect(folder.segments(0).length).toBeGreaterThan(20);
  await worker.terminate();
});

test('keeps to its place while segments are begun under it, however far behind it is', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open({ segmentBytes: 3000 });
  const writer = await TestWriter.open(log, FIRST);
  const readers = [];
  const texts: string[] = [];
  for (let i = 0; i < 60; i += 1) {
    texts.push(String(i).padEnd(400));
    writer.add(source('a', 't'), texts[i]!);
    await writer.settled();
    readers.push(await log.openReader(FIRST, 0 as Offset));
    // Each reader has read a different number of batches when the next segment is begun.
    for (const [n, reader] of readers.entries()) if (n % 5 === i % 5) reader.read();
  }
  for (const reader of readers) {
    const { position } = reader;
    expect(readAll(reader).map((record) => record.text)).toEqual(texts.slice(position));
  }
});

test('reports damage in an earlier segment at every call, and reads on behind it', async () => {
  await using folder = new DiskLogFolder();
  let log = await folder.open({ segmentBytes: 4096 });
  const writer = await TestWriter.open(log, FIRST);
  for (let i = 0; i < 12; i += 1) {
    writer.add(source('a', 't'), String(i).padEnd(1000));
    await writer.settled();
  }
  await log[Symbol.asyncDispose]();
  const path = folder.segments(0)[1]!;
  const whole = readFileSync(path);
  const frameBytes = (whole.length - SEGMENT_HEADER_BYTES) / 3;

  for (const damage of [
    flipped(whole, SEGMENT_HEADER_BYTES + frameBytes + 500),
    whole.subarray(0, SEGMENT_HEADER_BYTES + frameBytes),
  ]) {
    writeFileSync(path, damage);
    log = await folder.open();
    const reader = await log.openReader(FIRST, 0 as Offset);
    for (let i = 0; i < 4; i += 1) expect(reader.read()?.firstOffset).toBe(i);
    for (let i = 0; i < 2; i += 1) {
      expect(() => reader.read()).toThrow(
        expect.objectContaining({
          code: 'data.corrupt',
          details: { path, position: SEGMENT_HEADER_BYTES + frameBytes, offset: 4 },
        }),
      );
    }
    expect(reader.position).toBe(4);
    expect(readAll(await log.openReader(FIRST, 6 as Offset))).toHaveLength(6);
  }
});

test('does not look at a segment that is only being made', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  writer.add(source('a', 't'), 'x');
  await writer.settled();
  writeFileSync(segmentPath(join(folder.dir, '0'), 1), '');
  expect(readAll(await log.openReader(FIRST, 0 as Offset))).toHaveLength(1);
});

test('wakes up when it is closed', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open();
  const reader = await log.openReader(FIRST, 0 as Offset);
  const waiting = reader.wait(new AbortController().signal);
  await reader[Symbol.asyncDispose]();
  await waiting;
  expect(() => reader.read()).toThrow(expect.objectContaining({ code: 'log.closed' }));
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x10;
  return copy;
}
