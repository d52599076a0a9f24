import { SelsynError } from '../../../kernel/errors.ts';
import type { Offset, PartitionId, RecordBatch, RecordSource } from '../../log.ts';
import { FRAME_ARRIVAL_AT, FRAME_COUNT_AT, FRAME_FIRST_AT, FRAME_HEADER_BYTES, readOffset } from './frame.ts';
import { SourceCache } from './source-cache.ts';
import { sourceEnd } from './source-codec.ts';

/** A RecordBatch whose arrays are used again for each frame. */
class FrameBatch implements RecordBatch {
  readonly partition: PartitionId;
  firstOffset = 0 as Offset;
  nextOffset = 0 as Offset;
  arrivalMs = 0;
  count = 0;
  readonly sources: RecordSource[] = [];
  sourceIndex = new Uint32Array(1024);
  data: Uint8Array = new Uint8Array(0);
  starts = new Uint32Array(1024);
  ends = new Uint32Array(1024);

  constructor(partition: PartitionId) {
    this.partition = partition;
  }

  makeRoom(count: number): void {
    if (this.starts.length >= count) return;
    this.sourceIndex = new Uint32Array(count * 2);
    this.starts = new Uint32Array(count * 2);
    this.ends = new Uint32Array(count * 2);
  }
}

/** Turns frames into record batches; one for each reader. */
export class FrameDecoder {
  readonly #batch: FrameBatch;
  readonly #cache: SourceCache;
  /** Where the varint that was read last ended. */
  #at = 0;

  constructor(partition: PartitionId, maxSources: number) {
    this.#batch = new FrameBatch(partition);
    this.#cache = new SourceCache(maxSources);
  }

  /**
   * The records from offset `from` on of the frame in `bytes[start, end)`, whose CRC was checked. The batch is valid
   * until the next call.
   *
   * @throws SelsynError `data.corrupt`
   */
  decode(bytes: Buffer, start: number, end: number, from: number): RecordBatch {
    const batch = this.#batch;
    const first = readOffset(bytes, start + FRAME_FIRST_AT);
    const total = bytes.readUInt32LE(start + FRAME_COUNT_AT);
    // A record has two bytes at least; a count that cannot be must not become an allocation.
    if (total > (end - start) / 2) throw malformed(first);
    const skip = Math.max(0, from - first);
    batch.makeRoom(total);
    batch.firstOffset = (first + skip) as Offset;
    batch.nextOffset = (first + total) as Offset;
    batch.arrivalMs = bytes.readDoubleLE(start + FRAME_ARRIVAL_AT);
    batch.count = total - skip;
    batch.data = bytes;
    this.#records(bytes, start + FRAME_HEADER_BYTES, end, total, skip);
    return batch;
  }

  #records(bytes: Buffer, start: number, end: number, total: number, skip: number): void {
    const { sources, sourceIndex, starts, ends } = this.#batch;
    let at = start;
    let sourceCount = 0;
    for (let i = -skip; i < total - skip; i += 1) {
      let index = bytes[at++]!;
      if (index >= 0x80) {
        index = this.#varint(bytes, at - 1);
        at = this.#at;
      }
      if (index >= sourceCount) {
        const definitionEnd = index === sourceCount ? sourceEnd(bytes, at, end) : -1;
        if (definitionEnd < 0) throw malformed(this.#batch.firstOffset);
        sources[sourceCount++] = this.#cache.intern(bytes, at, definitionEnd);
        at = definitionEnd;
      }
      let length = bytes[at++]!;
      if (length >= 0x80) {
        length = this.#varint(bytes, at - 1);
        at = this.#at;
      }
      // Also false when a byte beyond the buffer was read as undefined.
      if (!(at + length <= end)) throw malformed(this.#batch.firstOffset);
      if (i >= 0) {
        sourceIndex[i] = index;
        starts[i] = at;
        ends[i] = at + length;
      }
      at += length;
    }
    if (at !== end) throw malformed(this.#batch.firstOffset);
    sources.length = sourceCount;
  }

  #varint(bytes: Buffer, start: number): number {
    let value = 0;
    let at = start;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        this.#at = at;
        return value;
      }
    }
    throw malformed(this.#batch.firstOffset);
  }
}

function malformed(offset: number): SelsynError {
  return new SelsynError('data.corrupt', 'a frame of the log has a valid checksum but not the expected form', {
    details: { offset },
  });
}
