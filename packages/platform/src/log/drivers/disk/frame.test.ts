import { closeSync, openSync, writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { source, withCode } from '../../log.contract.ts';
import type { PartitionId } from '../../log.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { FRAME_CRC_AT, FRAME_HEADER_BYTES, FRAME_LENGTH_AT, crcSeed, frameCrc, readOffset, writeOffset } from './frame.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { SEGMENT_HEADER_BYTES } from './segment-file.ts';
import { SegmentScanner } from './segment-scanner.ts';

const SEED = crcSeed('00112233-4455-6677-8899-aabbccddeeff');
const PARTITION = 3 as PartitionId;

test('uses CRC-32C [RFC 3720, B.4]', () => {
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('writes a frame byte for byte as it is drawn', () => {
  const batch = new BatchBuffer();
  const from = source('ab', 't/x');
  batch.append(from, Buffer.from('..{1}..'), 2, 5);
  batch.append(from, Buffer.alloc(200, 7), 0, 200);
  batch.seal(2 ** 32 + 5, 1.5, SEED);
  const hash = crc32c(Buffer.from('\u0002ab\u0003\u0000t/x', 'latin1'));
  const records = Buffer.concat([
    Buffer.from([0, hash & 255, (hash >>> 8) & 255, (hash >>> 16) & 255, hash >>> 24]),
    Buffer.from('\u0002ab\u0003\u0000t/x', 'latin1'),
    Buffer.from([3]),
    Buffer.from('{1}'),
    Buffer.from([0, 0xc8, 0x01]),
    Buffer.alloc(200, 7),
  ]);
  const crcAt = Buffer.alloc(4);
  crcAt.writeUInt32LE(frameCrc(batch.bytes, 0, batch.size, SEED));
  const expected = Buffer.concat([
    Buffer.from('FRM1'),
    Buffer.from(
      [40 + records.length, 1, 0, 0].map((byte, i) =>
        i === 0 ? (40 + records.length) & 255 : i === 1 ? (40 + records.length) >> 8 : byte,
      ),
    ),
    crcAt,
    Buffer.from([2, 0, 0, 0]),
    Buffer.from([5, 0, 0, 0, 1, 0, 0, 0]),
    Buffer.from([5, 0, 0, 0, 1, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    records,
  ]);
  expect(batch.bytes.subarray(0, batch.size).toString('hex')).toBe(expected.toString('hex'));
});

test('keeps offsets beyond 32 bits', () => {
  const bytes = Buffer.alloc(8);
  for (const offset of [0, 1, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
    writeOffset(bytes, 0, offset);
    expect(readOffset(bytes, 0)).toBe(offset);
    expect(bytes.readBigUInt64LE()).toBe(BigInt(offset));
  }
});

test('gives back any records in any frames', () => {
  const sources = Array.from({ length: 200 }, (_, i) =>
    source(`device-${i}`.padEnd(1 + (i % 128), 'x').slice(0, 128), `t/${i}/${'ü'.repeat(i)}`),
  );
  const record = fc.record({ from: fc.nat(199), data: fc.uint8Array({ maxLength: 300 }) });
  const decoder = new FrameDecoder(PARTITION, 50);
  const batch = new BatchBuffer();
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 400 }), fc.nat(2 ** 48), (records, first) => {
      for (const one of records) batch.append(sources[one.from]!, one.data, 0, one.data.length);
      batch.seal(first, 1, SEED);
      const skip = first % records.length;
      const read = decoder.decode(batch.bytes, 0, batch.size, first + skip);
      expect([read.firstOffset, read.nextOffset, read.count]).toEqual([
        first + skip,
        first + records.length,
        records.length - skip,
      ]);
      for (let i = 0; i < read.count; i += 1) {
        const wrote = records[i + skip]!;
        const { device, topic } = read.sources[read.sourceIndex[i]!]!;
        expect([device, topic]).toEqual([sources[wrote.from]!.device, sources[wrote.from]!.topic]);
        expect(Buffer.compare(wrote.data, read.data.subarray(read.starts[i], read.ends[i]))).toBe(0);
      }
      batch.clear();
    }),
    { numRuns: 100 },
  );
});

test('does not mistake a source that another appender has numbered meanwhile', () => {
  const [one, other] = [new BatchBuffer(), new BatchBuffer()];
  const [a, b] = [source('a', 't'), source('b', 't')];
  one.append(a, Buffer.from('1'), 0, 1);
  other.append(b, Buffer.from('2'), 0, 1);
  other.append(a, Buffer.from('3'), 0, 1);
  one.append(b, Buffer.from('4'), 0, 1);
  one.append(a, Buffer.from('5'), 0, 1);
  one.seal(0, 0, SEED);
  const read = new FrameDecoder(PARTITION, 10).decode(one.bytes, 0, one.size, 0);
  expect(Array.from({ length: 3 }, (_, i) => read.sources[read.sourceIndex[i]!]!.device)).toEqual(['a', 'b', 'a']);
});

test('finds every flipped bit', () => {
  const dir = mkdtempSync(join(tmpdir(), 'selsyn-frame-'));
  const path = join(dir, 'segment');
  const batch = new BatchBuffer();
  for (const text of ['first', 'second']) batch.append(source(text, `t/${text}`), Buffer.from(text), 0, text.length);
  batch.seal(7, 1, SEED);
  const good = Buffer.concat([Buffer.alloc(SEGMENT_HEADER_BYTES), batch.bytes.subarray(0, batch.size)]);
  const scan = (bytes: Buffer): string => {
    writeFileSync(path, bytes);
    const fd = openSync(path, 'r');
    const found = new SegmentScanner(fd, SEED).next(bytes.length);
    closeSync(fd);
    return found;
  };
  expect(scan(good)).toBe('frame');
  for (let bit = SEGMENT_HEADER_BYTES * 8; bit < good.length * 8; bit += 1) {
    const bytes = Buffer.from(good);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect([bit, scan(bytes)]).toEqual([bit, 'bad']);
  }
  rmSync(dir, { recursive: true });
});

test('refuses a frame whose checksum is right and whose form is not, without reading beyond it', () => {
  const batch = new BatchBuffer();
  for (let i = 0; i < 20; i += 1) batch.append(source(`d${i % 4}`, 't'), Buffer.from('payload'), 0, 7);
  batch.seal(0, 1, SEED);
  const decoder = new FrameDecoder(PARTITION, 10);
  let refused = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 12, max: batch.size - 1 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 41, max: batch.size }),
      (at, byte, end) => {
        const bytes = Buffer.from(batch.bytes.subarray(0, end));
        if (at < end) bytes[at] = byte;
        try {
          const read = decoder.decode(bytes, 0, end, 0);
          for (let i = 0; i < read.count; i += 1) expect(read.ends[i]!).toBeLessThanOrEqual(end);
        } catch (error) {
          expect(withCode('data.corrupt').asymmetricMatch(error)).toBe(true);
          refused += 1;
        }
      },
    ),
    { numRuns: 2000 },
  );
  expect(refused).toBeGreaterThan(1000);
  expect(batch.bytes.readUInt32LE(FRAME_LENGTH_AT)).toBe(batch.size);
  expect(batch.bytes.readUInt32LE(FRAME_CRC_AT)).not.toBe(0);
  expect(FRAME_HEADER_BYTES).toBe(40);
});
