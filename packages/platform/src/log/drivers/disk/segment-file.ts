import { readdirSync, openSync, readSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { systemCode } from '../../../kernel/errors.ts';
import { readOffset, writeOffset } from './frame.ts';

/**
 * A segment: the file `<base offset, 20 digits>.log` in its partition's folder. This header, then frames (frame.ts),
 * then, in the segment that is being written, zeros that were laid down ahead.
 *
 *   0          8         10      12          16          32        40             48          56       60
 *   ┌──────────┬─────────┬───────┬───────────┬───────────┬─────────┬──────────────┬───────────┬────────┬─────┐
 *   │ "SELSYNLG" version │ flags │ partition │ identity  │ base    │ previous end │ made, ms  │ crc32c │ 0…  │
 *   │          │ u16     │ u16   │ u32       │ 16 bytes  │ u64     │ u64          │ f64       │ u32    │     │
 *   └──────────┴─────────┴───────┴───────────┴───────────┴─────────┴──────────────┴───────────┴────────┴─────┘
 *   Little-endian. Flag 1: written with `interval` sync. `previous end` is the offset after the last record of the
 *   segment before: less than `base` where offsets were left out on purpose. The CRC covers the bytes before it.
 */
export const SEGMENT_HEADER_BYTES = 64;
const MAGIC = 'SELSYNLG';
const VERSION = 1;
const CRC_AT = 56;

export interface SegmentHeader {
  readonly partition: number;
  readonly identity: string;
  readonly base: number;
  readonly previousEnd: number;
  readonly madeMs: number;
  /** Its last records may have been lost with the power although they were acknowledged. */
  readonly intervalSync: boolean;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  bytes.writeUInt16LE(VERSION, 8);
  bytes.writeUInt16LE(header.intervalSync ? 1 : 0, 10);
  bytes.writeUInt32LE(header.partition, 12);
  bytes.write(header.identity.replaceAll('-', ''), 16, 'hex');
  writeOffset(bytes, 32, header.base);
  writeOffset(bytes, 40, header.previousEnd);
  bytes.writeDoubleLE(header.madeMs, 48);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CRC_AT)), CRC_AT);
  return bytes;
}

/** Undefined when these bytes are not a segment header of this version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC || bytes.readUInt16LE(8) !== VERSION)
    return undefined;
  if (bytes.readUInt32LE(CRC_AT) !== crc32c(bytes.subarray(0, CRC_AT))) return undefined;
  return {
    intervalSync: (bytes.readUInt16LE(10) & 1) === 1,
    partition: bytes.readUInt32LE(12),
    identity: bytes.toString('hex', 16, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    base: readOffset(bytes, 32),
    previousEnd: readOffset(bytes, 40),
    madeMs: bytes.readDoubleLE(48),
  };
}

export function partitionFolder(dir: string, partition: number): string {
  return join(dir, String(partition));
}

export function segmentPath(folder: string, base: number): string {
  return join(folder, `${String(base).padStart(20, '0')}.log`);
}

/** The base offsets of the segments in a partition's folder, ascending. Empty where there is no such folder. */
export function listSegments(folder: string): number[] {
  const bases: number[] = [];
  for (const name of namesIn(folder)) {
    if (/^\d{20}\.log$/.test(name)) bases.push(Number(name.slice(0, 20)));
  }
  return bases.toSorted((a, b) => a - b);
}

/** The partitions that have a folder: at least one more than the highest number. */
export function countPartitions(dir: string): number {
  let count = 0;
  for (const name of namesIn(dir)) {
    if (/^\d{1,6}$/.test(name)) count = Math.max(count, Number(name) + 1);
  }
  return count;
}

/** Undefined when the header is not valid. Throws what the file system throws. */
export function readSegmentHeader(path: string): SegmentHeader | undefined {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    return readSync(fd, bytes, 0, bytes.length, 0) === bytes.length ? decodeSegmentHeader(bytes) : undefined;
  } finally {
    closeSync(fd);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
