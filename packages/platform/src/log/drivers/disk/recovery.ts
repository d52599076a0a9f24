import { closeSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { SelsynError } from '../../../kernel/errors.ts';
import type { DiskLogSetup } from './disk-options.ts';
import { FRAME_MAGIC, FRAME_WRITE_AT, readOffset } from './frame.ts';
import { logCorrupt } from './log-faults.ts';
import { createSegment } from './segment-create.ts';
import {
  SEGMENT_HEADER_BYTES,
  listSegments,
  partitionFolder,
  readSegmentHeader,
  segmentPath,
  type SegmentHeader,
} from './segment-file.ts';
import { SegmentScanner } from './segment-scanner.ts';
import { SharedPositions } from './shared-positions.ts';

/**
 * Offsets that are left out after a stop in `interval` mode. Records that were acknowledged, and read, may be lost with
 * the power then: their offsets are not given to others, or a consumer would take the new records for known ones.
 */
const LOST_OFFSETS = 1_000_000_000;
const BLOCK_BYTES = 1024 * 1024;

interface Tail {
  /** Bytes of the file that are good. */
  readonly position: number;
  /** The offset after the last good record. */
  readonly end: number;
}

/**
 * Finds the end of a partition: scans its last segment, cuts it behind the last good frame and publishes the position.
 *
 * @throws SelsynError `data.corrupt` when a bad frame cannot come from an interrupted write, since frames that were
 * written after it had become durable follow it. Then nothing is cut.
 */
export async function recoverPartition(setup: DiskLogSetup, partition: number): Promise<void> {
  const folder = partitionFolder(setup.dir, partition);
  const positions = new SharedPositions(setup.shared, partition);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  const bases = listSegments(folder);
  for (let last = bases.pop(); last !== undefined; last = bases.pop()) {
    const path = segmentPath(folder, last);
    const header = readSegmentHeader(path);
    if (header === undefined) {
      dropUnbegun(setup, path, last);
      continue;
    }
    checkHeader(setup, partition, header, path, last);
    const tail = cutTail(setup, path, header);
    if (header.intervalSync) return await leaveOffsetsOut(setup, positions, partition, header, tail);
    positions.roll(header.base, tail.position);
    positions.commit(tail.end, tail.position);
    return;
  }
}

/** A segment whose header was not yet written holds nothing. */
function dropUnbegun(setup: DiskLogSetup, path: string, base: number): void {
  const fd = openSync(path, 'r');
  try {
    const sizeBytes = fstatSync(fd).size;
    if (provenPast(fd, setup.seed, 0, sizeBytes, -1) !== undefined) throw logCorrupt(path, 0, base, 'its header is not valid');
  } finally {
    closeSync(fd);
  }
  rmSync(path);
  setup.logLines.warn({ path }, 'A log segment that had not been begun was removed');
}

function checkHeader(setup: DiskLogSetup, partition: number, header: SegmentHeader, path: string, base: number): void {
  if (header.identity === setup.identity && header.base === base && header.partition === partition) return;
  throw new SelsynError('data.corrupt', 'a log segment belongs to another log or another place', {
    details: { path, identity: header.identity, expected: setup.identity },
  });
}

/** Cuts a segment behind its last good frame, whatever a crash has left there. */
function cutTail(setup: DiskLogSetup, path: string, header: SegmentHeader): Tail {
  const fd = openSync(path, 'r+');
  try {
    const sizeBytes = fstatSync(fd).size;
    const tail = findTail(fd, setup.seed, sizeBytes, header.base);
    if (tail.position === sizeBytes) {
      // A process that was killed may have written its last frames and not have synced them: from here on they count.
      fsyncSync(fd);
      return tail;
    }
    const proof = provenPast(fd, setup.seed, tail.position, sizeBytes, tail.end);
    if (proof !== undefined)
      throw logCorrupt(path, tail.position, tail.end, `a frame is not valid, and good ones follow from byte ${proof} on`);
    const cutBytes = lastByteSet(fd, tail.position, sizeBytes) - tail.position;
    ftruncateSync(fd, tail.position);
    fsyncSync(fd);
    // Zeros alone were laid down ahead and never written to.
    if (cutBytes > 0) setup.logLines.warn({ path, cutBytes, end: tail.end }, 'The log was cut behind its last whole frame');
    return tail;
  } finally {
    closeSync(fd);
  }
}

function findTail(fd: number, seed: number, sizeBytes: number, base: number): Tail {
  const scanner = new SegmentScanner(fd, seed);
  let end = base;
  while (scanner.next(sizeBytes) === 'frame' && scanner.firstOffset === end) {
    end = scanner.nextOffset;
    scanner.advance();
  }
  return { position: scanner.position, end };
}

/** Where a good frame lies that was written when all up to beyond `end` was durable. */
function provenPast(fd: number, seed: number, from: number, sizeBytes: number, end: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(FRAME_MAGIC);
  const block = Buffer.alloc(BLOCK_BYTES);
  const scanner = new SegmentScanner(fd, seed);
  // Blocks overlap by three bytes: a magic that crosses a border is seen whole in the next one.
  for (let at = from; at < sizeBytes; at += BLOCK_BYTES - 3) {
    const filled = readSync(fd, block, 0, BLOCK_BYTES, at);
    for (let found = block.indexOf(magic); found >= 0 && found + 4 <= filled; found = block.indexOf(magic, found + 1)) {
      scanner.position = at + found;
      if (scanner.next(sizeBytes) !== 'frame') continue;
      if (readOffset(scanner.buffer, scanner.frameStart + FRAME_WRITE_AT) > end) return scanner.position;
    }
  }
  return undefined;
}

/** The place behind the last byte that is not zero. */
function lastByteSet(fd: number, from: number, sizeBytes: number): number {
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let end = sizeBytes; end > from; end -= BLOCK_BYTES) {
    const start = Math.max(from, end - BLOCK_BYTES);
    const filled = readSync(fd, block, 0, end - start, start);
    for (let i = filled - 1; i >= 0; i -= 1) if (block[i] !== 0) return start + i + 1;
  }
  return from;
}

async function leaveOffsetsOut(
  setup: DiskLogSetup,
  positions: SharedPositions,
  partition: number,
  last: SegmentHeader,
  tail: Tail,
): Promise<void> {
  const folder = partitionFolder(setup.dir, partition);
  const base = tail.end + LOST_OFFSETS;
  const isEmpty = tail.position <= SEGMENT_HEADER_BYTES;
  const file = await createSegment(
    folder,
    {
      partition,
      identity: setup.identity,
      base,
      previousEnd: isEmpty ? last.previousEnd : tail.end,
      madeMs: setup.clock.now(),
      intervalSync: setup.sync === 'interval',
    },
    true,
  );
  await file.handle.close();
  if (isEmpty) rmSync(segmentPath(folder, last.base));
  positions.roll(base, SEGMENT_HEADER_BYTES);
  positions.commit(base, SEGMENT_HEADER_BYTES);
}
