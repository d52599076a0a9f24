const START_BYTES = 4096;
/** Above this, a buffer that was needed once gives its memory back. */
const KEEP_BYTES = 1024 * 1024;

/** Writes fields one behind the other into a buffer that grows and is used again: valid until the next `clear`. */
export class ByteWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(START_BYTES);
  /** Bytes used. */
  size = 0;

  clear(): void {
    this.size = 0;
    if (this.bytes.length > KEEP_BYTES) this.bytes = Buffer.allocUnsafeSlow(START_BYTES);
  }

  u8(value: number): void {
    this.#room(1);
    this.bytes[this.size++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.bytes[this.size++] = value & 0xff;
    this.bytes[this.size++] = value >>> 8;
  }

  f64(value: number): void {
    this.#room(8);
    this.size = this.bytes.writeDoubleLE(value, this.size);
  }

  /** A whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#room(8);
    const { bytes } = this;
    let rest = value;
    let at = this.size;
    while (rest > 0x7fff_ffff) {
      bytes[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.size = at;
  }

  /** UTF-8 behind its length. */
  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.#room(length);
    this.size += this.bytes.write(text, this.size, length, 'utf8');
  }

  /** Bytes behind their count. */
  block(block: Uint8Array): void {
    this.varint(block.length);
    this.#room(block.length);
    this.bytes.set(block, this.size);
    this.size += block.length;
  }

  #room(count: number): void {
    if (this.bytes.length - this.size >= count) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.size + count));
    this.bytes.copy(larger, 0, 0, this.size);
    this.bytes = larger;
  }
}
