import type { BufferId, Memtable } from './memtable.ts';
import type { PointValue } from './telemetry-queries.ts';

/** Points in ascending time, each time once. `times` may be longer than `count`; so may `values`. */
export interface SortedPoints {
  readonly count: number;
  readonly times: Float64Array;
  readonly values: Float64Array | readonly PointValue[];
}

/**
 * Takes the points out of buffers, sorted, of equal times the one that arrived last.
 *
 * One for a thread: what it returns is overwritten by its next call, unless it was copied.
 */
export class BufferPoints {
  #times = new Float64Array(2048);
  #values = new Float64Array(2048);

  sorted(memtable: Memtable, buffer: BufferId): SortedPoints {
    const count = memtable.countOf(buffer);
    if (count > this.#times.length) {
      this.#times = new Float64Array(count * 2);
      this.#values = new Float64Array(count * 2);
    }
    const mixed = memtable.copy(buffer, this.#times, this.#values);
    if (memtable.isSorted(buffer)) return { count, times: this.#times, values: mixed ?? this.#values };
    return sortPoints(this.#times, mixed ?? this.#values, count);
  }
}

/** Sorts the first `count` points by time; of equal times the last one in the arrays is kept. */
export function sortPoints(times: Float64Array, values: Float64Array | readonly PointValue[], count: number): SortedPoints {
  const order = arrivalOrder(times, count);
  const sortedTimes = new Float64Array(order.length);
  for (let i = 0; i < order.length; i++) sortedTimes[i] = times[order[i]!]!;
  if (!(values instanceof Float64Array)) {
    return { count: order.length, times: sortedTimes, values: Array.from(order, (index) => values[index]!) };
  }
  const sortedValues = new Float64Array(order.length);
  for (let i = 0; i < order.length; i++) sortedValues[i] = values[order[i]!]!;
  return { count: order.length, times: sortedTimes, values: sortedValues };
}

/** Indices of the points to keep, in ascending time: of equal times the last. */
function arrivalOrder(times: Float64Array, count: number): Uint32Array {
  // Time within the day and arrival in one number, so that the native numeric sort does it: 27 + 26 bits.
  const base = times.subarray(0, count).reduce((least, time) => Math.min(least, time), Infinity);
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = (times[i]! - base) * 67_108_864 + i;
  keys.sort();
  const order = new Uint32Array(count);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const index = keys[i]! % 67_108_864;
    if (kept > 0 && times[order[kept - 1]!] === times[index]) kept--;
    order[kept++] = index;
  }
  return order.subarray(0, kept);
}
