import { crc32c } from '@node-rs/crc32';

/**
 * A frame: records that were closed together. One write holds one frame or several.
 *
 *   0        4        8        12       16                24                32                40
 *   ┌────────┬────────┬────────┬────────┬─────────────────┬─────────────────┬─────────────────┬──────────
 *   │ magic  │ length │ crc32c │ count  │ first offset    │ write offset    │ arrival, ms     │ records …
 *   │ u32    │ u32    │ u32    │ u32    │ u64             │ u64             │ f64             │
 *   └────────┴────────┴────────┴────────┴─────────────────┴─────────────────┴─────────────────┴──────────
 *   Little-endian. `length` counts from the magic to the end of the records. The CRC covers all from `count` on and is
 *   seeded with the log's identity: what a device sends can never pass for a frame, nor can a frame of another log.
 *   `write offset` is the first offset of the write this frame was part of. A write starts only once all before it is
 *   durable, so a frame proves that every record below its write offset once was durable.
 *
 *   record:  ┌──────────────┬─────────────────────────────┬────────────────┬─────────┐
 *            │ source index │ source, at its first use    │ payload length │ payload │
 *            │ varint       │ in the frame (index = next) │ varint         │         │
 *            └──────────────┴─────────────────────────────┴────────────────┴─────────┘
 *   source:  ┌──────────────────┬─────────┬────────┬──────────┬───────┐
 *            │ crc32c of device │ device  │ device │ topic    │ topic │
 *            │ and topic, u32   │ len, u8 │        │ len, u16 │ UTF-8 │
 *            └──────────────────┴─────────┴────────┴──────────┴───────┘
 *   varint:  7 bits a byte, lowest first, the top bit set on all but the last.
 */
export const FRAME_HEADER_BYTES = 40;
export const FRAME_MAGIC = 0x314d_5246; // "FRM1"
export const FRAME_LENGTH_AT = 4;
export const FRAME_CRC_AT = 8;
export const FRAME_COUNT_AT = 12;
export const FRAME_FIRST_AT = 16;
export const FRAME_WRITE_AT = 24;
export const FRAME_ARRIVAL_AT = 32;

/** A frame is closed once it is this large, so that a reader needs little memory and a fault spoils little. */
export const FRAME_TARGET_BYTES = 1024 * 1024;

/** The CRC of the frame in `bytes[start, end)`. The native call is faster than a table in JavaScript from 150 bytes on. */
export function frameCrc(bytes: Buffer, start: number, end: number, seed: number): number {
  return crc32c(bytes.subarray(start + FRAME_COUNT_AT, end), seed);
}

/** What the CRCs of all frames of a log start from. */
export function crcSeed(identity: string): number {
  return crc32c(identity);
}

export function readOffset(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}

export function writeOffset(bytes: Buffer, at: number, offset: number): void {
  bytes.writeUInt32LE(offset % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(offset / 0x1_0000_0000), at + 4);
}
