import { lowerBound, type Columns } from '../query-columns.ts';
import type { PointValue } from '../telemetry-queries.ts';
import { RunningSum } from './running-sum.ts';

/**
 * What is known of the points of one series in each hour, or each UTC day, that has any: a column for each fact.
 *
 * Numbers, and booleans as 0 and 1, count in `numbers`, `mins`, `maxs` and `sums`; text does not, as in BucketFold.
 * Where `numbers[i]` is 0 there is no least and no largest: `mins[i]`, `maxs[i]` and `sums[i]` are 0 and mean nothing.
 */
export interface RollupColumns {
  /** Of the hour or the day, ascending, each once. */
  readonly startsMs: Float64Array;
  /** Points of any kind, at least 1. */
  readonly counts: Float64Array;
  readonly numbers: Float64Array;
  readonly mins: Float64Array;
  readonly maxs: Float64Array;
  /** Infinite where the true sum is beyond the largest double: then the mean is known by the points alone. */
  readonly sums: Float64Array;
  readonly firstTimes: Float64Array;
  readonly lastTimes: Float64Array;
  /** Float64Array where every one is a number. */
  readonly firsts: Float64Array | readonly PointValue[];
  readonly lasts: Float64Array | readonly PointValue[];
}

const NONE = new Float64Array(0);
export const NO_ROLLUPS: RollupColumns = {
  startsMs: NONE,
  counts: NONE,
  numbers: NONE,
  mins: NONE,
  maxs: NONE,
  sums: NONE,
  firstTimes: NONE,
  lastTimes: NONE,
  firsts: NONE,
  lasts: NONE,
};

/** Columns that grow by a row. The last row may still be changed. */
class RollupRows {
  readonly #startsMs: number[] = [];
  readonly #counts: number[] = [];
  readonly #numbers: number[] = [];
  readonly #mins: number[] = [];
  readonly #maxs: number[] = [];
  readonly #sums: number[] = [];
  readonly #firstTimes: number[] = [];
  readonly #lastTimes: number[] = [];
  readonly #firsts: PointValue[] = [];
  readonly #lasts: PointValue[] = [];
  readonly #sum = new RunningSum();

  /** The start of the last row; -Infinity where there is none. */
  get startMs(): number {
    return this.#startsMs.at(-1) ?? -Infinity;
  }

  open(startMs: number): void {
    this.#closeSum();
    this.#startsMs.push(startMs);
    this.#counts.push(0);
    this.#numbers.push(0);
    this.#mins.push(0);
    this.#maxs.push(0);
    this.#sums.push(0);
    this.#firstTimes.push(Infinity);
    this.#lastTimes.push(-Infinity);
    this.#firsts.push(0);
    this.#lasts.push(0);
    this.#sum.clear();
  }

