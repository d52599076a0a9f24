import { SelsynError } from '../../kernel/errors.ts';
import { type ByteReader, corrupt } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { BLOCK, INTEGER_BLOCK_BYTES, newIntegerPlan, planIntegers, readIntegers, writeIntegers } from './integer-block.ts';

/*
 *   +----------------+----------------------------------------------------------------+
 *   | first time f64 | for each 128 of the other times:                               |
 *   |                |   an integer block of the steps from time to time, or          |
 *   |                |   0x7f and the times as f64, where the steps differ too much     |
 *   +----------------+----------------------------------------------------------------+
 */
const RAW = 0x7f;
const MAX_STEP = 2 ** 52;

const steps = new Float64Array(BLOCK);
const plan = newIntegerPlan();

/** @throws SelsynError `telemetry.bad-time` unless the times are strictly ascending safe integers. */
export function writeTimes(writer: ByteWriter, times: Float64Array, count: number): void {
  if (!Number.isSafeInteger(times[0])) throw badTime(times, 0);
  if (!Number.isSafeInteger(times[count - 1])) throw badTime(times, count - 1);
  writer.reserve(8);
  writer.float64(times[0]!);
  let last = times[0]!;
  for (let from = 1; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    let longest = 0;
    for (let i = 0; i < n; i++) {
      const time = times[from + i]!;
      const step = time - last;
      if (!(step >= 1) || Math.floor(time) !== time) throw badTime(times, from + i);
      longest = step > longest ? step : longest;
      steps[i] = step;
      last = time;
    }
    writer.reserve(INTEGER_BLOCK_BYTES);
    planIntegers(steps, n, plan);
    if (longest <= MAX_STEP && plan.bits < Infinity) {
      writeIntegers(writer, steps, n, plan);
    } else {
      writer.byte(RAW);
      for (let i = 0; i < n; i++) writer.float64(times[from + i]!);
    }
  }
}

function badTime(times: Float64Array, index: number): SelsynError {
  return new SelsynError('telemetry.bad-time', 'Times of a chunk must be strictly ascending integers within 2^53 ms.', {
    details: { index, time: times[index], before: times[index - 1] },
  });
}

/** The step between all times; 0 where it is not always the same, or there is none. */
export function stepOf(times: Float64Array, count: number): number {
  if (count < 2) return 0;
  const step = times[1]! - times[0]!;
  if (!(step <= MAX_STEP)) return 0;
  for (let i = 2; i < count; i++) if (times[i]! - times[i - 1]! !== step) return 0;
  return step;
}

/** Fills `times` from the first on, with the same step between all. @throws SelsynError `data.corrupt` */
export function readRegularTimes(reader: ByteReader, times: Float64Array, step: number): void {
  const first = reader.float64();
  if (!Number.isSafeInteger(first)) throw corrupt('its first time is no integer', reader.at);
  if (first + (times.length - 1) * step > Number.MAX_SAFE_INTEGER) throw corrupt('its last time is out of range', reader.at);
  for (let i = 0; i < times.length; i++) times[i] = first + i * step;
}

/** Fills `times`, which has at least one element. @throws SelsynError `data.corrupt` */
export function readTimes(reader: ByteReader, times: Float64Array): void {
  const count = times.length;
  let time = reader.float64();
  if (!Number.isSafeInteger(time)) throw corrupt('its first time is no integer', reader.at);
  times[0] = time;
  for (let from = 1; from < count; from += BLOCK) {
    const n = Math.min(BLOCK, count - from);
    if (reader.at < reader.end && reader.bytes[reader.at] === RAW) {
      time = readRawTimes(reader, times, from, n, time);
      continue;
    }
    readIntegers(reader, steps, n);
    let shortest = 1;
    for (let i = 0; i < n; i++) {
      const step = steps[i]!;
      shortest = step < shortest ? step : shortest;
      time += step;
      times[from + i] = time;
    }
    if (shortest < 1) throw corrupt('its times do not ascend', reader.at);
  }
  if (time > Number.MAX_SAFE_INTEGER) throw corrupt('its last time is out of range', reader.at);
}

function readRawTimes(reader: ByteReader, times: Float64Array, from: number, count: number, before: number): number {
  reader.at++;
  let last = before;
  for (let i = 0; i < count; i++) {
    const time = reader.float64();
    if (!Number.isSafeInteger(time) || time <= last) throw corrupt('its times do not ascend', reader.at);
    times[from + i] = time;
    last = time;
  }
  return last;
}
