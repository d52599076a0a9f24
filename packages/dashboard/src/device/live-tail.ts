import type { LatestValue, Point } from '../api/telemetry.ts';

const KEPT_A_METRIC = 2400;
const NONE: readonly Point[] = [];

/**
 * What the live feed brought for one device since its page was opened.
 * Bound: 2,400 points a metric, four minutes at the feed's ten a second; charts fetch more often than that.
 */
export class LiveTail {
  readonly #points = new Map<string, Point[]>();
  readonly #listeners = new Set<() => void>();
  #version = 0;

  readonly version = (): number => this.#version;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  points(metric: string): readonly Point[] {
    return this.#points.get(metric) ?? NONE;
  }

  add(values: readonly LatestValue[]): void {
    for (const { metric, timeMs, value } of values) {
      const points = this.#points.get(metric);
      if (points === undefined) this.#points.set(metric, [[timeMs, value]]);
      else {
        points.push([timeMs, value]);
        if (points.length > KEPT_A_METRIC * 1.1) points.splice(0, points.length - KEPT_A_METRIC);
      }
    }
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}
