import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import { crcSeed } from './frame.ts';
import { SEGMENT_HEADER_BYTES, segmentPath } from './segment-file.ts';

let folder: DiskLogFolder;
let lines: string[];

beforeEach(() => {
  folder = new DiskLogFolder();
  lines = [];
});

afterEach(() => folder[Symbol.asyncDispose]());

/** Appends each text in a commit of its own and closes; returns the sizes of the segment after each. */
async function write(texts: readonly string[], options: { sync?: 'interval' } = {}): Promise<number[]> {
  const log = await folder.open(options);
  const writer = await TestWriter.open(log, FIRST);
  const sizes: number[] = [];
  let sizeBytes = SEGMENT_HEADER_BYTES;
  for (const text of texts) {
    writer.add(source('a', 't'), text);
    await writer.settled();
    sizes.push((sizeBytes += frame(text).length));
  }
  await log[Symbol.asyncDispose]();
  return sizes;
}

function frame(text: string, first = 0, seed = 0): Buffer {
  const batch = new BatchBuffer();
  batch.append(source('a', 't'), Buffer.from(text), 0, text.length);
  batch.seal(first, 0, seed);
  return Buffer.from(batch.bytes.subarray(0, batch.size));
}

/** Opens the log anew and returns the texts in it, having appended `text` if one is given. */
async function reopen(text?: string): Promise<string[]> {
  const logLines = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const log = await folder.open({ logLines });
  if (text !== undefined) {
    const writer = await TestWriter.open(log, FIRST);
    writer.add(source('a', 't'), text);
    await writer.settled();
  }
  return readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text);
}

test('cuts a last frame that is torn at any byte, says so, and goes on', async () => {
  const [one, two] = await write(['first', 'second']);
  const path = folder.segments(0)[0]!;
  const whole = readFileSync(path);
  expect(whole.length).toBe(two);
  for (let length = one!; length < two!; length += 1) {
    writeFileSync(path, whole.subarray(0, length));
    lines = [];
    expect(await reopen('third')).toEqual(['first', 'third']);
    expect(lines).toHaveLength(length === one ? 0 : 1);
    // What of the frame's end is zero cannot be told from space that was laid down ahead.
    if (length > one!) expect(JSON.parse(lines[0]!).cutBytes).toBeLessThanOrEqual(length - one!);
  }
});

test('cuts a last frame in which any bit is wrong', async () => {
  const [one, two] = await write(['first', 'second']);
  const path = folder.segments(0)[0]!;
  const whole = readFileSync(path);
  for (let bit = one! * 8; bit < two! * 8; bit += 5) {
    const bytes = Buffer.from(whole);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, bytes);
    expect(await reopen()).toEqual(['first']);
    expect(statSync(path).size).toBe(one);
  }
});

test('takes zeros behind the last frame for space laid down ahead, and says nothing', async () => {
  const [one] = await write(['first']);
  const path = folder.segments(0)[0]!;
  truncateSync(path, one! + 3_000_000);
  expect(await reopen('second')).toEqual(['first', 'second']);
  expect(lines).toEqual([]);
});

test('cuts what lies behind zeros: pages of one write may reach the disk in any order', async () => {
  const [one] = await write(['first']);
  const path = folder.segments(0)[0]!;
  truncateSync(path, one! + 5000);
  appendFileSync(path, 'the end of a lost frame');
  expect(await reopen('second')).toEqual(['first', 'second']);
  expect(JSON.parse(lines[0]!).cutBytes).toBe(5000 + 'the end of a lost frame'.length);
});

test('cuts good frames of the same write behind a bad one', async () => {
  const [one] = await write(['first']);
  const path = folder.segments(0)[0]!;
  const seed = crcSeed(readFileSync(join(folder.dir, 'identity'), 'utf8').trim());
  const bad = frame('lost', 1, seed);
  bad[bad.length - 1]! ^= 1;
  appendFileSync(path, bad);
  // Offset 2, of the write that began with offset 1.
  const batch = new BatchBuffer();
  batch.append(source('a', 't'), Buffer.alloc(1024 * 1024), 0, 1024 * 1024);
  batch.append(source('a', 't'), Buffer.from('x'), 0, 1);
  batch.seal(1, 0, seed);
  appendFileSync(path, batch.bytes.subarray(batch.bytes.readUInt32LE(4), batch.size));
  expect(await reopen('second')).toEqual(['first', 'second']);
  expect(statSync(path).size).toBeLessThan(one! + 2_000_000);
});

