import { SelsynError } from '../../kernel/errors.ts';
import { ByteReader, corrupt } from '../codec/byte-reader.ts';
import { ByteWriter } from '../codec/byte-writer.ts';
import { readDictionary, writeDictionary } from '../codec/dictionary.ts';
import { readNumbers, writeNumbers } from '../codec/number-blocks.ts';
import { DAY_MS, HOUR_MS } from '../day-file-schema.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { concatRollups, NO_ROLLUPS, sliceRollupRows, type RollupColumns } from './rollup-columns.ts';

/*
 * The hours of a series in a day, or its days in a month. Integers are little-endian, varints are LEB128; a column is a
 * number block (codec/number-blocks.ts) or a dictionary (codec/dictionary.ts) of one value a row.
 *
 *   +---------+-------+----------+--------+---------+----------------+-----------------------------+--------+-------+
 *   | version | flags | rows     | counts | numbers | mins, maxs,    | first times, last times,    | firsts | lasts |
 *   | u8 = 1  | u8    |          |        | flag 1  | sums: flag 2   | ms after the start of their |        |       |
 *   |         |       |          |        |         |                | hour or day                 |        |       |
 *   +---------+-------+----------+--------+---------+----------------+-----------------------------+--------+-------+
 *
 *   rows    hours: u32, bit h is set where hour h has points
 *           days: count varint; days of the month from 0, ascending; generations, ascending within a day
 *   flags   1 numbers follow: else every point is a number     2 some are numbers: mins, maxs and sums follow
 *           4, 8 firsts, lasts are a dictionary                16 in every row the first value is the last: no lasts
 *
 * Without any rows nothing follows them.
 */
const VERSION = 1;
const SOME_TEXT = 1;
const SOME_NUMBERS = 2;
const MIXED_FIRSTS = 4;
const MIXED_LASTS = 8;
const ONE_VALUE = 16;
const FLAGS = 31;
/** Room for the head, and for what number-blocks.ts does not reserve by itself. */
const HEAD_BYTES = 16;

const HOURS = 24;
/** A day has a row for each generation: more than a few are a mistake. */
const MAX_DAY_ROWS = 4096;

/** The days of a month, ascending; a day that had points again after they were dropped has a row for each generation. */
export interface DayRollups {
  readonly rollups: RollupColumns;
  /** Of each row. */
  readonly generations: Float64Array;
}

export const NO_DAYS: DayRollups = { rollups: NO_ROLLUPS, generations: new Float64Array(0) };

/** Of each row: counts, numbers, mins, maxs, sums, first and last times, firsts, lasts. */
const MAX_NUMBER_COLUMNS = 9;

// One of each for this thread: all functions are synchronous and never nest.
const writer = new ByteWriter();
const reader = new ByteReader();

/**
 * Every value comes back bit by bit (but for the payload of a NaN).
 *
 * @throws SelsynError `internal` for rows that are no hours of the day.
 */
export function encodeHours(rollups: RollupColumns, dayMs: number): Uint8Array {
  let hours = 0;
  for (const startMs of rollups.startsMs) {
    const hour = (startMs - dayMs) / HOUR_MS;
    if (!Number.isInteger(hour) || hour < 0 || hour >= HOURS || 1 << hour <= hours) throw misplaced(startMs, dayMs);
    hours |= 1 << hour;
  }
  writeHead(rollups);
  writer.view.setUint32(writer.at, hours, true);
  writer.at += 4;
  writeColumns(rollups);
  return writer.take();
}

/** As `encodeHours`, for days of the month that begins at `monthMs`. */
export function encodeDays({ rollups, generations }: DayRollups, monthMs: number): Uint8Array {
  const days = rollups.startsMs.map((startMs) => (startMs - monthMs) / DAY_MS);
  days.forEach((day, i) => {
    const after = i === 0 || day > days[i - 1]! || (day === days[i - 1] && generations[i]! > generations[i - 1]!);
    if (!Number.isInteger(day) || day < 0 || day > 30 || !after) throw misplaced(rollups.startsMs[i]!, monthMs);
  });
  writeHead(rollups);
  writer.varint(days.length);
  if (days.length > 0) {
    writeNumbers(writer, days, days.length);
    writeNumbers(writer, generations, days.length);
  }
  writeColumns(rollups);
  return writer.take();
}

/** @throws SelsynError `data.corrupt` when the bytes are no hours. There is no checksum: a flipped bit may also change values. */
export function decodeHours(bytes: Uint8Array, dayMs: number): RollupColumns {
  const flags = readHead(bytes);
  reader.need(4);
  const hours = reader.view.getUint32(reader.at, true);
  reader.at += 4;
  if (hours >= 2 ** HOURS) throw corrupt('its rollup has an hour beyond the day', reader.at);
  const startsMs = new Float64Array(bitsOf(hours));
  for (let hour = 0, at = 0; at < startsMs.length; hour++) {
    if ((hours & (1 << hour)) !== 0) startsMs[at++] = dayMs + hour * HOUR_MS;
  }
  return readColumns(startsMs, flags);
}

/** As `decodeHours`. */
export function decodeDays(bytes: Uint8Array, monthMs: number): DayRollups {
  const flags = readHead(bytes);
  const { startsMs, generations } = readDays(monthMs);
  return { rollups: readColumns(startsMs, flags), generations };
}

/** Of `decodeDays` the days and their generations alone: what is known of them is not looked at. @throws SelsynError `data.corrupt` */
export function decodeGenerations(
  bytes: Uint8Array,
  monthMs: number,
): { readonly startsMs: Float64Array; readonly generations: Float64Array } {
  readHead(bytes);
  return readDays(monthMs);
}

