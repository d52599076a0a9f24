import { SelsynError } from '../../kernel/errors.ts';

/** Zero bytes after the end, so that a bit field may be read by whole words: see `end`. */
const PADDING_BYTES = 64;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/**
 * Little-endian input over a private, padded copy of the source.
 *
 * Invariant: `at <= end`, and `PADDING_BYTES` zero bytes follow `end`. Loops may read up to that many bytes beyond `end`
 * before they check their position.
 */
export class ByteReader {
  bytes = new Uint8Array(INITIAL_BYTES);
  view = new DataView(this.bytes.buffer);
  at = 0;
  end = 0;

  load(source: Uint8Array): void {
    const needed = source.length + PADDING_BYTES;
    if (needed > this.bytes.length || (this.bytes.length > KEPT_BYTES && needed <= KEPT_BYTES)) {
      this.bytes = new Uint8Array(Math.max(needed, INITIAL_BYTES));
      this.view = new DataView(this.bytes.buffer);
    }
    this.bytes.set(source);
    this.bytes.fill(0, source.length, needed);
    this.at = 0;
    this.end = source.length;
  }

  /** @throws SelsynError `data.corrupt` when fewer than `sizeBytes` are left. */
  need(sizeBytes: number): void {
    if (this.at + sizeBytes > this.end) throw corrupt('it ends too early', this.at);
  }

  byte(): number {
    this.need(1);
    return this.bytes[this.at++]!;
  }

  float64(): number {
    this.need(8);
    const value = this.view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** @throws SelsynError `data.corrupt` beyond 2^53. */
  varint(): number {
    const { bytes } = this;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 128) {
        this.need(0);
        if (value > Number.MAX_SAFE_INTEGER + 1) break;
        return value;
      }
      scale *= 128;
    }
    throw corrupt('a number in it is too long', this.at);
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

export function corrupt(reason: string, offset: number): SelsynError {
  return new SelsynError('data.corrupt', `A telemetry chunk cannot be decoded: ${reason}.`, { details: { offset } });
}