test('refuses to cut records that were durable: a bad frame with later writes behind it', async () => {
  const [one] = await write(['first', 'second', 'third', 'fourth']);
  const path = folder.segments(0)[0]!;
  const bytes = readFileSync(path);
  bytes[one! + 50]! ^= 1;
  writeFileSync(path, bytes);
  await expect(reopen()).rejects.toMatchObject({ code: 'data.corrupt', details: { path, position: one, offset: 1 } });
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test('refuses to cut where records are missing before a good frame', async () => {
  await write(['first']);
  const path = folder.segments(0)[0]!;
  appendFileSync(path, frame('far ahead', 7, crcSeed(readFileSync(join(folder.dir, 'identity'), 'utf8').trim())));
  await expect(folder.open()).rejects.toMatchObject({ code: 'data.corrupt', details: { offset: 1 } });
});

test('does not take a frame that a device has sent for one of its own', async () => {
  await write(['first']);
  const path = folder.segments(0)[0]!;
  // A torn frame whose payload is a frame: it claims that offset 500 had been durable, but does not know the seed.
  const forged = Buffer.concat([frame('torn', 1).subarray(0, -4), frame('forged', 500, 0)]);
  appendFileSync(path, forged);
  expect(await reopen('second')).toEqual(['first', 'second']);
  expect(JSON.parse(lines[0]!).cutBytes).toBe(forged.length);
});

test('removes a segment that was never begun, and goes on in the one before', async () => {
  await write(['first']);
  for (const content of [Buffer.alloc(0), Buffer.alloc(SEGMENT_HEADER_BYTES), Buffer.from('SELSYNLG')]) {
    writeFileSync(segmentPath(join(folder.dir, '0'), 1), content);
    expect((await reopen())[0]).toBe('first');
    expect(folder.segments(0)).toHaveLength(1);
  }
  writeFileSync(segmentPath(join(folder.dir, '0'), 1), '');
  expect(await reopen('second')).toEqual(['first', 'second']);
});

test('refuses a damaged header with records behind it', async () => {
  await write(['first']);
  const path = folder.segments(0)[0]!;
  const bytes = readFileSync(path);
  bytes[20]! ^= 1;
  writeFileSync(path, bytes);
  await expect(reopen()).rejects.toMatchObject({ code: 'data.corrupt' });
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test('refuses a segment of another log', async () => {
  await write(['first']);
  const path = folder.segments(0)[0]!;
  const bytes = readFileSync(path);
  rmSync(folder.dir, { recursive: true });
  await (await folder.open())[Symbol.asyncDispose]();
  mkdirSync(join(folder.dir, '0'), { recursive: true });
  writeFileSync(path, bytes);
  await expect(reopen()).rejects.toMatchObject({ code: 'data.corrupt' });
});

test('finds its identity in its segments when the file is gone', async () => {
  await write(['first']);
  const identity = readFileSync(join(folder.dir, 'identity'), 'utf8');
  rmSync(join(folder.dir, 'identity'));
  expect(await reopen()).toEqual(['first']);
  expect(readFileSync(join(folder.dir, 'identity'), 'utf8')).toBe(identity);
});

test('gives no offset twice that may have been read before a loss of power in interval mode', async () => {
  await write(['first', 'second'], { sync: 'interval' });
  const path = folder.segments(0)[0]!;
  // The power took the second record with it, after a consumer had stored that it has read up to offset 2.
  truncateSync(path, SEGMENT_HEADER_BYTES + frame('first').length);
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  writer.add(source('a', 't'), 'third');
  await writer.settled();
  const records = readAll(await log.openReader(FIRST, 0 as Offset));
  expect(records.map((record) => record.text)).toEqual(['first', 'third']);
  expect(records[1]!.offset).toBeGreaterThan(2);
  expect(readAll(await log.openReader(FIRST, 2 as Offset)).map((record) => record.text)).toEqual(['third']);
  // A segment that was written with every record synced is gone on with, at the next offset.
  expect(await reopen('fourth')).toEqual(['first', 'third', 'fourth']);
  expect(folder.segments(0)).toHaveLength(2);
});

test('keeps the row of segments whole when the one it has begun anew fails at once', async () => {
  await write(['first'], { sync: 'interval' });
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  const handle = await open(folder.segments(0)[1]!, 'r');
  const broken = vi
    .spyOn(Object.getPrototypeOf(handle) as typeof handle, 'write')
    .mockRejectedValueOnce(Object.assign(new Error('EIO'), { code: 'EIO' }));
  await handle.close();
  writer.add(source('a', 't'), 'lost');
  await writer.settled();
  expect(writer.events).toMatchObject([{ rejected: 1 }]);
  broken.mockRestore();
  writer.add(source('a', 't'), 'second');
  await writer.settled();
  expect(readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text)).toEqual(['first', 'second']);
});

test('leaves no empty segments behind when it starts often in interval mode', async () => {
  await write(['first'], { sync: 'interval' });
  for (let round = 0; round < 5; round += 1) await (await folder.open({ sync: 'interval' }))[Symbol.asyncDispose]();
  expect(folder.segments(0)).toHaveLength(2);
  expect(await reopen('second')).toEqual(['first', 'second']);
});
