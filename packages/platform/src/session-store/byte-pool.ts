const SLAB_BYTES = 8192;
const MAX_SHARED_BYTES = 1024;
/** Up to here a loop beats a call. */
const LOOP_BYTES = 128;

/**
 * Copies bytes to memory that many small ones share: an array with memory of its own costs 300 bytes and half a µs more.
 *
 * A slab lives as long as any array in it: copies that are dropped at the same time should be made one after the other.
 */
export class BytePool {
  #slab: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** `bytes[start, end)`, copied. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const length = end - start;
    if (length > MAX_SHARED_BYTES) return new Uint8Array(bytes.subarray(start, end));
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    const slab = this.#slab;
    if (length > LOOP_BYTES) slab.set(bytes.subarray(start, end), at);
    else for (let i = 0; i < length; i += 1) slab[at + i] = bytes[start + i]!;
    this.#used = at + length;
    return slab.subarray(at, at + length);
  }
}
