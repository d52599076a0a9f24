import { BLOCK_POINTS, BLOCK_SHIFT, PointArena } from './point-arena.ts';
import { DAY_MS } from './day-file-schema.ts';
import type { PointValue } from './telemetry-queries.ts';

/** A buffer: the points of one series on one UTC day that are not in a day file yet. */
export type BufferId = number & { readonly brand: 'BufferId' };

/** At so many points a buffer is due to be sealed. */
export const FULL_POINTS = 1024;

/*
 * One buffer is 8 integers of #state (half a cache line), at index BufferId:
 *
 *   +--------+-----------+-------+-------+-----+--------+------------+----------------------+
 *   | CURSOR | LAST      | COUNT | FLAGS | DAY | SERIES | HEAD       | OTHER                |
 *   | place  | newest,   |       |       |     |        | block, or  | next buffer of this  |
 *   | after  | ms of day |       |       |     |        | -1: unused | series, or next      |
 *   | last   |           |       |       |     |        |            | unused one           |
 *   +--------+-----------+-------+-------+-----+--------+------------+----------------------+
 *
 * Invariants: #current[series] heads the chain (OTHER) of the series' buffers, of distinct days, and is the one that was
 * appended to last. #byDay has the others by day, only for series that have more than one. Without UNSORTED the points
 * of a buffer are strictly ascending in time. With MIXED the values are in #mixed, in order of arrival.
 */
const STRIDE = 8;
const CURSOR = 0;
const LAST = 1;
const COUNT = 2;
const FLAGS = 3;
const DAY = 4;
const SERIES = 5;
const HEAD = 6;
const OTHER = 7;

const UNSORTED = 1;
const MIXED = 2;
const QUEUED = 4;

/** Bytes of a point in the arena: what text is counted by. */
const POINT_BYTES = 12;

interface MixedValues {
  readonly values: PointValue[];
  bytes: number;
}

/** Points in memory, for each (series, day). Appending costs no allocation and no lookup where a series stays in its day. */
export class Memtable {
  readonly #arena: PointArena;
  #state = new Int32Array(1024 * STRIDE);
  #firstStep = new Int32Array(1024);
  #current = new Int32Array(1024).fill(-1);
  readonly #byDay = new Map<number, number>();
  readonly #mixed = new Map<number, MixedValues>();
  /** Due buffers by day, in the order in which they became due. */
  readonly #due = new Map<number, Set<BufferId>>();
  #dueCount = 0;
  #unused = -1;
  #used = 0;
  #buffers = 0;
  #points = 0;
  #mixedBytes = 0;
  /** How many buffers each day has. */
  readonly #daysOf = new Map<number, number>();
  readonly #onDays: () => void;
  /** The consumption step (consumed-steps.ts) that new buffers belong to. */
  step = 0;

  /** @param onDays called whenever `days` change */
  constructor(capacityPoints: number, onDays: () => void = () => undefined) {
    this.#arena = new PointArena(capacityPoints);
    this.#onDays = onDays;
  }

  /** Of which there are points, in no order; undefined: more than `most`. */
  days(most: number): readonly number[] | undefined {
    return this.#daysOf.size > most ? undefined : [...this.#daysOf.keys()];
  }

  get points(): number {
    return this.#points;
  }

  get buffers(): number {
    return this.#buffers;
  }

  get dueBuffers(): number {
    return this.#dueCount;
  }

  /** Of the room for points, text included: 0 to 1 (text may take it a little beyond). */
  get fill(): number {
    return 1 - this.#roomPoints() / (this.#arena.blocks * BLOCK_POINTS);
  }

  /** True when a message of so many bytes can be appended, whatever is in it: no value is written in fewer than 5 bytes. */
  hasRoomFor(messageBytes: number): boolean {
    return this.#roomPoints() >= (messageBytes / 5 + 1) * BLOCK_POINTS + (messageBytes * 6) / POINT_BYTES;
  }

