import { SelsynError } from '../kernel/errors.ts';
import type { Buckets } from './buckets.ts';
import { lowerBound, type Columns } from './query-columns.ts';
import type { RollupColumns } from './rollups/rollup-columns.ts';
import type { Aggregate, PointColumns, PointValue } from './telemetry-queries.ts';

/** How many buckets all folds of a query may still give. */
export interface BucketAllowance {
  left: number;
  readonly limit: number;
}

/** Applied to a sum that left the range of doubles: with it, 2^64 values of any size can be added. */
const SCALE = 2 ** -64;

/**
 * Folds the points of one series, given in ascending runs, into one value a bucket.
 *
 * Sums carry their rounding error along (Kahan-Babuska with Knuth's branch-free two-sum), so their error does not grow
 * with the number of points; a mean is right also where the sum exceeds the largest double (such a sum is infinite).
 */
export class BucketFold {
  readonly #buckets: Buckets;
  readonly #fn: Aggregate;
  readonly #allowance: BucketAllowance;
  readonly #times: number[] = [];
  readonly #values: PointValue[] = [];
  #allNumbers = true;
  #endMs = -Infinity;
  /** Values of the current bucket that count. */
  #count = 0;
  #sum = 0;
  #lost = 0;
  #scale = 1;
  #extreme = 0;
  #kept: PointValue = 0;

  constructor(options: { readonly buckets: Buckets; readonly fn: Aggregate; readonly allowance: BucketAllowance }) {
    this.#buckets = options.buckets;
    this.#fn = options.fn;
    this.#allowance = options.allowance;
  }

  /** Takes points that are all later than those before. @throws SelsynError `query.too-large` with one bucket too many. */
  add(run: Columns): void {
    const { times, values } = run;
    for (let start = 0; start < times.length;) {
      if (times[start]! >= this.#endMs) this.#open(times[start]!);
      const end = times[times.length - 1]! < this.#endMs ? times.length : lowerBound(times, this.#endMs, start + 1);
      if (values instanceof Float64Array) this.#addNumbers(values, start, end);
      else this.#addMixed(values, start, end);
      start = end;
    }
  }

  /** Takes rollups that are all later than what came before, each of which lies in one bucket with all of its time. */
  addRollups(rollups: RollupColumns): void {
    const { startsMs } = rollups;
    for (let i = 0; i < startsMs.length; i++) {
      if (startsMs[i]! >= this.#endMs) this.#open(startsMs[i]!);
      this.#addRollup(rollups, i);
    }
  }

  /** Closes the last bucket and gives all of them. */
  finish(): PointColumns {
    this.#close();
    return {
      times: Float64Array.from(this.#times),
      values: this.#allNumbers ? Float64Array.from(this.#values as number[]) : this.#values,
    };
  }

  #open(timeMs: number): void {
    this.#close();
    this.#buckets.seek(timeMs);
    this.#endMs = this.#buckets.endMs;
    if (!(this.#endMs > timeMs)) throw new SelsynError('internal', 'a bucket does not hold its point', { details: { timeMs } });
    this.#times.push(this.#buckets.startMs);
    this.#count = 0;
    this.#sum = 0;
    this.#lost = 0;
    this.#scale = 1;
  }

  #close(): void {
    if (this.#endMs === -Infinity) return;
    this.#endMs = -Infinity;
    if (this.#count === 0) {
      this.#times.pop();
      return;
    }
    if (--this.#allowance.left < 0) {
      throw new SelsynError('query.too-large', `the answer would have more than ${this.#allowance.limit} buckets`, {
        details: { limit: this.#allowance.limit },
      });
    }
    const value = this.#result();
    if (typeof value !== 'number') this.#allNumbers = false;
    this.#values.push(value);
  }

  #result(): PointValue {
    switch (this.#fn) {
      case 'count':
        return this.#count;
      case 'sum':
        return (this.#sum + this.#lost) / this.#scale;
      case 'mean':
        return (this.#sum + this.#lost) / this.#count / this.#scale;
      case 'min':
      case 'max':
        return this.#extreme;
      case 'first':
      case 'last':
        return this.#kept;
    }
  }

  #addRollup(rollups: RollupColumns, i: number): void {
    const isFirst = this.#count === 0;
    switch (this.#fn) {
      case 'count':
        this.#count += rollups.counts[i]!;
        return;
      case 'first':
      case 'last':
        if (this.#fn === 'last' || isFirst) this.#kept = (this.#fn === 'last' ? rollups.lasts : rollups.firsts)[i]!;
        this.#count += rollups.counts[i]!;
        return;
    }
    const numbers = rollups.numbers[i]!;
    if (numbers === 0) return;
    if (this.#fn === 'min') this.#extreme = minimum(rollups.mins, i, i + 1, isFirst ? Infinity : this.#extreme);
    else if (this.#fn === 'max') this.#extreme = maximum(rollups.maxs, i, i + 1, isFirst ? -Infinity : this.#extreme);
    else this.#addSum(rollups.sums, i, i + 1);
    this.#count += numbers;
  }

  #addNumbers(values: Float64Array, start: number, end: number): void {
    switch (this.#fn) {
      case 'count':
        break;
      case 'sum':
      case 'mean':
        this.#addSum(values, start, end);
        break;
      case 'min':
        this.#extreme = minimum(values, start, end, this.#count === 0 ? Infinity : this.#extreme);
        break;
      case 'max':
        this.#extreme = maximum(values, start, end, this.#count === 0 ? -Infinity : this.#extreme);
        break;
      case 'first':
        if (this.#count === 0) this.#kept = values[start]!;
        break;
      case 'last':
        this.#kept = values[end - 1]!;
        break;
    }
    this.#count += end - start;
  }

  #addMixed(values: readonly PointValue[], start: number, end: number): void {
    if (this.#fn === 'count' || this.#fn === 'first' || this.#fn === 'last') {
      if (this.#fn === 'last' || this.#count === 0) this.#kept = values[this.#fn === 'last' ? end - 1 : start]!;
      this.#count += end - start;
      return;
    }
    const numbers = new Float64Array(end - start);
    let count = 0;
    for (let i = start; i < end; i++) {
      const value = values[i]!;
      if (typeof value !== 'string') numbers[count++] = Number(value);
    }
    if (count > 0) this.#addNumbers(numbers, 0, count);
  }

  #addSum(values: Float64Array, start: number, end: number): void {
    const scale = this.#scale;
    let sum = this.#sum;
    let lost = this.#lost;
    for (let i = start; i < end; i++) {
      const value = values[i]! * scale;
      const next = sum + value;
      const taken = next - sum;
      lost += sum - (next - taken) + (value - taken);
      sum = next;
    }
    if (Number.isFinite(sum) && Number.isFinite(lost)) {
      this.#sum = sum;
      this.#lost = lost;
    } else if (scale === 1) {
      this.#sum *= SCALE;
      this.#lost *= SCALE;
      this.#scale = SCALE;
      this.#addSum(values, start, end);
    } else {
      // The sum of a rollup is infinite itself.
      this.#sum = sum;
      this.#lost = 0;
    }
  }
}

function minimum(values: Float64Array, start: number, end: number, from: number): number {
  let least = from;
  for (let i = start; i < end; i++) if (values[i]! < least) least = values[i]!;
  return least;
}

function maximum(values: Float64Array, start: number, end: number, from: number): number {
  let most = from;
  for (let i = start; i < end; i++) if (values[i]! > most) most = values[i]!;
  return most;
}
