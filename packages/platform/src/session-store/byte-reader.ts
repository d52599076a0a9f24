import { SelsynError } from '../kernel/errors.ts';
import { BytePool } from './byte-pool.ts';

/** Reads back what a ByteWriter wrote. Every method throws `data.corrupt` where the bytes end too early. */
export class ByteReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  readonly #pool = new BytePool();

  /** From now on reads `bytes[start, end)`. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u16(): number {
    const at = this.#take(2);
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  f64(): number {
    return asBuffer(this.#bytes).readDoubleLE(this.#take(8));
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw corrupt('a number is too large');
  }

  text(): string {
    const length = this.varint();
    const at = this.#take(length);
    return asBuffer(this.#bytes).toString('utf8', at, at + length);
  }

  /** A copy, in memory that it may share with others of this reader. */
  block(): Uint8Array {
    const length = this.varint();
    const at = this.#take(length);
    return this.#pool.copy(this.#bytes, at, at + length);
  }

  /** The number of things that follow, each of `leastBytes` at least: one that cannot be must not become an allocation. */
  count(leastBytes: number): number {
    const count = this.varint();
    if (count * leastBytes > this.#end - this.#at) throw corrupt('more is counted than there is');
    return count;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw corrupt('it ends too early');
    this.#at = at + count;
    return at;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A stored change that does not have the expected form. */
export function corrupt(why: string): SelsynError {
  return new SelsynError('data.corrupt', `a stored change of the sessions is damaged: ${why}`);
}
