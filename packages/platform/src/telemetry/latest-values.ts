import { dayOf } from './day-file-schema.ts';
import type { BufferId, Memtable } from './memtable.ts';
import type { BufferPoints } from './buffer-points.ts';
import type { PointValue } from './telemetry-queries.ts';

export interface Newest {
  readonly timeMs: number;
  readonly value: PointValue;
}

/**
 * The newest point of each series, as far as this process has seen it: the hot path pays nothing, since points in
 * memory are looked up when asked for, and noted here when they leave.
 */
export class LatestValues {
  readonly #memtable: Memtable;
  readonly #points: BufferPoints;
  #times = new Float64Array(1024).fill(-1);
  #values = new Float64Array(1024);
  /** Values that are no numbers. */
  readonly #others = new Map<number, PointValue>();
  #lastDays = new Int32Array(1024).fill(-1);
  /** 1: day files may hold a newer point than is known here. */
  #unsure = new Uint8Array(1024);

  constructor(memtable: Memtable, points: BufferPoints) {
    this.#memtable = memtable;
    this.#points = points;
  }

  register(series: number): void {
    if (series < this.#times.length) return;
    const length = Math.max(series + 1, Math.ceil(this.#times.length * 1.5));
    const times = new Float64Array(length).fill(-1);
    times.set(this.#times);
    this.#times = times;
    const values = new Float64Array(length);
    values.set(this.#values);
    this.#values = values;
    const lastDays = new Int32Array(length).fill(-1);
    lastDays.set(this.#lastDays);
    this.#lastDays = lastDays;
    const unsure = new Uint8Array(length);
    unsure.set(this.#unsure);
    this.#unsure = unsure;
  }

  /** From the catalog: chunks of this series may exist up to that day. */
  load(series: number, lastDay: number): void {
    this.#lastDays[series] = lastDay;
    this.#unsure[series] = lastDay === -1 ? 0 : 1;
  }

  /** The newest day with a chunk, or -1. */
  lastDay(series: number): number {
    return this.#lastDays[series]!;
  }

  /** The catalog has it now. */
  setLastDay(series: number, day: number): void {
    this.#lastDays[series] = day;
  }

  /** True when a chunk of day `lastDay` may hold a newer point than is known here. */
  isUnsure(series: number): boolean {
    return this.#unsure[series] === 1;
  }

  /** Points up to this one leave the memory for a day file; of equal times the later call counts. */
  note(series: number, timeMs: number, value: PointValue): void {
    if (timeMs < this.#times[series]!) return;
    this.#times[series] = timeMs;
    if (typeof value === 'number') {
      this.#values[series] = value;
      this.#others.delete(series);
    } else this.#others.set(series, value);
  }

  /** No chunk is newer than what is known here. */
  setSure(series: number): void {
    this.#unsure[series] = 0;
  }

  newest(series: number): Newest | undefined {
    let timeMs = this.#times[series]!;
    let value: PointValue = this.#others.get(series) ?? this.#values[series]!;
    for (const buffer of this.#memtable.buffersOf(series)) {
      if (this.#memtable.newestTimeOf(buffer) < timeMs) continue;
      timeMs = this.#memtable.newestTimeOf(buffer);
      value = this.#newestValue(buffer);
    }
    return timeMs === -1 ? undefined : { timeMs, value };
  }

  /** Whether the day file `lastDay` must be read to know the newest point. */
  mayBeInStore(series: number, newest: Newest | undefined): boolean {
    return this.isUnsure(series) && (newest === undefined || this.lastDay(series) >= dayOf(newest.timeMs));
  }

  drop(series: number): void {
    this.#times[series] = -1;
    this.#others.delete(series);
    this.#lastDays[series] = -1;
    this.#unsure[series] = 0;
  }

  #newestValue(buffer: BufferId): PointValue {
    if (this.#memtable.isSorted(buffer)) return this.#memtable.lastValueOf(buffer);
    const { count, values } = this.#points.sorted(this.#memtable, buffer);
    return values[count - 1]!;
  }
}
