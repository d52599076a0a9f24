/**
 * The beginning of a packet that lies in several chunks.
 *
 * Grows with the bytes that came, never to the length that a packet announces: doubling makes the copying O(n) however small the chunks
 * are. A buffer of up to {@link KEPT_BYTES} is kept for the next packet, a larger one is let go.
 */
export class HeldBytes {
  #bytes = NONE;
  #length = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** @param total how long the whole will be at most: the buffer does not grow past it. */
  append(chunk: Uint8Array, start: number, end: number, total: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(total, Math.max(KEPT_BYTES, 2 * this.#bytes.length))));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** Forgets the bytes, which stay readable until the next {@link append}. */
  clear(): void {
    this.#length = 0;
  }

  /** Lets a large buffer go. */
  trim(): void {
    if (this.#length === 0 && this.#bytes.length > KEPT_BYTES) this.#bytes = NONE;
  }
}

const KEPT_BYTES = 256;
const NONE = new Uint8Array(0);
