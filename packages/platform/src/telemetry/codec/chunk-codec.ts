import { SelsynError } from '../../kernel/errors.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { ByteReader, corrupt } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { readCoded, writeCoded } from './coded-numbers.ts';
import { readDictionary, writeDictionary } from './dictionary.ts';
import { readNumbers, writeNumbers } from './number-blocks.ts';
import { readRegularTimes, readTimes, stepOf, writeTimes } from './time-blocks.ts';

/*
 * A chunk: the points of one series. Integers are little-endian, varints are LEB128, bits fill bytes from the lowest.
 *
 *   +---------+------+---------------+---------------+----------------------------+
 *   | version | kind | count         | times         | values                     |
 *   | u8 = 1  | u8   | varint <65536 | time-blocks   | kind 0: number-blocks      |
 *   |         |      |               |               | kind 1: dictionary         |
 *   |         |      |               |               | kind 2: coded-numbers      |
 *   +---------+------+---------------+---------------+----------------------------+
 *
 * In kind 2 a varint stands before the times: where it is not 0 it is the step between all of them, and only the first follows, f64.
 *
 * Times and numbers are cut in blocks of 128 (integer-block.ts), each of which has the form that suits it; the layout of
 * each part stands above its codec. Nothing follows the values. A chunk of no points ends after its count.
 *
 * What cannot be decoded counts as damaged, and goes with its day. A new version, kind or form therefore needs a new version
 * of the day file (day-file-schema.ts), which programs that do not know it refuse.
 */
const VERSION = 1;
const KIND_NUMBERS = 0;
const KIND_DICTIONARY = 1;
const KIND_CODED = 2;

/** The most points that a chunk may have. */
export const MAX_CHUNK_POINTS = 65_535;

export interface DecodedChunk {
  readonly count: number;
  /** Strictly ascending integers, ms. */
  readonly times: Float64Array;
  /** Float64Array when every value is a number. */
  readonly values: Float64Array | PointValue[];
}

// One of each for this thread: both functions are synchronous and never nest.
const writer = new ByteWriter();
const reader = new ByteReader();

/**
 * Compresses the first `count` points. Every value comes back bit by bit (but for the payload of a NaN).
 *
 * Numbers given as an array are stored as from a Float64Array, and come back as one. Linear in `count`.
 *
 * @param times strictly ascending integers in ms, within ±(2^53 - 1).
 * @param options.smallest takes several times as long, and makes a fifth less of most sensors' values
 * @throws SelsynError `telemetry.bad-time` for any other times; `internal` for a count beyond the arrays or 65,535.
 */
export function encodeChunk(
  times: Float64Array,
  values: Float64Array | readonly PointValue[],
  count: number,
  options: { readonly smallest: boolean } = { smallest: false },
): Uint8Array {
  if (!(count >= 0 && count <= MAX_CHUNK_POINTS && count <= times.length && count <= values.length)) {
    throw new SelsynError('internal', 'A chunk takes as many points as its arrays hold, and at most 65,535.', {
      details: { count, times: times.length, values: values.length },
    });
  }
  const numbers = values instanceof Float64Array ? values : allNumbers(values, count);
  begin(numbers === undefined ? KIND_DICTIONARY : KIND_NUMBERS, count);
  if (count > 0) {
    writeTimes(writer, times, count);
    if (numbers === undefined) writeDictionary(writer, values as readonly PointValue[], count);
    else writeNumbers(writer, numbers, count);
  }
  const bytes = writer.take();
  if (!options.smallest || numbers === undefined || count === 0) return bytes;
  const coded = encodeCoded(times, numbers, count);
  return coded !== undefined && coded.length < bytes.length ? coded : bytes;
}

function begin(kind: number, count: number): void {
  writer.clear();
  writer.reserve(32);
  writer.byte(VERSION);
  writer.byte(kind);
  writer.varint(count);
}

/** Undefined where the values cannot be coded. The times were checked. */
function encodeCoded(times: Float64Array, values: Float64Array, count: number): Uint8Array | undefined {
  begin(KIND_CODED, count);
  const step = stepOf(times, count);
  writer.varint(step);
  if (step === 0) writeTimes(writer, times, count);
  else writer.float64(times[0]!);
  return writeCoded(writer, values, count) ? writer.take() : undefined;
}

/**
 * The points of a chunk, in arrays of their own.
 *
 * Whatever the bytes, at most 65,535 points are allocated for, and the times are strictly ascending.
 *
 * @throws SelsynError `data.corrupt` when the bytes are no chunk. There is no checksum: a flipped bit may also change values.
 */
export function decodeChunk(bytes: Uint8Array): DecodedChunk {
  reader.load(bytes);
  const version = reader.byte();
  if (version !== VERSION) throw corrupt(`version ${version} is not known`, 0);
  const kind = reader.byte();
  if (kind > KIND_CODED) throw corrupt(`kind ${kind} is not known`, 1);
  const count = reader.varint();
  if (count > MAX_CHUNK_POINTS) throw corrupt(`${count} points are too many`, 2);
  const times = new Float64Array(count);
  let values: Float64Array | PointValue[];
  const step = kind === KIND_CODED ? reader.varint() : 0;
  if (step > 0) readRegularTimes(reader, times, step);
  else if (count > 0) readTimes(reader, times);
  if (kind === KIND_DICTIONARY) values = count > 0 ? readDictionary(reader, count) : [];
  else {
    values = new Float64Array(count);
    if (kind === KIND_NUMBERS) readNumbers(reader, values);
    else if (count > 0) readCoded(reader, values);
  }
  if (reader.at !== reader.end) throw corrupt('something follows its values', reader.at);
  return { count, times, values };
}

/** The values as numbers, or undefined when there is anything else. */
function allNumbers(values: readonly PointValue[], count: number): Float64Array | undefined {
  for (let i = 0; i < count; i++) if (typeof values[i] !== 'number') return undefined;
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = values[i] as number; // each was seen to be one
  return numbers;
}
