import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decimalExceptions, exceptionPositions, POWERS_OF_TEN, scaleDecimals } from './decimal-scale.ts';
import { BLOCK, INTEGER_BLOCK_BYTES, newIntegerPlan, planIntegers, readIntegers, writeIntegers } from './integer-block.ts';
import { readXor, writeXor, XOR_BLOCK_BYTES } from './xor-block.ts';

/*
 * For each 128 values a block of the form that suits it:
 *
 *   head u8:  bits 0-3 exponent e (0-12), bits 4-5 form, bit 6 exceptions follow
 *
 *   form 0 offset   integer block of m,                                    value = m / 10^e
 *   form 1 delta    first m zigzag varint, integer block of the steps      value = m / 10^e
 *   form 2 xor      xor block (true doubles)
 *   form 3 repeat   nothing: all are the last value of the block before (0 for the first block)
 *
 *   exceptions (forms 0 and 1): count u8, each: position u8, value f64, for what is no decimal (NaN, -0, 1/3)
 */
const FORM_OFFSET = 0x00;
const FORM_DELTA = 0x10;
const FORM_XOR = 0x20;
const FORM_REPEAT = 0x30;
const EXCEPTIONS = 0x40;
const MAX_BLOCK_BYTES = 16 + Math.max(INTEGER_BLOCK_BYTES + BLOCK * 9, XOR_BLOCK_BYTES);
/** Where decimals cost more bits a value than this, XOR is tried too. */
const CHEAP_BITS = 24;

/** About what the first value of the delta form costs. */
const FIRST_BITS = 24;

const scaled = new Float64Array(BLOCK);
const steps = new Float64Array(BLOCK);
const offsetPlan = newIntegerPlan();
const deltaPlan = newIntegerPlan();

export function writeNumbers(writer: ByteWriter, values: Float64Array, count: number): void {
  let last = 0;
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    // A block may be written twice, once in each form, before the longer one is dropped.
    writer.reserve(2 * MAX_BLOCK_BYTES);
    if (repeats(values, from, n, last)) writer.byte(FORM_REPEAT);
    else writeBlock(writer, values, from, n);
    last = values[from + n - 1]!;
  }
}

function repeats(values: Float64Array, from: number, count: number, last: number): boolean {
  for (let i = 0; i < count; i++) if (!Object.is(values[from + i], last)) return false;
  return true;
}

function writeBlock(writer: ByteWriter, values: Float64Array, from: number, count: number): void {
  const exponent = scaleDecimals(values, from, count, scaled);
  const start = writer.at;
  if (exponent >= 0) {
    const bits = writeDecimals(writer, values, from, count, exponent);
    if (bits <= CHEAP_BITS * count) return;
  }
  const middle = writer.at;
  writer.byte(FORM_XOR);
  writeXor(writer, values, from, count);
  const decimalBytes = middle - start;
  const xorBytes = writer.at - middle;
  if (decimalBytes === 0) return;
  if (xorBytes < decimalBytes) {
    writer.bytes.copyWithin(start, middle, writer.at);
    writer.at = start + xorBytes;
  } else {
    writer.at = middle;
  }
}

/** @returns about its bits; Infinity, and nothing is written, when the integers do not fit a block. */
function writeDecimals(writer: ByteWriter, values: Float64Array, from: number, count: number, exponent: number): number {
  const exceptions = decimalExceptions();
  const head = exponent | (exceptions > 0 ? EXCEPTIONS : 0);
  let last = scaled[0]!;
  for (let i = 1; i < count; i++) {
    const value = scaled[i]!;
    steps[i - 1] = value - last;
    last = value;
  }
  planIntegers(scaled, count, offsetPlan);
  deltaPlan.bits = Infinity;
  if (count > 1) planIntegers(steps, count - 1, deltaPlan);
  const bits = Math.min(offsetPlan.bits, deltaPlan.bits);
  if (bits === Infinity) return bits;
  if (deltaPlan.bits + FIRST_BITS < offsetPlan.bits) {
    writer.byte(head | FORM_DELTA);
    writer.zigzag(scaled[0]!);
    writeIntegers(writer, steps, count - 1, deltaPlan);
  } else {
    writer.byte(head | FORM_OFFSET);
    writeIntegers(writer, scaled, count, offsetPlan);
  }
  if (exceptions > 0) {
    writer.byte(exceptions);
    for (let i = 0; i < exceptions; i++) {
      const position = exceptionPositions[i]!;
      writer.byte(position);
      writer.float64(values[from + position]!);
    }
  }
  return bits + exceptions * 72;
}

/** Fills `values`. @throws SelsynError `data.corrupt` */
export function readNumbers(reader: ByteReader, values: Float64Array): void {
  const count = values.length;
  let last = 0;
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    const head = reader.byte();
    const form = head & 0x30;
    if (form === FORM_REPEAT) values.fill(last, from, from + n);
    else if (form === FORM_XOR) readXor(reader, values, from, n);
    else readDecimals(reader, values, from, n, head);
    last = values[from + n - 1]!;
  }
}

function readDecimals(reader: ByteReader, values: Float64Array, from: number, count: number, head: number): void {
  const divisor = POWERS_OF_TEN[head & 0x0f];
  if (divisor === undefined) throw corrupt('a block has an impossible exponent', reader.at - 1);
  if ((head & 0x30) === FORM_DELTA) {
    let sum = reader.zigzag();
    readIntegers(reader, steps, count - 1);
    values[from] = sum / divisor;
    for (let i = 1; i < count; i++) {
      sum += steps[i - 1]!;
      values[from + i] = sum / divisor;
    }
  } else {
    readIntegers(reader, scaled, count);
    for (let i = 0; i < count; i++) values[from + i] = scaled[i]! / divisor;
  }
  if ((head & EXCEPTIONS) === 0) return;
  const exceptions = reader.byte();
  for (let i = 0; i < exceptions; i++) {
    const position = reader.byte();
    if (position >= count) throw corrupt('an exception lies outside of its block', reader.at - 1);
    values[from + position] = reader.float64();
  }
}
