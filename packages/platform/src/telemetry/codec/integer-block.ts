import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/*
 * Up to 128 integers within ±2^52: frame of reference with patches (PFOR: Zukowski et al., "Super-Scalar RAM-CPU Cache
 * Compression", ICDE 2006).
 *
 *   +----------------+-------------+-------------------------+-----------------------------------------------+
 *   | head u8        | base        | count x width bits      | when head has bit 7:                          |
 *   | 0-5 width 0-32 | zigzag      | value - base            | patches u8, each: position u8, value zigzag   |
 *   | 7   patches    | varint      | whole bytes             |                                               |
 *   +----------------+-------------+-------------------------+-----------------------------------------------+
 *
 * A patched value has any bits in its field. Width 0 takes no bits at all: equal integers cost the head and the base.
 */
export const BLOCK = 128;
/** What a block of 128 takes at most, with room for whole words. */
export const INTEGER_BLOCK_BYTES = 16 + BLOCK * 4 + 12 * 9 + 4;
const PATCHES = 0x80;
const TWO_32 = 2 ** 32;

/** How a block will be written; made by `planIntegers`, one object for many blocks. */
export interface IntegerPlan {
  base: number;
  width: number;
  patches: number;
  /** The price, for comparing; Infinity where a block cannot hold these integers. */
  bits: number;
}

export function newIntegerPlan(): IntegerPlan {
  return { base: 0, width: 0, patches: 0, bits: 0 };
}

/** More outliers than this are no outliers. */
const MAX_PATCHES = 12;
const lowest = new Float64Array(MAX_PATCHES + 1);
const highest = new Float64Array(MAX_PATCHES + 1);
const patchPositions = new Uint8Array(MAX_PATCHES);
const patchValues = new Float64Array(MAX_PATCHES);

/** Finds the cheapest base and width. Where a few values lie far from the rest, those become patches. */
export function planIntegers(ints: Float64Array, count: number, plan: IntegerPlan): void {
  let min = ints[0]!;
  let max = min;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const value = ints[i]!;
    min = value < min ? value : min;
    max = value > max ? value : max;
    sum += value;
  }
  const range = max - min;
  plan.base = min;
  plan.patches = 0;
  if (range < TWO_32) {
    plan.width = 32 - Math.clz32(range);
    plan.bits = count * plan.width + 8 + varintBits(min);
    // No patch can pay where the mean lies in the middle of the range: the outliers would be the majority.
    const mean = sum / count - min;
    if (plan.width <= 1 || (mean * 8 > range && (range - mean) * 8 > range)) return;
  } else {
    plan.bits = Infinity;
  }
  planPatches(ints, count, plan);
}

/**
 * Without its k most distant values, a block needs the bits of the narrowest window that holds all but k of them: so only
 * the few smallest and the few largest matter.
 */
function planPatches(ints: Float64Array, count: number, plan: IntegerPlan): void {
  const most = Math.min(MAX_PATCHES, count >>> 2);
  if (most === 0) return;
  lowest.fill(Infinity);
  highest.fill(-Infinity);
  let lowLimit = Infinity;
  let highLimit = -Infinity;
  for (let i = 0; i < count; i++) {
    const value = ints[i]!;
    if (value < lowLimit) lowLimit = insertLow(value, most);
    if (value > highLimit) highLimit = insertHigh(value, most);
  }
  for (let patches = 1; patches <= most; patches++) {
    let base = lowest[0]!;
    let range = Infinity;
    for (let below = 0; below <= patches; below++) {
      const window = highest[patches - below]! - lowest[below]!;
      if (window < range) {
        range = window;
        base = lowest[below]!;
      }
    }
    if (range >= TWO_32) continue;
    const width = 32 - Math.clz32(range);
    const patchBits = 8 + Math.max(varintBits(lowest[0]!), varintBits(highest[0]!));
    const bits = count * width + 8 + varintBits(base) + 8 + patches * patchBits;
    if (bits >= plan.bits) continue;
    plan.base = base;
    plan.width = width;
    plan.patches = patches;
    plan.bits = bits;
  }
}

