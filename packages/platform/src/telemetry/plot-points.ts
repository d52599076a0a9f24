import type { Columns } from './query-columns.ts';
import type { PointValue } from './telemetry-queries.ts';

/** How points are thinned for a plot: `m4` loses no peak, `lttb` keeps the shape with a quarter of the points. */
export type PlotMethod = 'm4' | 'lttb';

/** A pixel column shows at most so many points: the first, the least, the greatest and the last. */
export const POINTS_OF_PIXEL = 4;

/**
 * Keeps of each of `width` equal parts of [fromMs, toMs) the first, least, greatest and last point (M4: U. Jugel et al., "M4: A
 * Visualization-Oriented Time Series Data Aggregation", VLDB 2014): the line through them covers the same pixels as that through all.
 *
 * Takes points in ascending runs. Booleans count as 0 and 1; of text only the first and the last of a part are kept.
 */
export class PixelColumns {
  readonly #fromMs: number;
  readonly #pixelMs: number;
  readonly #times: number[] = [];
  readonly #values: PointValue[] = [];
  #allNumbers = true;
  #pixel = -1;
  #held = 0;
  // Of the current part; -1 where there is none yet.
  readonly #atMs = new Float64Array(POINTS_OF_PIXEL);
  readonly #kept: PointValue[] = [0, 0, 0, 0];
  #hasExtremes = false;

  constructor(fromMs: number, toMs: number, width: number) {
    this.#fromMs = fromMs;
    this.#pixelMs = Math.max(1, (toMs - fromMs) / width);
  }

  /** A point later than all before. */
  add(timeMs: number, value: PointValue): void {
    const pixel = Math.floor((timeMs - this.#fromMs) / this.#pixelMs);
    if (pixel !== this.#pixel) {
      this.#close();
      this.#pixel = pixel;
      this.#keep(FIRST, timeMs, value);
      this.#hasExtremes = false;
    }
    this.#held++;
    this.#keep(LAST, timeMs, value);
    if (typeof value === 'string') return;
    const number = Number(value);
    if (!this.#hasExtremes || number < Number(this.#kept[LEAST])) this.#keep(LEAST, timeMs, value);
    if (!this.#hasExtremes || number > Number(this.#kept[GREATEST])) this.#keep(GREATEST, timeMs, value);
    this.#hasExtremes = true;
  }

  finish(): Columns {
    this.#close();
    return {
      times: Float64Array.from(this.#times),
      values: this.#allNumbers ? Float64Array.from(this.#values as number[]) : this.#values,
    };
  }

  #keep(slot: number, timeMs: number, value: PointValue): void {
    this.#atMs[slot] = timeMs;
    this.#kept[slot] = value;
  }

  #close(): void {
    if (this.#held === 0) return;
    this.#held = 0;
    const extremes = !this.#hasExtremes
      ? []
      : this.#atMs[LEAST]! <= this.#atMs[GREATEST]!
        ? [LEAST, GREATEST]
        : [GREATEST, LEAST];
    let lastMs = -Infinity;
    for (const slot of [FIRST, ...extremes, LAST]) {
      const timeMs = this.#atMs[slot]!;
      if (timeMs <= lastMs) continue;
      lastMs = timeMs;
      const value = this.#kept[slot]!;
      if (typeof value !== 'number') this.#allNumbers = false;
      this.#times.push(timeMs);
      this.#values.push(value);
    }
  }
}

const FIRST = 0;
const LEAST = 1;
const GREATEST = 2;
const LAST = 3;

/**
 * Keeps `count` points whose line looks most like that of all (S. Steinarsson, "Downsampling Time Series for Visual Representation",
 * University of Iceland 2013): of each part the point that spans the largest triangle with the one kept before and the mean of the next
 * part. Points that are no numbers are left out, but for a series that has none: that one stays as it is.
 */
export function largestTriangles(points: Columns, count: number): Columns {
  const numbers = numbersOf(points);
  const { times, values } = numbers;
  const total = times.length;
  if (total === 0) return points;
  if (total <= count || count < 3) return numbers;
  const keptTimes = new Float64Array(count);
  const keptValues = new Float64Array(count);
  keptTimes[0] = times[0]!;
  keptValues[0] = values[0]!;
  const every = (total - 2) / (count - 2);
  let before = 0;
  for (let part = 0; part < count - 2; part++) {
    const start = Math.floor(part * every) + 1;
    const end = Math.floor((part + 1) * every) + 1;
    const nextEnd = Math.min(Math.floor((part + 2) * every) + 1, total);
    let meanTime = 0;
    let meanValue = 0;
    for (let i = end; i < nextEnd; i++) {
      meanTime += times[i]!;
      meanValue += values[i]!;
    }
    const next = Math.max(1, nextEnd - end);
    meanTime /= next;
    meanValue /= next;
    let largest = -1;
    let chosen = start;
    for (let i = start; i < end; i++) {
      const area = Math.abs(
        (times[before]! - meanTime) * (values[i]! - values[before]!) -
          (times[before]! - times[i]!) * (meanValue - values[before]!),
      );
      if (area > largest) {
        largest = area;
        chosen = i;
      }
    }
    keptTimes[part + 1] = times[chosen]!;
    keptValues[part + 1] = values[chosen]!;
    before = chosen;
  }
  keptTimes[count - 1] = times[total - 1]!;
  keptValues[count - 1] = values[total - 1]!;
  return { times: keptTimes, values: keptValues };
}

interface NumberColumns {
  readonly times: Float64Array;
  readonly values: Float64Array;
}

function numbersOf({ times, values }: Columns): NumberColumns {
  if (values instanceof Float64Array) return { times, values };
  const kept = [...times.keys()].filter((index) => typeof values[index] !== 'string');
  return {
    times: Float64Array.from(kept, (index) => times[index]!),
    values: Float64Array.from(kept, (index) => Number(values[index])),
  };
}