  /** Adds the points `start` up to `end`, later than those of the row. */
  addPoints({ times, values }: Columns, start: number, end: number): void {
    const at = this.#startsMs.length - 1;
    if (this.#counts[at] === 0) {
      this.#firstTimes[at] = times[start]!;
      this.#firsts[at] = values[start]!;
    }
    this.#lastTimes[at] = times[end - 1]!;
    this.#lasts[at] = values[end - 1]!;
    this.#counts[at]! += end - start;
    if (values instanceof Float64Array) {
      this.#addNumbers(at, values, start, end);
      return;
    }
    const numbers = new Float64Array(end - start);
    let count = 0;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (typeof value !== 'string') numbers[count++] = Number(value);
    }
    if (count > 0) this.#addNumbers(at, numbers, 0, count);
  }

  #addNumbers(at: number, values: Float64Array, start: number, end: number): void {
    let min = this.#numbers[at] === 0 ? Infinity : this.#mins[at]!;
    let max = this.#numbers[at] === 0 ? -Infinity : this.#maxs[at]!;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#mins[at] = min;
    this.#maxs[at] = max;
    this.#numbers[at]! += end - start;
    this.#sum.addAll(values, start, end);
  }

  /** Adds a row of others; of equal times the first value of the earlier and the last value of the later call counts. */
  addRow(rollups: RollupColumns, index: number): void {
    const at = this.#startsMs.length - 1;
    this.#counts[at]! += rollups.counts[index]!;
    if (rollups.numbers[index]! > 0) {
      const none = this.#numbers[at] === 0;
      const min = rollups.mins[index]!;
      const max = rollups.maxs[index]!;
      if (none || min < this.#mins[at]!) this.#mins[at] = min;
      if (none || max > this.#maxs[at]!) this.#maxs[at] = max;
      this.#numbers[at]! += rollups.numbers[index]!;
      this.#sum.add(rollups.sums[index]!);
    }
    if (rollups.firstTimes[index]! < this.#firstTimes[at]!) {
      this.#firstTimes[at] = rollups.firstTimes[index]!;
      this.#firsts[at] = rollups.firsts[index]!;
    }
    if (rollups.lastTimes[index]! >= this.#lastTimes[at]!) {
      this.#lastTimes[at] = rollups.lastTimes[index]!;
      this.#lasts[at] = rollups.lasts[index]!;
    }
  }

  finish(): RollupColumns {
    if (this.#startsMs.length === 0) return NO_ROLLUPS;
    this.#closeSum();
    return {
      startsMs: Float64Array.from(this.#startsMs),
      counts: Float64Array.from(this.#counts),
      numbers: Float64Array.from(this.#numbers),
      mins: Float64Array.from(this.#mins),
      maxs: Float64Array.from(this.#maxs),
      sums: Float64Array.from(this.#sums),
      firstTimes: Float64Array.from(this.#firstTimes),
      lastTimes: Float64Array.from(this.#lastTimes),
      firsts: numbersOrMixed(this.#firsts),
      lasts: numbersOrMixed(this.#lasts),
    };
  }

  #closeSum(): void {
    const at = this.#startsMs.length - 1;
    if (at >= 0) this.#sums[at] = this.#sum.value;
  }
}

/**
 * Folds the points of one series into rows of `widthMs`, aligned to 1970-01-01 UTC: an hour or a day.
 *
 * @param runs each later than the one before, as SeriesWalk gives them
 */
export function foldPoints(runs: Iterable<Columns>, widthMs: number): RollupColumns {
  const rows = new RollupRows();
  for (const run of runs) {
    const { times } = run;
    for (let start = 0; start < times.length;) {
      const startMs = Math.floor(times[start]! / widthMs) * widthMs;
      if (startMs !== rows.startMs) rows.open(startMs);
      const endMs = startMs + widthMs;
      const end = times[times.length - 1]! < endMs ? times.length : lowerBound(times, endMs, start + 1);
      rows.addPoints(run, start, end);
      start = end;
    }
  }
  return rows.finish();
}

/**
 * Joins rollups of one series and one width that may speak of the same hours: what they count is added.
 * Generations are given in ascending order: of points of one time the value of the last one is the newer.
 */
export function combineRollups(parts: readonly RollupColumns[]): RollupColumns {
  const some = parts.filter(({ startsMs }) => startsMs.length > 0);
  if (some.length <= 1) return some[0] ?? NO_ROLLUPS;
  if (some.every(({ startsMs }, i) => i === 0 || startsMs[0]! > some[i - 1]!.startsMs.at(-1)!)) return concatRollups(some);
  const rows = new RollupRows();
  const at = some.map(() => 0);
  for (;;) {
    let startMs = Infinity;
    some.forEach((part, index) => (startMs = Math.min(startMs, part.startsMs[at[index]!] ?? Infinity)));
    if (startMs === Infinity) return rows.finish();
    rows.open(startMs);
    some.forEach((part, index) => {
      if (part.startsMs[at[index]!] === startMs) rows.addRow(part, at[index]!++);
    });
  }
}

/** Rows of a wider kind, aligned to 1970-01-01 UTC: days from hours. */
export function widenRollups(rollups: RollupColumns, widthMs: number): RollupColumns {
  const rows = new RollupRows();
  rollups.startsMs.forEach((timeMs, index) => {
    const startMs = Math.floor(timeMs / widthMs) * widthMs;
    if (startMs !== rows.startMs) rows.open(startMs);
    rows.addRow(rollups, index);
  });
  return rows.finish();
}

const MAX_COLUMNS = 10;

/** Joins rollups that follow one another in time. */
export function concatRollups(parts: readonly RollupColumns[]): RollupColumns {
  const some = parts.filter(({ startsMs }) => startsMs.length > 0);
  if (some.length <= 1) return some[0] ?? NO_ROLLUPS;
  const count = some.reduce((sum, { startsMs }) => sum + startsMs.length, 0);
  const room = new Float64Array(count * MAX_COLUMNS);
  let taken = 0;
  const joined = (pick: (part: RollupColumns) => Float64Array): Float64Array => {
    const column = room.subarray(taken * count, ++taken * count);
    let at = 0;
    for (const part of some) {
      column.set(pick(part), at);
      at += part.startsMs.length;
    }
    return column;
  };
  const values = (pick: (part: RollupColumns) => RollupColumns['firsts']): RollupColumns['firsts'] =>
    some.every((part) => pick(part) instanceof Float64Array)
      ? joined((part) => pick(part) as Float64Array) // each was seen to be one
      : numbersOrMixed(some.flatMap((part): PointValue[] => [...pick(part)]));
  return {
    startsMs: joined(({ startsMs }) => startsMs),
    counts: joined(({ counts }) => counts),
    numbers: joined(({ numbers }) => numbers),
    mins: joined(({ mins }) => mins),
    maxs: joined(({ maxs }) => maxs),
    sums: joined(({ sums }) => sums),
    firstTimes: joined(({ firstTimes }) => firstTimes),
    lastTimes: joined(({ lastTimes }) => lastTimes),
    firsts: values(({ firsts }) => firsts),
    lasts: values(({ lasts }) => lasts),
  };
}

/** The rows with from <= start < to. Shares the arrays. */
export function sliceRollups(rollups: RollupColumns, fromMs: number, toMs: number): RollupColumns {
  const { startsMs } = rollups;
  const start = lowerBound(startsMs, fromMs);
  const end = lowerBound(startsMs, toMs, start);
  if (start === 0 && end === startsMs.length) return rollups;
  return sliceRollupRows(rollups, start, end);
}

/** The rows `start` up to, not including, `end`. Shares the arrays. */
export function sliceRollupRows(rollups: RollupColumns, start: number, end: number): RollupColumns {
  const values = (column: Float64Array | readonly PointValue[]): Float64Array | readonly PointValue[] =>
    column instanceof Float64Array ? column.subarray(start, end) : column.slice(start, end);
  return {
    startsMs: rollups.startsMs.subarray(start, end),
    counts: rollups.counts.subarray(start, end),
    numbers: rollups.numbers.subarray(start, end),
    mins: rollups.mins.subarray(start, end),
    maxs: rollups.maxs.subarray(start, end),
    sums: rollups.sums.subarray(start, end),
    firstTimes: rollups.firstTimes.subarray(start, end),
    lastTimes: rollups.lastTimes.subarray(start, end),
    firsts: values(rollups.firsts),
    lasts: values(rollups.lasts),
  };
}

function numbersOrMixed(values: readonly PointValue[]): Float64Array | PointValue[] {
  if (values.every((value) => typeof value === 'number')) return Float64Array.from(values);
  return [...values];
}