/** Keeps the `most + 1` smallest, ascending. @returns the largest of them. */
function insertLow(value: number, most: number): number {
  let i = most;
  for (; i > 0 && lowest[i - 1]! > value; i--) lowest[i] = lowest[i - 1]!;
  lowest[i] = value;
  return lowest[most]!;
}

/** Keeps the `most + 1` largest, descending. @returns the smallest of them. */
function insertHigh(value: number, most: number): number {
  let i = most;
  for (; i > 0 && highest[i - 1]! < value; i--) highest[i] = highest[i - 1]!;
  highest[i] = value;
  return highest[most]!;
}

function varintBits(value: number): number {
  let bits = 8;
  for (let rest = Math.abs(value) * 2; rest >= 128; rest /= 128) bits += 8;
  return bits;
}

/** Writes a planned block. The caller has reserved INTEGER_BLOCK_BYTES; `ints` is overwritten where there are patches. */
export function writeIntegers(writer: ByteWriter, ints: Float64Array, count: number, plan: IntegerPlan): void {
  const { base, width } = plan;
  let patches = 0;
  if (plan.patches > 0) {
    const size = 2 ** width;
    for (let i = 0; i < count; i++) {
      const residual = ints[i]! - base;
      if (residual >= 0 && residual < size) continue;
      patchPositions[patches] = i;
      patchValues[patches++] = ints[i]!;
      ints[i] = base;
    }
  }
  writer.byte(patches > 0 ? width | PATCHES : width);
  writer.zigzag(base);
  if (width > 0) packBits(writer, ints, count, base, width);
  if (patches === 0) return;
  writer.byte(patches);
  for (let i = 0; i < patches; i++) {
    writer.byte(patchPositions[i]!);
    writer.zigzag(patchValues[i]!);
  }
}

function packBits(writer: ByteWriter, ints: Float64Array, count: number, base: number, width: number): void {
  const { view } = writer;
  let { at } = writer;
  let word = 0;
  let used = 0;
  for (let i = 0; i < count; i++) {
    const residual = (ints[i]! - base) | 0;
    word |= residual << used;
    used += width;
    if (used >= 32) {
      view.setInt32(at, word, true);
      at += 4;
      used -= 32;
      word = used === 0 ? 0 : residual >>> (width - used);
    }
  }
  view.setInt32(at, word, true);
  writer.at = at + ((used + 7) >>> 3);
}

/** Reads `count` integers into `ints`. @throws SelsynError `data.corrupt` */
export function readIntegers(reader: ByteReader, ints: Float64Array, count: number): void {
  const head = reader.byte();
  const width = head & 0x7f;
  if (width > 32) throw corrupt('a block has an impossible width', reader.at - 1);
  const base = reader.zigzag();
  if (width === 0) {
    for (let i = 0; i < count; i++) ints[i] = base;
  } else {
    const sizeBytes = (count * width + 7) >>> 3;
    reader.need(sizeBytes);
    if (width <= 25) unpackNarrow(reader, ints, count, base, width);
    else unpackWide(reader, ints, count, base, width);
    reader.at += sizeBytes;
  }
  if ((head & PATCHES) === 0) return;
  const patches = reader.byte();
  for (let i = 0; i < patches; i++) {
    const position = reader.byte();
    if (position >= count) throw corrupt('a patch lies outside of its block', reader.at - 1);
    ints[position] = reader.zigzag();
  }
}

/** Up to 25 bits lie within the four bytes from the one where they begin. */
function unpackNarrow(reader: ByteReader, ints: Float64Array, count: number, base: number, width: number): void {
  const { view, at } = reader;
  const mask = (1 << width) - 1;
  let bit = 0;
  for (let i = 0; i < count; i++) {
    ints[i] = base + ((view.getInt32(at + (bit >>> 3), true) >>> (bit & 7)) & mask);
    bit += width;
  }
}

function unpackWide(reader: ByteReader, ints: Float64Array, count: number, base: number, width: number): void {
  const { view, at } = reader;
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let bit = 0;
  for (let i = 0; i < count; i++) {
    const from = at + (bit >>> 3);
    const shift = bit & 7;
    const low = view.getInt32(from, true) >>> shift;
    const high = shift === 0 ? 0 : view.getUint8(from + 4) << (32 - shift);
    ints[i] = base + (((low | high) & mask) >>> 0);
    bit += width;
  }
}
