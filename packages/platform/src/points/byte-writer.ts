const START_BYTES = 4096;
const ZERO = 0x30;
const utf8 = new TextEncoder();

/** Bytes that grow at their end. `data` changes when they grow: read it again after each call. */
export class ByteWriter {
  data: Uint8Array<ArrayBuffer> = new Uint8Array(START_BYTES);
  size = 0;

  /** Makes room for so many more bytes. */
  reserve(bytes: number): void {
    if (this.size + bytes <= this.data.length) return;
    const grown = new Uint8Array(Math.max(this.size + bytes, this.data.length * 2));
    grown.set(this.data.subarray(0, this.size));
    this.data = grown;
  }

  byte(byte: number): void {
    if (this.size === this.data.length) this.reserve(1);
    this.data[this.size++] = byte;
  }

  bytes(from: Uint8Array, start = 0, end = from.length): void {
    this.reserve(end - start);
    const { data } = this;
    let at = this.size;
    // Short ones are most: a call into the engine would cost more.
    if (end - start > 64) {
      data.set(from.subarray(start, end), at);
      at += end - start;
    } else for (let i = start; i < end; i++) data[at++] = from[i]!;
    this.size = at;
  }

  text(text: string): void {
    this.reserve(text.length * 3);
    this.size += utf8.encodeInto(text, this.data.subarray(this.size)).written;
  }

  /** A whole number from 0 to 2^53, in decimal digits. */
  wholeNumber(value: number): void {
    this.reserve(17);
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    const { data } = this;
    let at = this.size + digits;
    this.size = at;
    let rest = value;
    // 32-bit divisions are several times as fast.
    while (rest >= 1e9) {
      const high = Math.floor(rest / 1e9);
      let low = (rest - high * 1e9) | 0;
      for (let i = 0; i < 9; i++) {
        const next = (low / 10) | 0;
        data[--at] = ZERO + (low - next * 10);
        low = next;
      }
      rest = high;
    }
    let low = rest | 0;
    do {
      const next = (low / 10) | 0;
      data[--at] = ZERO + (low - next * 10);
      low = next;
    } while (low > 0);
  }

  /** A copy of what was written. */
  taken(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.size);
  }
}
