import type { PointValue } from '../telemetry-queries.ts';
import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

/*
 * Booleans, texts, and numbers among them: every distinct value once, and an index for each point.
 *
 *   +-------------------+------------------------------------+--------------+-------------------------------------------+
 *   | size varint       | entries, in order of appearance:   | form u8      | form 0 (size > 1): count x width bits,    |
 *   | distinct values   |  tag u8 0 false                    | only when    |   width = bits of size - 1, whole bytes   |
 *   | >= 1              |         1 true                     | size > 1     | form 1 (size > 1): runs, until count is   |
 *   |                   |         2 number: f64              |              |   reached: index varint, length-1 varint  |
 *   |                   |         3 text: length varint, UTF-8              |                                           |
 *   |                   |         4 text that is not well-formed: length in bytes varint, UTF-16LE                      |
 *   +-------------------+------------------------------------+--------------+-------------------------------------------+
 */
const TAG_FALSE = 0;
const TAG_TRUE = 1;
const TAG_NUMBER = 2;
const TAG_UTF8 = 3;
const TAG_UTF16 = 4;
const FORM_PACKED = 0;
const FORM_RUNS = 1;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A Map holds 0 and -0 for the same key. */
const MINUS_ZERO = Symbol('-0');

let indices = new Uint16Array(1024);

export function writeDictionary(writer: ByteWriter, values: readonly PointValue[], count: number): void {
  if (indices.length < count) indices = new Uint16Array(count);
  const known = new Map<PointValue | symbol, number>();
  const distinct: PointValue[] = [];
  let last: PointValue | undefined;
  let lastIndex = 0;
  let runs = 0;
  let runBytes = 0;
  let runStart = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (!Object.is(value, last)) {
      if (i > 0) runBytes += varintBytes(lastIndex) + varintBytes(i - runStart - 1);
      runStart = i;
      runs++;
      const key = Object.is(value, -0) ? MINUS_ZERO : value;
      const index = known.get(key);
      if (index === undefined) {
        lastIndex = distinct.length;
        known.set(key, lastIndex);
        distinct.push(value);
      } else {
        lastIndex = index;
      }
      last = value;
    }
    indices[i] = lastIndex;
  }
  runBytes += varintBytes(lastIndex) + varintBytes(count - runStart - 1);
  writer.reserve(8);
  writer.varint(distinct.length);
  for (const value of distinct) writeEntry(writer, value);
  if (distinct.length === 1) return;
  const width = widthOf(distinct.length);
  const packedBytes = (count * width + 7) >>> 3;
  writer.reserve(Math.max(packedBytes, runBytes) + 8);
  if (runBytes < packedBytes) writeRuns(writer, count, runs);
  else writePacked(writer, count, width);
}

function widthOf(size: number): number {
  return 32 - Math.clz32(size - 1);
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : 3;
}

function writeEntry(writer: ByteWriter, value: PointValue): void {
  if (typeof value === 'string') {
    writeText(writer, value);
  } else if (typeof value === 'number') {
    writer.reserve(9);
    writer.byte(TAG_NUMBER);
    writer.float64(value);
  } else {
    writer.reserve(1);
    writer.byte(value ? TAG_TRUE : TAG_FALSE);
  }
}

function writeText(writer: ByteWriter, text: string): void {
  if (text.isWellFormed()) {
    const bytes = utf8Encoder.encode(text);
    writer.reserve(bytes.length + 9);
    writer.byte(TAG_UTF8);
    writer.varint(bytes.length);
    writer.bytes.set(bytes, writer.at);
    writer.at += bytes.length;
    return;
  }
  writer.reserve(text.length * 2 + 9);
  writer.byte(TAG_UTF16);
  writer.varint(text.length * 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    writer.byte(unit & 0xff);
    writer.byte(unit >>> 8);
  }
}

function writeRuns(writer: ByteWriter, count: number, runs: number): void {
  writer.byte(FORM_RUNS);
  let from = 0;
  for (let run = 0; run < runs; run++) {
    const index = indices[from]!;
    let to = from + 1;
    while (to < count && indices[to] === index) to++;
    writer.varint(index);
    writer.varint(to - from - 1);
    from = to;
  }
}

function writePacked(writer: ByteWriter, count: number, width: number): void {
  writer.byte(FORM_PACKED);
  const { bytes } = writer;
  let { at } = writer;
  let word = 0;
  let used = 0;
  for (let i = 0; i < count; i++) {
    word |= indices[i]! << used;
    used += width;
    while (used >= 8) {
      bytes[at++] = word;
      word >>>= 8;
      used -= 8;
    }
  }
  if (used > 0) bytes[at++] = word;
  writer.at = at;
}

/** `count` (at least 1) values. @throws SelsynError `data.corrupt` */
export function readDictionary(reader: ByteReader, count: number): PointValue[] {
  const size = reader.varint();
  if (size < 1 || size > count) throw corrupt('its dictionary has an impossible size', reader.at);
  const distinct: PointValue[] = [];
  for (let i = 0; i < size; i++) distinct.push(readEntry(reader));
  const values = Array<PointValue>(count).fill(distinct[0]!);
  if (size === 1) return values;
  const form = reader.byte();
  if (form === FORM_RUNS) readRuns(reader, distinct, values);
  else if (form === FORM_PACKED) readPacked(reader, distinct, values);
  else throw corrupt(`form ${form} of a dictionary is not known`, reader.at - 1);
  return values;
}

function readEntry(reader: ByteReader): PointValue {
  const tag = reader.byte();
  if (tag === TAG_FALSE) return false;
  if (tag === TAG_TRUE) return true;
  if (tag === TAG_NUMBER) return reader.float64();
  if (tag !== TAG_UTF8 && tag !== TAG_UTF16) throw corrupt(`tag ${tag} is not known`, reader.at - 1);
  const sizeBytes = reader.varint();
  reader.need(sizeBytes);
  const bytes = reader.bytes.subarray(reader.at, reader.at + sizeBytes);
  reader.at += sizeBytes;
  if (tag === TAG_UTF8) {
    try {
      return utf8Decoder.decode(bytes);
    } catch {
      throw corrupt('a text in it is not UTF-8', reader.at - sizeBytes);
    }
  }
  if (sizeBytes % 2 !== 0) throw corrupt('a text in it has half a unit', reader.at - sizeBytes);
  let text = '';
  for (let i = 0; i < sizeBytes; i += 2) text += String.fromCharCode(bytes[i]! | (bytes[i + 1]! << 8));
  return text;
}

function readRuns(reader: ByteReader, distinct: readonly PointValue[], values: PointValue[]): void {
  let from = 0;
  while (from < values.length) {
    const index = reader.varint();
    const to = from + reader.varint() + 1;
    if (index >= distinct.length || to > values.length) throw corrupt('a run in it is impossible', reader.at);
    values.fill(distinct[index]!, from, to);
    from = to;
  }
}

function readPacked(reader: ByteReader, distinct: readonly PointValue[], values: PointValue[]): void {
  const width = widthOf(distinct.length);
  const mask = (1 << width) - 1;
  const sizeBytes = (values.length * width + 7) >>> 3;
  reader.need(sizeBytes);
  const { view, at } = reader;
  let bit = 0;
  for (let i = 0; i < values.length; i++) {
    const index = (view.getInt32(at + (bit >>> 3), true) >>> (bit & 7)) & mask;
    if (index >= distinct.length) throw corrupt('an index lies outside of its dictionary', at + (bit >>> 3));
    values[i] = distinct[index]!;
    bit += width;
  }
  reader.at = at + sizeBytes;
}
