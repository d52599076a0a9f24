const INITIAL_BYTES = 64 * 1024;
/** A buffer that one enormous chunk made larger than this is given back. */
const KEPT_BYTES = 1024 * 1024;

/** Growing little-endian output. Whoever writes reserves first: the writes themselves check nothing. */
export class ByteWriter {
  bytes = new Uint8Array(INITIAL_BYTES);
  view = new DataView(this.bytes.buffer);
  at = 0;

  clear(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES) this.#adopt(new Uint8Array(INITIAL_BYTES));
  }

  /** Makes room for `sizeBytes` more; `bytes` and `view` may be other objects afterwards. */
  reserve(sizeBytes: number): void {
    const needed = this.at + sizeBytes;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.at));
    this.#adopt(larger);
  }

  /** A copy of what was written since the last `clear`. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  byte(value: number): void {
    this.bytes[this.at++] = value;
  }

  float64(value: number): void {
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  /** LEB128 of an integer in 0..2^53: at most 8 bytes. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.bytes[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    let low = rest | 0;
    while (low >= 128) {
      this.bytes[this.at++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    this.bytes[this.at++] = low;
  }

  /** A signed integer up to ±2^52 as varint: 0, -1, 1, -2, … */
  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #adopt(bytes: Uint8Array<ArrayBuffer>): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
