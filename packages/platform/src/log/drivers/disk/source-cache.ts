import type { RecordSource } from '../../log.ts';
import { decodeSource } from './source-codec.ts';

/**
 * Gives the same RecordSource for the same encoded bytes, so that a consumer can key on the object.
 *
 * Two generations of at most `limit` sources each: a full young one becomes the old one, and what is still in use is
 * taken over when it is seen again. A source that is in use therefore keeps its identity while others are forgotten.
 */
export class SourceCache {
  readonly #limit: number;
  #young = new SourceTable();
  #old = new SourceTable();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The source that is encoded in `bytes[start, end)`. */
  intern(bytes: Buffer, start: number, end: number): RecordSource {
    const hash = (bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 24)) >>> 0;
    const known = this.#young.find(hash, bytes, start, end);
    if (known !== undefined) return known;
    const source = this.#old.find(hash, bytes, start, end) ?? decodeSource(bytes, start, end);
    if (this.#young.count >= this.#limit) {
      this.#old = this.#young;
      this.#young = new SourceTable();
    }
    this.#young.add(hash, source);
    return source;
  }
}

/** Open addressing by the hash that is stored in the encoded source; at most half full. */
class SourceTable {
  count = 0;
  #mask = 1023;
  #hashes = new Uint32Array(1024);
  #sources: (RecordSource | undefined)[] = Array.from({ length: 1024 });

  find(hash: number, bytes: Uint8Array, start: number, end: number): RecordSource | undefined {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const source = this.#sources[slot];
      if (source === undefined) return undefined;
      if (this.#hashes[slot] === hash && sameBytes(source.encoded!, bytes, start, end)) return source;
    }
  }

  add(hash: number, source: RecordSource): void {
    if (this.count * 2 >= this.#sources.length) this.#double();
    this.#put(hash, source);
    this.count += 1;
  }

  #put(hash: number, source: RecordSource): void {
    let slot = hash & this.#mask;
    while (this.#sources[slot] !== undefined) slot = (slot + 1) & this.#mask;
    this.#sources[slot] = source;
    this.#hashes[slot] = hash;
  }

  #double(): void {
    const [hashes, sources] = [this.#hashes, this.#sources];
    const size = sources.length * 2;
    this.#mask = size - 1;
    this.#hashes = new Uint32Array(size);
    this.#sources = Array.from({ length: size });
    for (const [slot, source] of sources.entries()) {
      if (source !== undefined) this.#put(hashes[slot]!, source);
    }
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i += 1) {
    if (known[i] !== bytes[start + i]) return false;
  }
  return true;
}
