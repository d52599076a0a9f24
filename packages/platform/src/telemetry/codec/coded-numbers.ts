import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decimalExceptions, POWERS_OF_TEN, scaleDecimals } from './decimal-scale.ts';
import { BLOCK } from './integer-block.ts';

/*
 * Decimals of which few different steps, or few different values, are taken: each costs about as many bits as it is rare. An
 * asymmetric numeral system (rANS: Duda, "Asymmetric numeral systems", 2013) with 31 bits of state and bytes, over one
 * model for all points.
 *
 *   +------------------+-----------+----------------+---------------------------------------+--------------------------+
 *   | head u8          | first m   | symbols - 1 u8 | symbols, ascending:                   | when symbols > 1:        |
 *   | bits 0-3: e      | zigzag    |                |  the first zigzag varint, each other  | state u32, bytes until   |
 *   | bit 4: steps     | varint    |                |  its distance to the one before - 1,  | all points are read; the |
 *   |                  | (steps    |                |  varint; behind each, when symbols >  | state is 2^23 then       |
 *   |                  |  only)    |                |  1, its share of 4,096 - 1, varint    |                          |
 *   +------------------+-----------+----------------+---------------------------------------+--------------------------+
 *
 * value = m / 10^e. With steps a symbol is m less the m before, for all points but the first; else it is m itself.
 */
const STEPS = 0x10;
const MAX_SYMBOLS = 256;
const SCALE_BITS = 12;
const SCALE = 1 << SCALE_BITS;
const LOWEST_STATE = 2 ** 23;
/** The table of symbols is at most so long for each, ... */
const SYMBOL_BYTES = 12;
/** ... and mostly about so long. */
const SYMBOL_BITS = 24;
/** Integers that lie so near to each other are counted in a table. */
const NEAR = 65_536;

/** Each symbol once, and how often it is there; in no order. */
type Histogram = readonly (readonly [symbol: number, often: number])[];

let scaled = new Float64Array(2048);
let steps = new Float64Array(2048);
let codes = new Uint8Array(2048);
let coded = new Uint8Array(8192);
/** How often integers are there that are less than NEAR above the least; all 0 between two uses. */
const times = new Uint16Array(NEAR);
/** By the same places: which symbol it is. */
const codeAt = new Uint8Array(NEAR);
const symbolOfSlot = new Uint8Array(SCALE);
const shares = new Uint16Array(MAX_SYMBOLS);
const starts = new Uint16Array(MAX_SYMBOLS);
const symbols = new Float64Array(MAX_SYMBOLS);

/** At least one value. @returns false, and nothing is written, where they are no decimals, or too many of them differ. */
export function writeCoded(writer: ByteWriter, values: Float64Array, count: number): boolean {
  reserve(count);
  const exponent = scaleAll(values, count);
  if (exponent < 0) return false;
  for (let i = 1; i < count; i++) steps[i - 1] = scaled[i]! - scaled[i - 1]!;
  const ofSteps = count > 1 ? histogramOf(steps, count - 1) : undefined;
  const ofValues = histogramOf(scaled, count);
  const useSteps = bitsOf(ofSteps, count - 1) < bitsOf(ofValues, count);
  const histogram = useSteps ? ofSteps : ofValues;
  if (histogram === undefined) return false;
  const sequence = useSteps ? steps : scaled;
  const length = useSteps ? count - 1 : count;
  const size = modelOf(histogram, length);
  writer.reserve(32 + size * SYMBOL_BYTES);
  writer.byte(exponent | (useSteps ? STEPS : 0));
  if (useSteps) writer.zigzag(scaled[0]!);
  writer.byte(size - 1);
  for (let symbol = 0; symbol < size; symbol++) {
    if (symbol === 0) writer.zigzag(symbols[0]!);
    else writer.varint(symbols[symbol]! - symbols[symbol - 1]! - 1);
    if (size > 1) writer.varint(shares[symbol]! - 1);
  }
  if (size > 1) writeStream(writer, sequence, length, size);
  return true;
}

/** Fills `values`, which has at least one element. @throws SelsynError `data.corrupt` */
export function readCoded(reader: ByteReader, values: Float64Array): void {
  const head = reader.byte();
  const divisor = POWERS_OF_TEN[head & 0x0f];
  if (divisor === undefined || head >= 0x20) throw corrupt('its numbers have an impossible head', reader.at - 1);
  const inSteps = (head & STEPS) !== 0;
  let m = inSteps ? reader.zigzag() : 0;
  const size = reader.byte() + 1;
  readModel(reader, size);
  let from = 0;
  if (inSteps) values[from++] = m / divisor;
  const keep = inSteps ? 1 : 0;
  if (size === 1) {
    for (let i = from; i < values.length; i++) {
      m = m * keep + symbols[0]!;
      values[i] = m / divisor;
    }
    return;
  }
  reader.need(4);
  let state = reader.view.getUint32(reader.at, true);
  reader.at += 4;
  if (state < LOWEST_STATE || state >= 2 ** 31) throw corrupt('its numbers begin with an impossible state', reader.at - 4);
  const { bytes, end } = reader;
  let { at } = reader;
  for (let i = from; i < values.length; i++) {
    const slot = state & (SCALE - 1);
    const symbol = symbolOfSlot[slot]!;
    state = shares[symbol]! * (state >>> SCALE_BITS) + slot - starts[symbol]!;
    while (state < LOWEST_STATE && at < end) state = (state << 8) | bytes[at++]!;
    m = m * keep + symbols[symbol]!;
    values[i] = m / divisor;
  }
  reader.at = at;
  if (state !== LOWEST_STATE) throw corrupt('its numbers do not end as they must', at);
}