  /** Makes the series known: ids are small integers. */
  register(series: number): void {
    if (series < this.#current.length) return;
    const grown = new Int32Array(Math.max(series + 1, Math.ceil(this.#current.length * 1.5))).fill(-1);
    grown.set(this.#current);
    this.#current = grown;
  }

  /** Appends a number; there is room (`hasRoomFor`) and the series is registered. `timeOfDay` in ms, below a day. */
  add(series: number, day: number, timeOfDay: number, value: number): void {
    const buffer = this.#append(series, day, timeOfDay);
    const at = this.#state[buffer + CURSOR]! - 1;
    this.#arena.values[at] = value;
    if ((this.#state[buffer + FLAGS]! & MIXED) !== 0) this.#mixed.get(buffer)!.values.push(value);
  }

  /** As `add`, for any kind of value. */
  addMixed(series: number, day: number, timeOfDay: number, value: PointValue): void {
    if (typeof value === 'number') {
      this.add(series, day, timeOfDay, value);
      return;
    }
    const buffer = this.#append(series, day, timeOfDay);
    if ((this.#state[buffer + FLAGS]! & MIXED) === 0) {
      const before = this.#state[buffer + COUNT]! - 1;
      const numbers = new Float64Array(before + 1);
      this.copy(buffer as BufferId, new Float64Array(before + 1), numbers);
      const values: PointValue[] = [...numbers.subarray(0, before)];
      this.#mixed.set(buffer, { values, bytes: 8 * before });
      this.#mixedBytes += 8 * before;
      this.#state[buffer + FLAGS]! |= MIXED;
    }
    const mixed = this.#mixed.get(buffer)!;
    const previous = mixed.values.at(-1);
    const bytes = value === previous || typeof value === 'boolean' ? 8 : 40 + 2 * value.length;
    mixed.values.push(value === previous ? previous : value);
    mixed.bytes += bytes;
    this.#mixedBytes += bytes;
  }

  #append(series: number, day: number, timeOfDay: number): number {
    let buffer = this.#current[series]!;
    if (buffer === -1 || this.#state[buffer + DAY] !== day) buffer = this.#turnTo(series, day);
    const state = this.#state;
    let at = state[buffer + CURSOR]!;
    if ((at & (BLOCK_POINTS - 1)) === 0) at = this.#extend(buffer);
    if (timeOfDay > state[buffer + LAST]!) state[buffer + LAST] = timeOfDay;
    else state[buffer + FLAGS]! |= UNSORTED;
    this.#arena.times[at] = timeOfDay;
    state[buffer + CURSOR] = at + 1;
    this.#points++;
    if (++state[buffer + COUNT]! === FULL_POINTS) this.makeDue(buffer as BufferId);
    return buffer;
  }

  #extend(buffer: number): number {
    const state = this.#state;
    const block = this.#arena.take();
    if (state[buffer + COUNT] === 0) state[buffer + HEAD] = block;
    else this.#arena.link((state[buffer + CURSOR]! - 1) >> BLOCK_SHIFT, block);
    return block << BLOCK_SHIFT;
  }

  /** Makes the buffer of another day the current one of its series, or opens it. */
  #turnTo(series: number, day: number): number {
    const current = this.#current[series]!;
    if (current === -1) {
      const buffer = this.#open(series, day, -1);
      this.#current[series] = buffer;
      return buffer;
    }
    const key = keyOf(series, day);
    let buffer = this.#byDay.get(key);
    if (buffer === undefined) buffer = this.#open(series, day, current);
    else {
      this.#byDay.delete(key);
      this.#unchain(series, buffer);
      this.#state[buffer + OTHER] = this.#current[series]!;
    }
    this.#byDay.set(keyOf(series, this.#state[current + DAY]!), current);
    this.#current[series] = buffer;
    return buffer;
  }

  #open(series: number, day: number, other: number): number {
    let buffer = this.#unused;
    if (buffer !== -1) this.#unused = this.#state[buffer + OTHER]!;
    else {
      buffer = this.#used++ * STRIDE;
      if (buffer === this.#state.length) this.#growBuffers();
    }
    const state = this.#state;
    state[buffer + CURSOR] = 0;
    state[buffer + LAST] = -1;
    state[buffer + COUNT] = 0;
    state[buffer + FLAGS] = 0;
    state[buffer + DAY] = day;
    state[buffer + SERIES] = series;
    state[buffer + HEAD] = -1;
    state[buffer + OTHER] = other;
    this.#firstStep[buffer / STRIDE] = this.step;
    this.#buffers++;
    this.#countDay(day, 1);
    return buffer;
  }

  #growBuffers(): void {
    const state = new Int32Array(this.#state.length * 2);
    state.set(this.#state);
    this.#state = state;
    const firstStep = new Int32Array(this.#firstStep.length * 2);
    firstStep.set(this.#firstStep);
    this.#firstStep = firstStep;
  }

  #unchain(series: number, buffer: number): void {
    const after = this.#state[buffer + OTHER]!;
    let before = this.#current[series]!;
    if (before === buffer) this.#current[series] = after;
    else {
      while (this.#state[before + OTHER] !== buffer) before = this.#state[before + OTHER]!;
      this.#state[before + OTHER] = after;
    }
  }

  /** Forgets the points of a buffer: they are committed, or not wanted. */
  release(buffer: BufferId): void {
    const state = this.#state;
    const series = state[buffer + SERIES]!;
    this.#unchain(series, buffer);
    this.#byDay.delete(keyOf(series, state[buffer + DAY]!));
    const current = this.#current[series]!;
    if (current !== -1) this.#byDay.delete(keyOf(series, state[current + DAY]!));
    const mixed = this.#mixed.get(buffer);
    if (mixed !== undefined) {
      this.#mixedBytes -= mixed.bytes;
      this.#mixed.delete(buffer);
    }
    this.#points -= state[buffer + COUNT]!;
    if (state[buffer + HEAD] !== -1) this.#arena.give(state[buffer + HEAD]!);
    if ((state[buffer + FLAGS]! & QUEUED) !== 0) this.#removeDue(buffer);
    state[buffer + HEAD] = -1;
    state[buffer + SERIES] = -1;
    state[buffer + OTHER] = this.#unused;
    this.#unused = buffer;
    this.#buffers--;
    this.#countDay(state[buffer + DAY]!, -1);
  }

  #countDay(day: number, change: number): void {
    const before = this.#daysOf.get(day) ?? 0;
    if (before + change === 0) this.#daysOf.delete(day);
    else this.#daysOf.set(day, before + change);
    if (before === 0 || before + change === 0) this.#onDays();
  }

  makeDue(buffer: BufferId): void {
    if ((this.#state[buffer + FLAGS]! & QUEUED) !== 0) return;
    this.#state[buffer + FLAGS]! |= QUEUED;
    const day = this.#state[buffer + DAY]!;
    const due = this.#due.get(day);
    if (due === undefined) this.#due.set(day, new Set([buffer]));
    else due.add(buffer);
    this.#dueCount++;
  }

  #removeDue(buffer: BufferId): void {
    const day = this.#state[buffer + DAY]!;
    const due = this.#due.get(day)!;
    due.delete(buffer);
    if (due.size === 0) this.#due.delete(day);
    this.#dueCount--;
  }

  /** A day that has due buffers: the one that waited longest, unless `except` names it. */
  dueDay(except?: ReadonlySet<number>): number | undefined {
    for (const day of this.#due.keys()) if (except?.has(day) !== true) return day;
    return undefined;
  }

  /** Due buffers of a day, longest waiting first. They stay due until released. */
  dueOf(day: number, limit: number): BufferId[] {
    const found: BufferId[] = [];
    for (const buffer of this.#due.get(day) ?? []) {
      if (found.length === limit) break;
      found.push(buffer);
    }
    return found;
  }

  /** Lets the other days come first: this one goes to the end. */
  postpone(day: number): void {
    const due = this.#due.get(day);
    if (due === undefined) return;
    this.#due.delete(day);
    this.#due.set(day, due);
  }

  seriesOf(buffer: BufferId): number {
    return this.#state[buffer + SERIES]!;
  }

  dayOf(buffer: BufferId): number {
    return this.#state[buffer + DAY]!;
  }

  countOf(buffer: BufferId): number {
    return this.#state[buffer + COUNT]!;
  }

  newestTimeOf(buffer: BufferId): number {
    return this.#state[buffer + DAY]! * DAY_MS + this.#state[buffer + LAST]!;
  }

  /** The value that arrived last: of the newest time, where the buffer is sorted. */
  lastValueOf(buffer: BufferId): PointValue {
    return this.#mixed.get(buffer)?.values.at(-1) ?? this.#arena.values[this.#state[buffer + CURSOR]! - 1]!;
  }

  /** The step in which its first point was consumed. */
  firstStepOf(buffer: BufferId): number {
    return this.#firstStep[buffer / STRIDE]!;
  }

  isSorted(buffer: BufferId): boolean {
    return (this.#state[buffer + FLAGS]! & UNSORTED) === 0;
  }

  /** The least `firstStepOf` of all buffers; Infinity where there are none. */
  oldestStep(): number {
    let oldest = Infinity;
    for (let index = 0; index < this.#used; index++) {
      if (this.#state[index * STRIDE + SERIES] !== -1 && this.#firstStep[index]! < oldest) oldest = this.#firstStep[index]!;
    }
    return oldest;
  }

  /** Every buffer, in no order. One that was given may be released meanwhile. */
  *all(): Generator<BufferId> {
    for (let index = 0; index < this.#used; index++) {
      if (this.#state[index * STRIDE + SERIES] !== -1) yield (index * STRIDE) as BufferId;
    }
  }

  /** The buffers of a series, in no order of days. */
  buffersOf(series: number): BufferId[] {
    const found: BufferId[] = [];
    for (let buffer = this.#current[series] ?? -1; buffer !== -1; buffer = this.#state[buffer + OTHER]!)
      found.push(buffer as BufferId);
    return found;
  }

  /** Copies the times, absolute, in order of arrival; returns the values where they are not all numbers, else fills `values`. */
  copy(buffer: BufferId, times: Float64Array, values: Float64Array): readonly PointValue[] | undefined {
    const midnight = this.dayOf(buffer) * DAY_MS;
    const { times: fromTimes, values: fromValues } = this.#arena;
    const count = this.countOf(buffer);
    let block = this.#state[buffer + HEAD]!;
    for (let index = 0; index < count;) {
      const shift = (block << BLOCK_SHIFT) - index;
      const end = Math.min(count, index + BLOCK_POINTS);
      for (; index < end; index++) {
        times[index] = midnight + fromTimes[shift + index]!;
        values[index] = fromValues[shift + index]!;
      }
      block = this.#arena.next(block);
    }
    return this.#mixed.get(buffer)?.values;
  }

  #roomPoints(): number {
    return this.#arena.freeBlocks * BLOCK_POINTS - this.#mixedBytes / POINT_BYTES;
  }
}

function keyOf(series: number, day: number): number {
  return day * 2_147_483_648 + series;
}
