import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import { ZeroFill } from './zero-fill.ts';

const STEP_BYTES = 1024 * 1024;
const LIMIT_BYTES = 3 * STEP_BYTES;

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'selsyn-zeros-'));
  path = join(dir, 'segment');
  writeFileSync(path, 'header');
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

test('lays zeros down behind what is there, up to the size of a segment', async () => {
  for (let tail = 6; tail < LIMIT_BYTES; tail += STEP_BYTES / 4) {
    const fill = new ZeroFill(path, true, Math.max(tail, statSync(path).size), LIMIT_BYTES);
    fill.keepAhead(tail, 100);
    await fill.stop();
  }
  const bytes = readFileSync(path);
  expect(bytes.length).toBe(6 + 2 * STEP_BYTES);
  expect(bytes.toString('latin1', 0, 6)).toBe('header');
  expect(bytes.subarray(6).every((byte) => byte === 0)).toBe(true);
});

test('holds back a write that zeros might overwrite, and no other', async () => {
  const handle = await open(path, 'r+');
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const slow = Promise.withResolvers<{ bytesWritten: number; buffer: Buffer }>();
  vi.spyOn(prototype, 'write').mockReturnValueOnce(slow.promise as never);
  const fill = new ZeroFill(path, true, 6, LIMIT_BYTES);
  fill.keepAhead(6, 100);
  await fill.clear(6);
  let isClear = false;
  const clear = fill.clear(7).then(() => (isClear = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isClear).toBe(false);
  slow.resolve({ bytesWritten: STEP_BYTES, buffer: Buffer.alloc(0) });
  await clear;
  await fill.stop();
});

test('stays away from large writes, and from a volume that takes no more', async () => {
  const fill = new ZeroFill(path, true, 6, LIMIT_BYTES);
  fill.keepAhead(6, STEP_BYTES);
  await fill.stop();
  const nowhere = new ZeroFill(join(dir, 'missing'), true, 6, LIMIT_BYTES);
  nowhere.keepAhead(6, 100);
  await nowhere.clear(1000);
  await nowhere.stop();
  expect(statSync(path).size).toBe(6);
});

test('is gone from a segment that is closed, and never overwrites a record', async () => {
  await using folder = new DiskLogFolder();
  const log = await folder.open();
  const writer = await TestWriter.open(log, FIRST);
  const texts: string[] = [];
  let recordBytes = 0;
  let largestBytes = 0;
  for (let i = 0; i < 200; i += 1) {
    // Small writes set steps off, large ones reach beyond them while they are under way.
    const text = String(i).padEnd(i % 10 === 9 ? 900_000 : 5000, 'x');
    texts.push(text);
    writer.add(source('a', 't'), text);
    await writer.settled();
    recordBytes += text.length;
    largestBytes = Math.max(largestBytes, statSync(folder.segments(0)[0]!).size - recordBytes);
  }
  expect(readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text)).toEqual(texts);
  if (process.platform === 'linux') expect(largestBytes).toBeGreaterThan(STEP_BYTES / 2);
  await writer.appender[Symbol.asyncDispose]();
  expect(statSync(folder.segments(0)[0]!).size - recordBytes).toBeLessThan(200 * 100);
});