function reserve(count: number): void {
  if (scaled.length >= count) return;
  scaled = new Float64Array(count);
  steps = new Float64Array(count);
  codes = new Uint8Array(count);
  coded = new Uint8Array(count * 2 + 16);
}

/** Fills `scaled`. @returns the exponent that all values have, -1 where there is none. */
function scaleAll(values: Float64Array, count: number): number {
  let exponent = 0;
  for (let from = 0; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    const own = scaleDecimals(values, from, n, scaled.subarray(from, from + n));
    if (own < 0 || decimalExceptions() > 0) return -1;
    exponent = Math.max(exponent, own);
  }
  const power = POWERS_OF_TEN[exponent]!;
  for (let i = 0; i < count; i++) {
    const m = Math.round(values[i]! * power);
    if (m / power !== values[i] || Math.abs(m) > 2 ** 50) return -1;
    scaled[i] = m;
  }
  return exponent;
}

/** How often each is there; undefined where too many differ. */
function histogramOf(sequence: Float64Array, count: number): Histogram | undefined {
  let min = sequence[0]!;
  let max = min;
  for (let i = 1; i < count; i++) {
    const value = sequence[i]!;
    min = value < min ? value : min;
    max = value > max ? value : max;
  }
  return max - min < NEAR ? countNear(sequence, count, min) : countFar(sequence, count);
}

function countNear(sequence: Float64Array, count: number, min: number): Histogram | undefined {
  const found: number[] = [];
  for (let i = 0; i < count && found.length <= MAX_SYMBOLS; i++) {
    const place = sequence[i]! - min;
    if (times[place]!++ === 0) found.push(place);
  }
  const histogram = found.map((place): [number, number] => [place + min, times[place]!]);
  for (const place of found) times[place] = 0;
  return found.length > MAX_SYMBOLS ? undefined : histogram;
}

function countFar(sequence: Float64Array, count: number): Histogram | undefined {
  const found = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const before = found.get(sequence[i]!);
    if (before === undefined && found.size === MAX_SYMBOLS) return undefined;
    found.set(sequence[i]!, (before ?? 0) + 1);
  }
  return [...found];
}

function bitsOf(histogram: Histogram | undefined, count: number): number {
  if (histogram === undefined) return Infinity;
  let bits = histogram.length * SYMBOL_BITS;
  for (const [, often] of histogram) bits += often * Math.log2(count / often);
  return bits;
}

/** Fills `symbols`, `shares` and `starts`: each symbol has a share of 4,096 that is not 0. @returns how many symbols there are */
function modelOf(histogram: Histogram, count: number): number {
  const sorted = histogram.toSorted(([a], [b]) => a - b);
  let left = SCALE;
  let largest = 0;
  for (const [index, [symbol, often]] of sorted.entries()) {
    symbols[index] = symbol;
    shares[index] = Math.max(1, Math.round((often / count) * SCALE));
    left -= shares[index];
    if (shares[index] > shares[largest]!) largest = index;
  }
  // Rounding gave too much, or too little: those with the most bear it.
  while (left < 0) {
    for (let index = 0; index < sorted.length; index++) if (shares[index]! > shares[largest]!) largest = index;
    const taken = Math.min(-left, Math.max(1, shares[largest]! >>> 3));
    shares[largest] = shares[largest]! - taken;
    left += taken;
  }
  shares[largest] = shares[largest]! + left;
  fillStarts(sorted.length);
  return sorted.length;
}

/** @returns the sum of all shares */
function fillStarts(size: number): number {
  let start = 0;
  for (let symbol = 0; symbol < size; symbol++) {
    starts[symbol] = start;
    start += shares[symbol]!;
  }
  return start;
}

/** From the last to the first: a decoder takes out what was put in last. */
function writeStream(writer: ByteWriter, sequence: Float64Array, count: number, size: number): void {
  fillCodes(sequence, count, size);
  let state = LOWEST_STATE;
  let length = 0;
  for (let i = count - 1; i >= 0; i--) {
    const share = shares[codes[i]!]!;
    const limit = share * 2 ** 19;
    while (state >= limit) {
      coded[length++] = state & 0xff;
      state >>>= 8;
    }
    state = Math.floor(state / share) * SCALE + (state % share) + starts[codes[i]!]!;
  }
  writer.reserve(length + 4);
  writer.view.setUint32(writer.at, state, true);
  writer.at += 4;
  for (let i = length - 1; i >= 0; i--) writer.byte(coded[i]!);
}

function fillCodes(sequence: Float64Array, count: number, size: number): void {
  const first = symbols[0]!;
  if (symbols[size - 1]! - first < NEAR) {
    for (let symbol = 0; symbol < size; symbol++) codeAt[symbols[symbol]! - first] = symbol;
    for (let i = 0; i < count; i++) codes[i] = codeAt[sequence[i]! - first]!;
    return;
  }
  const codeOf = new Map<number, number>();
  for (let symbol = 0; symbol < size; symbol++) codeOf.set(symbols[symbol]!, symbol);
  for (let i = 0; i < count; i++) codes[i] = codeOf.get(sequence[i]!)!;
}

/** @throws SelsynError `data.corrupt` */
function readModel(reader: ByteReader, size: number): void {
  for (let symbol = 0; symbol < size; symbol++) {
    symbols[symbol] = symbol === 0 ? reader.zigzag() : symbols[symbol - 1]! + reader.varint() + 1;
    if (size === 1) return;
    const share = reader.varint() + 1;
    if (share > SCALE) throw corrupt('a symbol has an impossible share', reader.at);
    shares[symbol] = share;
  }
  if (fillStarts(size) !== SCALE) throw corrupt('its symbols have impossible shares', reader.at);
  for (let symbol = 0; symbol < size; symbol++) symbolOfSlot.fill(symbol, starts[symbol], starts[symbol]! + shares[symbol]!);
}
