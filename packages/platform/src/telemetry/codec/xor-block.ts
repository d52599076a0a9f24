import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { BLOCK } from './integer-block.ts';

/*
 * Doubles, each XORed with the one before (the first with +0), as in Gorilla (Pelkonen et al., VLDB 2015, section 4.1.2).
 * Bits fill bytes from the lowest; the last byte is filled up with zeros.
 *
 *   0                                             the same value
 *   1 0 <bits>                                    the significant bits lie in the window of the last one that was given
 *   1 1 <leading zeros u6> <length - 1 u6> <bits> a window of its own
 *
 * <bits> go lowest 32 first. Leading zeros take 6 bits instead of Gorilla's 5, so that they need no clamping.
 */
export const XOR_BLOCK_BYTES = BLOCK * 10 + 8;
/** A window of its own costs this much more: an old one that wastes fewer bits is kept. */
const WINDOW_BITS = 12;

const doubles = new Float64Array(1);
const words = new Uint32Array(doubles.buffer);
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/** 32 bits at a time into a writer that has room. */
class BitWriter {
  #view: DataView;
  #at = 0;
  #word = 0;
  #used = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  start(view: DataView, at: number): void {
    this.#view = view;
    this.#at = at;
    this.#word = 0;
    this.#used = 0;
  }

  /** The lowest `count` (1-32) bits of `value`; the others are zero. */
  put(value: number, count: number): void {
    const used = this.#used;
    const word = this.#word | (value << used);
    const total = used + count;
    if (total < 32) {
      this.#word = word;
      this.#used = total;
      return;
    }
    this.#view.setInt32(this.#at, word, true);
    this.#at += 4;
    this.#word = used === 0 ? 0 : value >>> (32 - used);
    this.#used = total - 32;
  }

  /** @returns where the next byte goes. */
  finish(): number {
    this.#view.setInt32(this.#at, this.#word, true);
    return this.#at + ((this.#used + 7) >>> 3);
  }
}

const bits = new BitWriter(new DataView(new ArrayBuffer(0)));

/** The caller has reserved XOR_BLOCK_BYTES. */
export function writeXor(writer: ByteWriter, values: Float64Array, from: number, count: number): void {
  let lastLow = 0;
  let lastHigh = 0;
  let windowLead = 64;
  let windowTrail = 64;
  bits.start(writer.view, writer.at);
  for (let i = 0; i < count; i++) {
    doubles[0] = values[from + i]!;
    const low = words[LOW]! | 0;
    const high = words[HIGH]! | 0;
    const xorLow = low ^ lastLow;
    const xorHigh = high ^ lastHigh;
    lastLow = low;
    lastHigh = high;
    if ((xorLow | xorHigh) === 0) {
      bits.put(0, 1);
      continue;
    }
    const lead = xorHigh !== 0 ? Math.clz32(xorHigh) : 32 + Math.clz32(xorLow);
    const trail = xorLow !== 0 ? trailingZeros(xorLow) : 32 + trailingZeros(xorHigh);
    const waste = lead - windowLead + (trail - windowTrail);
    if (lead >= windowLead && trail >= windowTrail && waste <= WINDOW_BITS) {
      bits.put(1, 2);
    } else {
      windowLead = lead;
      windowTrail = trail;
      bits.put(3 | (lead << 2) | ((63 - lead - trail) << 8), 14);
    }
    const length = 64 - windowLead - windowTrail;
    // The XOR shifted right by windowTrail.
    let shiftedLow: number;
    let shiftedHigh: number;
    if (windowTrail === 0) {
      shiftedLow = xorLow;
      shiftedHigh = xorHigh;
    } else if (windowTrail < 32) {
      shiftedLow = (xorLow >>> windowTrail) | (xorHigh << (32 - windowTrail));
      shiftedHigh = xorHigh >>> windowTrail;
    } else {
      shiftedLow = xorHigh >>> (windowTrail - 32);
      shiftedHigh = 0;
    }
    if (length <= 32) {
      bits.put(shiftedLow, length);
    } else {
      bits.put(shiftedLow, 32);
      bits.put(shiftedHigh, length - 32);
    }
  }
  writer.at = bits.finish();
}

function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}

/** Fills `count` values from `from`. @throws SelsynError `data.corrupt` */
export function readXor(reader: ByteReader, values: Float64Array, from: number, count: number): void {
  const { view } = reader;
  let bit = reader.at * 8;
  let low = 0;
  let high = 0;
  let lead = 0;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const control = view.getInt32(bit >>> 3, true) >>> (bit & 7);
    if ((control & 1) === 0) {
      bit += 1;
    } else {
      if ((control & 2) === 0) {
        bit += 2;
        if (length === 0) throw corrupt('a value has no window', bit >>> 3);
      } else {
        bit += 14;
        lead = (control >>> 2) & 63;
        length = ((control >>> 8) & 63) + 1;
        if (lead + length > 64) throw corrupt('a window is too wide', bit >>> 3);
      }
      const lowLength = length < 32 ? length : 32;
      const trail = 64 - lead - length;
      const lowBits = take(view, bit, lowLength);
      const highBits = length > 32 ? take(view, bit + 32, length - 32) : 0;
      bit += length;
      if (trail === 0) {
        low ^= lowBits;
        high ^= highBits;
      } else if (trail < 32) {
        low ^= lowBits << trail;
        high ^= (highBits << trail) | (lowBits >>> (32 - trail));
      } else {
        high ^= lowBits << (trail - 32);
      }
    }
    words[LOW] = low;
    words[HIGH] = high;
    values[from + i] = doubles[0]!;
  }
  reader.at = (bit + 7) >>> 3;
  // One value may have crossed the end, by ten bytes; behind it are zeros, a bit for each value that was left.
  reader.need(0);
}

/** 1-32 bits that begin at any bit. */
function take(view: DataView, bit: number, count: number): number {
  const from = bit >>> 3;
  const shift = bit & 7;
  const low = view.getInt32(from, true) >>> shift;
  const all = shift === 0 ? low : low | (view.getUint8(from + 4) << (32 - shift));
  return count === 32 ? all : all & ((1 << count) - 1);
}
