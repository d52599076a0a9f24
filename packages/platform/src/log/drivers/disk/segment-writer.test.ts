import { constants, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { silentLogLines } from '../../../kernel/log-lines.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';
import { openDiskLog, type DiskLog } from './disk-log.ts';
import type { DiskLogOptions } from './disk-options.ts';
import { newDiskLogShared } from './shared-positions.ts';

let folder: DiskLogFolder;
let log: DiskLog;
let writer: TestWriter;
/** Of every open file: faults are injected here. */
let handles: FileHandle;

beforeEach(async () => {
  folder = new DiskLogFolder();
  const handle = await open(join(folder.dir, '..'), 'r');
  handles = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await folder[Symbol.asyncDispose]();
});

async function start(options: Partial<DiskLogOptions> = {}): Promise<void> {
  log = await folder.open(options);
  writer = await TestWriter.open(log, FIRST);
}

/** Appends in one commit and tells how it ended: `durable` or the error's code. */
async function append(...texts: string[]): Promise<string> {
  for (const text of texts) writer.add(source('a', 't'), text);
  await writer.settled();
  const event = writer.events.at(-1)!;
  return 'rejected' in event ? event.error.code : 'durable';
}

async function texts(): Promise<string[]> {
  return readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text);
}

function fault(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** How the next writes of records end: after that many bytes, whole, or with an error. Zeros laid down ahead pass by. */
function onWrites(...outcomes: readonly (number | 'whole' | Error)[]): void {
  const left = [...outcomes];
  // oxlint-disable-next-line typescript/unbound-method -- applied to the handle below
  const write = handles.write;
  vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...given: unknown[]) {
    const [bytes, at, length, position] = given as [Buffer, number, number, number];
    const outcome = length >= 1024 * 1024 ? 'whole' : (left.shift() ?? 'whole');
    if (outcome instanceof Error) throw outcome;
    const written: unknown = await Reflect.apply(write, this, [bytes, at, outcome === 'whole' ? length : outcome, position]);
    return written as Awaited<ReturnType<FileHandle['write']>>;
  });
}

/** The next write of records reaches the file whole, and yet fails: as when its sync has failed. */
function wholeThenFault(code: string): void {
  // oxlint-disable-next-line typescript/unbound-method -- applied to the handle below
  const write = handles.write;
  let isDone = false;
  vi.spyOn(handles, 'write').mockImplementation(async function (this: FileHandle, ...given: unknown[]) {
    const written: unknown = await Reflect.apply(write, this, given);
    if (isDone || (given[2] as number) >= 1024 * 1024) return written as Awaited<ReturnType<FileHandle['write']>>;
    isDone = true;
    throw fault(code);
  });
}

test.each([
  ['ENOSPC', 'log.full', 1],
  ['EDQUOT', 'log.full', 1],
  ['EFBIG', 'log.full', 2],
  ['EIO', 'log.failed', 2],
])('takes back a batch that met %s, rejects it as %s and goes on in segment %i', async (code, expected, segments) => {
  await start();
  const reader = await log.openReader(FIRST, 0 as Offset);
  expect(await append('one')).toBe('durable');
  onWrites(30, fault(code));
  expect(await append('lost', 'lost too')).toBe(expected);
  expect(writer.events.at(-1)).toMatchObject({ rejected: 3 });
  expect(reader.end).toBe(1);
  expect(await append('two')).toBe('durable');
  expect(folder.segments(0)).toHaveLength(segments);
  expect(readAll(reader).map((record) => record.text)).toEqual(['one', 'two']);
  log = await folder.open();
  expect(await texts()).toEqual(['one', 'two']);
});

test('cuts a rejected batch off at once, so that no crash brings it back', async () => {
  await start();
  expect(await append('one')).toBe('durable');
  wholeThenFault('ENOSPC');
  expect(await append('lost')).toBe('log.full');
  // As after kill -9: the log that is open is not closed.
  const { dir, clock } = folder;
  const next = await openDiskLog({ dir, clock, shared: newDiskLogShared(1), role: 'owner', logLines: silentLogLines });
  expect(readAll(await next.openReader(FIRST, 0 as Offset)).map((record) => record.text)).toEqual(['one']);
  await next[Symbol.asyncDispose]();
});

