import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { CborTime, type CborValue } from './cbor-value.ts';
import { ShortTexts } from './short-texts.ts';
import { decimalOf } from '../float32.ts';
import { parseUtcTime } from '../utc-time.ts';

/*
 * RFC 8949, section 3: the first byte of an item is its major type (3 bits) and additional information (5 bits)
 *
 *   0 unsigned   1 negative   2 bytes   3 text   4 array   5 map   6 tag   7 simple values and floats
 *   0..23 the value itself   24 1 byte follows   25 2 bytes   26 4 bytes   27 8 bytes   28..30 none   31 indefinite length
 */

const MAX_DEPTH = 16;
const INDEFINITE = 31;
const BREAK = 0xff;
const BIG_DIGITS = 1024;

/**
 * Reads one item that fills `data[start, end)`. Linear in its bytes, whatever lengths it claims, and never deep: what a device sends is
 * not trusted.
 *
 * @param texts kept by who reads much: it makes reading faster, and changes nothing else
 * @throws PayloadError that says at which byte something is wrong
 */
export function readCbor(data: Uint8Array, start: number, end: number, texts: ShortTexts = new ShortTexts()): CborValue {
  const reader = new CborReader(data, start, end, texts);
  const value = reader.item(0);
  reader.finish();
  return value;
}

