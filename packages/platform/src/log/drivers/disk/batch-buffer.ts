import type { RecordSource } from '../../log.ts';
import {
  FRAME_ARRIVAL_AT,
  FRAME_COUNT_AT,
  FRAME_CRC_AT,
  FRAME_FIRST_AT,
  FRAME_HEADER_BYTES,
  FRAME_LENGTH_AT,
  FRAME_MAGIC,
  FRAME_TARGET_BYTES,
  FRAME_WRITE_AT,
  frameCrc,
  writeOffset,
} from './frame.ts';
import { encodedSource } from './source-codec.ts';

const START_BYTES = 1024 * 1024;
/** Above this, a buffer that was hardly used gives its memory back. */
const KEEP_BYTES = 4 * 1024 * 1024;
/** The most that a record needs besides its payload and its source: a frame header and two varints. */
const OVERHEAD_BYTES = FRAME_HEADER_BYTES + 10;
/** Below this many bytes a loop beats a call to Buffer.copy. */
const LOOP_BYTES = 40;

/**
 * The frames of the next write, encoded as the records come in: `append` copies each payload straight to its place.
 *
 * Invariants: `bytes[0, size)` is a row of frames; the last of them is open while `#frameCount > 0`, the others lack
 * only what `seal` fills in. A source is in the open frame's table when `#sources[source.indexInBatch]` is that source.
 */
export class BatchBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(START_BYTES);
  /** Bytes used. */
  size = 0;
  /** Records held. */
  count = 0;
  #frameStart = 0;
  #frameCount = 0;
  readonly #sources: RecordSource[] = [];
  #sourceCount = 0;

  append(source: RecordSource, data: Uint8Array, start: number, end: number): void {
    const length = end - start;
    // Before anything is written: it may throw.
    if (source.encoded === undefined) encodedSource(source);
    if (this.bytes.length - this.size < length + OVERHEAD_BYTES) this.#grow(length + OVERHEAD_BYTES);
    if (this.#frameCount === 0) this.#openFrame();
    let at = this.size;
    const index = source.indexInBatch;
    if (index >= 0 && index < this.#sourceCount && this.#sources[index] === source) at = writeVarint(this.bytes, at, index);
    else at = this.#defineSource(source, length);
    const bytes = this.bytes;
    at = writeVarint(bytes, at, length);
    if (length < LOOP_BYTES) {
      for (let i = start; i < end; i += 1) bytes[at++] = data[i]!;
    } else {
      if (data instanceof Buffer) data.copy(bytes, at, start, end);
      else bytes.set(data.subarray(start, end), at);
      at += length;
    }
    this.size = at;
    this.count += 1;
    this.#frameCount += 1;
    if (at - this.#frameStart >= FRAME_TARGET_BYTES) this.#closeFrame();
  }

  /** Completes the frames: `bytes[0, size)` is then what is to be written. */
  seal(firstOffset: number, arrivalMs: number, seed: number): void {
    if (this.#frameCount > 0) this.#closeFrame();
    let offset = firstOffset;
    for (let start = 0; start < this.size;) {
      const end = start + this.bytes.readUInt32LE(start + FRAME_LENGTH_AT);
      writeOffset(this.bytes, start + FRAME_FIRST_AT, offset);
      writeOffset(this.bytes, start + FRAME_WRITE_AT, firstOffset);
      this.bytes.writeDoubleLE(arrivalMs, start + FRAME_ARRIVAL_AT);
      this.bytes.writeUInt32LE(frameCrc(this.bytes, start, end, seed), start + FRAME_CRC_AT);
      offset += this.bytes.readUInt32LE(start + FRAME_COUNT_AT);
      start = end;
    }
  }

  clear(): void {
    if (this.bytes.length > KEEP_BYTES && this.size < this.bytes.length / 8) this.bytes = Buffer.allocUnsafeSlow(START_BYTES);
    this.size = 0;
    this.count = 0;
  }

  #openFrame(): void {
    this.#frameStart = this.size;
    this.#sourceCount = 0;
    this.bytes.writeUInt32LE(FRAME_MAGIC, this.size);
    this.size += FRAME_HEADER_BYTES;
  }

  #closeFrame(): void {
    this.bytes.writeUInt32LE(this.size - this.#frameStart, this.#frameStart + FRAME_LENGTH_AT);
    this.bytes.writeUInt32LE(this.#frameCount, this.#frameStart + FRAME_COUNT_AT);
    this.#frameCount = 0;
  }

  /** Writes the source behind its index, leaving room for a payload of `length`. Returns where the record goes on. */
  #defineSource(source: RecordSource, length: number): number {
    const encoded = encodedSource(source);
    if (this.bytes.length - this.size < encoded.length + length + OVERHEAD_BYTES) {
      this.#grow(encoded.length + length + OVERHEAD_BYTES);
    }
    source.indexInBatch = this.#sourceCount;
    this.#sources[this.#sourceCount] = source;
    const bytes = this.bytes;
    let at = writeVarint(bytes, this.size, this.#sourceCount);
    this.#sourceCount += 1;
    if (encoded.length < LOOP_BYTES) {
      for (let i = 0; i < encoded.length; i += 1) bytes[at++] = encoded[i]!;
      return at;
    }
    bytes.set(encoded, at);
    return at + encoded.length;
  }

  #grow(roomBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.size + roomBytes));
    this.bytes.copy(larger, 0, 0, this.size);
    this.bytes = larger;
  }
}

function writeVarint(bytes: Buffer, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}