test('rejects what was added while a failing write was under way only if its own write fails', async () => {
  await start();
  onWrites(30, fault('ENOSPC'));
  writer.add(source('a', 't'), 'lost');
  await new Promise((resolve) => setImmediate(resolve));
  writer.add(source('a', 't'), 'kept');
  await writer.settled();
  expect(writer.events).toMatchObject([{ rejected: 1 }, { durable: 2 }]);
  expect(await texts()).toEqual(['kept']);
});

test('leaves a segment that cannot be cut back, and never shows what stands behind its tail', async () => {
  await start();
  const reader = await log.openReader(FIRST, 0 as Offset);
  expect(await append('one')).toBe('durable');
  expect(readAll(reader)).toHaveLength(1);
  wholeThenFault('EIO');
  vi.spyOn(handles, 'truncate').mockRejectedValue(fault('EIO'));
  expect(await append('lost')).toBe('log.failed');
  expect(await append('two')).toBe('durable');
  expect(readAll(reader).map((record) => record.text)).toEqual(['two']);
  expect(await texts()).toEqual(['one', 'two']);
  vi.restoreAllMocks();
  log = await folder.open();
  expect(await texts()).toEqual(['one', 'two']);
});

test('begins its first segment anew when that is the one that has failed', async () => {
  await start();
  const reader = await log.openReader(FIRST, 0 as Offset);
  expect(reader.read()).toBeUndefined();
  onWrites(30, fault('EIO'));
  expect(await append('lost')).toBe('log.failed');
  expect(await append('one')).toBe('durable');
  expect(folder.segments(0)).toHaveLength(1);
  expect(readAll(reader).map((record) => record.text)).toEqual(['one']);
});

test('rejects while no new segment can be begun, and begins one when it can', async () => {
  await start({ segmentBytes: 1000 });
  expect(await append('x'.repeat(900))).toBe('durable');
  vi.spyOn(handles, 'sync').mockRejectedValue(fault('ENOSPC'));
  expect(await append('y'.repeat(900))).toBe('log.full');
  expect(await append('y'.repeat(900))).toBe('log.full');
  expect(folder.segments(0)).toHaveLength(1);
  vi.restoreAllMocks();
  expect(await append('z'.repeat(900))).toBe('durable');
  expect((await texts()).map((text) => text[0])).toEqual(['x', 'z']);
});

test('syncs by interval, and leaves a segment whose sync has failed', async () => {
  await start({ sync: 'interval', syncIntervalMs: 500 });
  const datasync = vi.spyOn(handles, 'datasync');
  expect(await append('one')).toBe('durable');
  expect(await append('two')).toBe('durable');
  expect(datasync).not.toHaveBeenCalled();
  folder.clock.advance(500);
  expect(datasync).toHaveBeenCalledTimes(1);
  folder.clock.advance(5000);
  expect(datasync).toHaveBeenCalledTimes(1);
  expect(await append('three')).toBe('durable');
  datasync.mockRejectedValueOnce(fault('EIO'));
  folder.clock.advance(500);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await append('four')).toBe('durable');
  expect(folder.segments(0)).toHaveLength(2);
  expect(await texts()).toEqual(['one', 'two', 'three', 'four']);
});

test('syncs every write, and the names of its segments before a record in them counts', async () => {
  const sync = vi.spyOn(handles, 'sync');
  await start({ segmentBytes: 1000 });
  const before = sync.mock.calls.length;
  expect(await append('x'.repeat(900))).toBe('durable');
  const datasync = vi.spyOn(handles, 'datasync');
  expect(await append('y'.repeat(900))).toBe('durable');
  // The new segment and its folder.
  expect(sync.mock.calls.length).toBe(before + 2);
  const path = folder.segments(0)[1]!;
  if (process.platform !== 'linux') return expect(datasync).toHaveBeenCalled();
  const fd = readdirSync('/proc/self/fd').find((name) => linkOf(name) === path)!;
  const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!;
  expect(Number.parseInt(flags, 8) & constants.O_DSYNC).toBe(constants.O_DSYNC);
});

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor through which the folder was read is closed by now.
    return undefined;
  }
}