class CborReader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #start: number;
  readonly #end: number;
  readonly #texts: ShortTexts;
  #at: number;

  constructor(data: Uint8Array, start: number, end: number, texts: ShortTexts) {
    this.#texts = texts;
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  finish(): void {
    if (this.#at !== this.#end) throw this.#error('The CBOR goes on after its end', this.#at);
  }

  item(depth: number): CborValue {
    const at = this.#at;
    if (depth > MAX_DEPTH) throw this.#error('The CBOR is nested too deep', at);
    const initial = this.#byte();
    const info = initial & 31;
    switch (initial >> 5) {
      case 0:
        return this.#argument(info, at);
      case 1:
        return -1 - this.#argument(info, at);
      case 2:
        return this.#bytes(info, at);
      case 3:
        return this.#text(info, at);
      case 4:
        return this.#array(info, at, depth);
      case 5:
        return this.#map(info, at, depth);
      case 6:
        return this.#tagged(this.#argument(info, at), at, depth);
      default:
        return this.#simple(info, at);
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw this.#error('The CBOR stops too early', this.#at);
    return this.#data[this.#at++]!;
  }

  #take(size: number): number {
    const at = this.#at;
    if (size > this.#end - at) throw this.#error('The CBOR stops too early', this.#end);
    this.#at += size;
    return at;
  }

  #argument(info: number, at: number): number {
    if (info < 24) return info;
    if (info === 24) return this.#data[this.#take(1)]!;
    if (info === 25) return this.#view.getUint16(this.#take(2));
    if (info === 26) return this.#view.getUint32(this.#take(4));
    if (info === 27) return Number(this.#view.getBigUint64(this.#take(8)));
    throw this.#error('The CBOR is not well-formed', at);
  }

  #bytes(info: number, at: number): Uint8Array {
    if (info !== INDEFINITE) {
      const size = this.#argument(info, at);
      const from = this.#take(size);
      return this.#data.subarray(from, from + size);
    }
    return Buffer.concat(this.#chunks(2));
  }

  #text(info: number, at: number): string {
    if (info !== INDEFINITE) {
      const size = this.#argument(info, at);
      const from = this.#take(size);
      return this.#decode(this.#data, from, from + size, at);
    }
    // Each chunk must be valid by itself (section 3.2.3).
    const texts = this.#chunks(3).map((chunk) => this.#decode(chunk, 0, chunk.length, at));
    return texts.join('');
  }

  /** Of a string of indefinite length: definite ones of the same kind. */
  #chunks(major: number): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const at = this.#at;
      const initial = this.#byte();
      if (initial === BREAK) return chunks;
      if (initial >> 5 !== major || (initial & 31) === INDEFINITE) throw this.#error('The CBOR is not well-formed', at);
      const size = this.#argument(initial & 31, at);
      const from = this.#take(size);
      chunks.push(this.#data.subarray(from, from + size));
    }
  }

  #decode(bytes: Uint8Array, from: number, to: number, at: number): string {
    try {
      return this.#texts.read(bytes, from, to);
    } catch {
      throw this.#error('A text of the CBOR is not UTF-8', at);
    }
  }

  #array(info: number, at: number, depth: number): CborValue[] {
    // The length is what a sender claims: nothing is made for items that are not there.
    const items: CborValue[] = [];
    if (info === INDEFINITE) {
      while (!this.#breaks()) items.push(this.item(depth + 1));
      return items;
    }
    for (let left = this.#argument(info, at); left > 0; left--) items.push(this.item(depth + 1));
    return items;
  }

  #map(info: number, at: number, depth: number): Map<string | number, CborValue> {
    const map = new Map<string | number, CborValue>();
    const entry = (): void => {
      const keyAt = this.#at;
      const key = this.item(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') {
        throw this.#error('A key of a CBOR map is neither a text nor a number', keyAt);
      }
      // Section 5.6: a map in which a key stands twice is not valid.
      if (map.has(key)) throw this.#error('A key of a CBOR map stands there twice', keyAt);
      map.set(key, this.item(depth + 1));
    };
    if (info === INDEFINITE) while (!this.#breaks()) entry();
    else for (let left = this.#argument(info, at); left > 0; left--) entry();
    return map;
  }

  #breaks(): boolean {
    if (this.#at < this.#end && this.#data[this.#at] !== BREAK) return false;
    this.#byte();
    return true;
  }

  /** Section 3.4. Tags that are not known here say nothing that a point could keep. */
  #tagged(tag: number, at: number, depth: number): CborValue {
    const content = this.item(depth + 1);
    if (tag === 0) {
      const ms = typeof content === 'string' ? parseUtcTime(content) : undefined;
      if (ms === undefined) throw this.#error('Tag 0 of the CBOR has no date and time', at);
      return new CborTime(ms);
    }
    if (tag === 1) {
      if (typeof content !== 'number') throw this.#error('Tag 1 of the CBOR has no number', at);
      return new CborTime(content * 1000);
    }
    if (tag === 2 || tag === 3) {
      if (!(content instanceof Uint8Array)) throw this.#error('A bignum of the CBOR has no bytes', at);
      // More digits than a double has values for: as too large as it would be in JSON.
      if (content.length > BIG_DIGITS) throw this.#error('A bignum of the CBOR is too large for a number', at);
      const big = content.length === 0 ? 0n : BigInt(`0x${Buffer.from(content).toString('hex')}`);
      return Number(tag === 2 ? big : -1n - big);
    }
    if (tag === 4 || tag === 5) return this.#fraction(content, tag, at);
    return content;
  }

  /** Section 3.4.4: [exponent, mantissa]. */
  #fraction(content: CborValue, tag: 4 | 5, at: number): number {
    const [exponent, mantissa] = Array.isArray(content) && content.length === 2 ? (content as CborValue[]) : [];
    if (typeof exponent !== 'number' || typeof mantissa !== 'number' || !Number.isInteger(exponent)) {
      throw this.#error('A fraction of the CBOR is not an exponent and a mantissa', at);
    }
    // By its text a decimal is the nearest double, as JSON has it.
    return tag === 4 ? Number(`${mantissa}e${exponent}`) : mantissa * 2 ** exponent;
  }

  /** Section 3.3. */
  #simple(info: number, at: number): CborValue {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return null;
      case 25:
        return this.#view.getFloat16(this.#take(2));
      case 26:
        return decimalOf(this.#view.getFloat32(this.#take(4)));
      case 27:
        return this.#view.getFloat64(this.#take(8));
      default:
        throw this.#error('The CBOR has a simple value that is none of true, false and null', at);
    }
  }

  #error(what: string, at: number): PayloadError {
    return new PayloadError('malformed', `${what}, at byte ${at - this.#start}.`);
  }
}