function readDays(monthMs: number): { readonly startsMs: Float64Array; readonly generations: Float64Array } {
  const count = reader.varint();
  if (count > MAX_DAY_ROWS) throw corrupt(`${count} rows of a rollup are too many`, reader.at);
  const startsMs = new Float64Array(count);
  const generations = new Float64Array(count);
  if (count > 0) {
    readNumbers(reader, startsMs);
    readNumbers(reader, generations);
  }
  for (let i = 0; i < count; i++) {
    const day = startsMs[i]!;
    const after = i === 0 || monthMs + day * DAY_MS >= startsMs[i - 1]!;
    if (!Number.isInteger(day) || day < 0 || day > 30 || !after) throw corrupt('its rollup has an impossible day', reader.at);
    startsMs[i] = monthMs + day * DAY_MS;
  }
  return { startsMs, generations };
}

/** The days with the row of one day and generation as it is now; `day` is that row, or nothing. */
export function replaceDay(before: DayRollups, day: RollupColumns, dayMs: number, generation: number): DayRollups {
  const { startsMs } = before.rollups;
  const { generations } = before;
  const isBefore = (i: number): boolean => startsMs[i]! < dayMs || (startsMs[i] === dayMs && generations[i]! < generation);
  let start = 0;
  while (start < startsMs.length && isBefore(start)) start++;
  const end = startsMs[start] === dayMs && generations[start] === generation ? start + 1 : start;
  return {
    rollups: concatRollups([
      sliceRollupRows(before.rollups, 0, start),
      day,
      sliceRollupRows(before.rollups, end, startsMs.length),
    ]),
    generations: Float64Array.from([
      ...generations.subarray(0, start),
      ...day.startsMs.map(() => generation),
      ...generations.subarray(end),
    ]),
  };
}

function writeHead({ counts, numbers, firsts, lasts }: RollupColumns): void {
  let flags = (firsts instanceof Float64Array ? 0 : MIXED_FIRSTS) | (lasts instanceof Float64Array ? 0 : MIXED_LASTS) | ONE_VALUE;
  for (let i = 0; i < counts.length; i++) {
    if (numbers[i] !== counts[i]) flags |= SOME_TEXT;
    if (numbers[i]! > 0) flags |= SOME_NUMBERS;
    if (!Object.is(firsts[i], lasts[i])) flags &= ~ONE_VALUE;
  }
  writer.clear();
  writer.reserve(HEAD_BYTES);
  writer.byte(VERSION);
  writer.byte(flags);
}

function writeColumns(rollups: RollupColumns): void {
  const { startsMs } = rollups;
  const count = startsMs.length;
  if (count === 0) return;
  const flags = writer.bytes[1]!;
  writeNumbers(writer, rollups.counts, count);
  if ((flags & SOME_TEXT) !== 0) writeNumbers(writer, rollups.numbers, count);
  if ((flags & SOME_NUMBERS) !== 0) {
    writeNumbers(writer, rollups.mins, count);
    writeNumbers(writer, rollups.maxs, count);
    writeNumbers(writer, rollups.sums, count);
  }
  for (const times of [rollups.firstTimes, rollups.lastTimes]) {
    writeNumbers(
      writer,
      times.map((timeMs, i) => timeMs - startsMs[i]!),
      count,
    );
  }
  writeValues(rollups.firsts, count);
  if ((flags & ONE_VALUE) === 0) writeValues(rollups.lasts, count);
}

function writeValues(values: RollupColumns['firsts'], count: number): void {
  if (values instanceof Float64Array) writeNumbers(writer, values, count);
  else writeDictionary(writer, values, count);
}

function readHead(bytes: Uint8Array): number {
  reader.load(bytes);
  const version = reader.byte();
  if (version !== VERSION) throw corrupt(`version ${version} of a rollup is not known`, 0);
  const flags = reader.byte();
  if (flags > FLAGS) throw corrupt(`flags ${flags} of a rollup are not known`, 1);
  return flags;
}

function readColumns(startsMs: Float64Array, flags: number): RollupColumns {
  const count = startsMs.length;
  // All columns in one piece of memory: there are many rows of a few hours each.
  const room = new Float64Array(count * MAX_NUMBER_COLUMNS);
  let taken = 0;
  const emptyColumn = (): Float64Array => room.subarray(taken * count, ++taken * count);
  const numbersColumn = (): Float64Array => {
    const values = emptyColumn();
    if (count > 0) readNumbers(reader, values);
    return values;
  };
  const timesColumn = (): Float64Array => {
    const times = numbersColumn();
    for (let i = 0; i < count; i++) times[i]! += startsMs[i]!;
    return times;
  };
  const values = (isMixed: boolean): Float64Array | PointValue[] =>
    isMixed && count > 0 ? readDictionary(reader, count) : numbersColumn();
  const counts = numbersColumn();
  const numbers = (flags & SOME_TEXT) === 0 ? counts : numbersColumn();
  const some = (flags & SOME_NUMBERS) !== 0;
  const mins = some ? numbersColumn() : emptyColumn();
  const maxs = some ? numbersColumn() : emptyColumn();
  const sums = some ? numbersColumn() : emptyColumn();
  const firstTimes = timesColumn();
  const lastTimes = timesColumn();
  const firsts = values((flags & MIXED_FIRSTS) !== 0);
  const lasts = (flags & ONE_VALUE) !== 0 ? firsts : values((flags & MIXED_LASTS) !== 0);
  if (reader.at !== reader.end) throw corrupt('something follows its rollup', reader.at);
  return { startsMs, counts, numbers, mins, maxs, sums, firstTimes, lastTimes, firsts, lasts };
}

function bitsOf(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function misplaced(startMs: number, periodMs: number): SelsynError {
  return new SelsynError('internal', 'a rollup does not lie in its period', { details: { startMs, periodMs } });
}
