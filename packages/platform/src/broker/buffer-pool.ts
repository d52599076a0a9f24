/** The two sizes of gathering buffers: what most turns need, and what is worth a write of its own. */
export const SMALL_BUFFER_BYTES = 2_048;
export const LARGE_BUFFER_BYTES = 16_384;

/** Lends out buffers, so that a connection has one only while it has something to write. Keeps a bounded number. */
export class BufferPool {
  readonly #small: Buffer[] = [];
  readonly #large: Buffer[] = [];

  takeSmall(): Buffer {
    return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BUFFER_BYTES);
  }

  takeLarge(): Buffer {
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BUFFER_BYTES);
  }

  /** Only what nobody refers to any more. */
  give(buffer: Buffer): void {
    if (buffer.length === SMALL_BUFFER_BYTES) {
      if (this.#small.length < MAX_SMALL) this.#small.push(buffer);
    } else if (this.#large.length < MAX_LARGE) this.#large.push(buffer);
  }
}

const MAX_SMALL = 2_048;
const MAX_LARGE = 256;
