import { readSync } from 'node:fs';
import {
  FRAME_CRC_AT,
  FRAME_COUNT_AT,
  FRAME_FIRST_AT,
  FRAME_HEADER_BYTES,
  FRAME_LENGTH_AT,
  FRAME_MAGIC,
  frameCrc,
  readOffset,
} from './frame.ts';
import { SEGMENT_HEADER_BYTES } from './segment-file.ts';

const BLOCK_BYTES = 1024 * 1024;

/** `frame`: a whole frame with a good checksum; `end`: the limit is reached; `zero`: nothing was written here; `bad`: none of these. */
export type Scan = 'frame' | 'end' | 'zero' | 'bad';

/** Goes through the frames of one segment file with large reads into one buffer. */
export class SegmentScanner {
  readonly #fd: number;
  readonly #seed: number;
  /** Place in the file of the frame that `next` looks at. */
  position = SEGMENT_HEADER_BYTES;
  buffer: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** The frame that `next` found is `buffer[frameStart, frameEnd)`. */
  frameStart = 0;
  frameEnd = 0;
  #bufferAt = 0;
  #filled = 0;

  constructor(fd: number, seed: number) {
    this.#fd = fd;
    this.#seed = seed;
  }

  /** Looks at the frame at `position`, which must lie wholly before `limit`. Does not move on. */
  next(limit: number): Scan {
    if (this.position >= limit) return 'end';
    if (!this.#load(FRAME_HEADER_BYTES, limit)) return 'bad';
    const magic = this.buffer.readUInt32LE(this.frameStart);
    if (magic !== FRAME_MAGIC) return magic === 0 ? 'zero' : 'bad';
    const length = this.buffer.readUInt32LE(this.frameStart + FRAME_LENGTH_AT);
    if (length < FRAME_HEADER_BYTES || !this.#load(length, limit)) return 'bad';
    const crc = this.buffer.readUInt32LE(this.frameStart + FRAME_CRC_AT);
    return crc === frameCrc(this.buffer, this.frameStart, this.frameEnd, this.#seed) ? 'frame' : 'bad';
  }

  /** Moves on behind the frame that `next` found. */
  advance(): void {
    this.position += this.frameEnd - this.frameStart;
  }

  get firstOffset(): number {
    return readOffset(this.buffer, this.frameStart + FRAME_FIRST_AT);
  }

  get nextOffset(): number {
    return this.firstOffset + this.buffer.readUInt32LE(this.frameStart + FRAME_COUNT_AT);
  }

  /** Goes on, by frame headers alone, to the frame that holds `offset`; stops early at anything that is not a frame. */
  skipTo(offset: number, limit: number): void {
    const header = Buffer.alloc(FRAME_HEADER_BYTES);
    while (this.position + FRAME_HEADER_BYTES <= limit) {
      if (readSync(this.#fd, header, 0, header.length, this.position) < header.length) return;
      const length = header.readUInt32LE(FRAME_LENGTH_AT);
      if (header.readUInt32LE(0) !== FRAME_MAGIC || length < FRAME_HEADER_BYTES) return;
      if (readOffset(header, FRAME_FIRST_AT) + header.readUInt32LE(FRAME_COUNT_AT) > offset) return;
      this.position += length;
    }
  }

  /** Makes `bytes` from `position` on available in the buffer. False when there are not as many before the limit. */
  #load(bytes: number, limit: number): boolean {
    if (this.position + bytes > limit) return false;
    if (this.position < this.#bufferAt || this.position + bytes > this.#bufferAt + this.#filled) {
      if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafeSlow(bytes);
      const wanted = Math.min(this.buffer.length, limit - this.position);
      this.#bufferAt = this.position;
      this.#filled = readSync(this.#fd, this.buffer, 0, wanted, this.position);
      if (this.#filled < bytes) return false;
    }
    this.frameStart = this.position - this.#bufferAt;
    this.frameEnd = this.frameStart + bytes;
    return true;
  }
}
