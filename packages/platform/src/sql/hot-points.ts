import { SelsynError } from '../kernel/errors.ts';
import { HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { HotScanPage, ScannedSeries } from '../telemetry/hot-calls.ts';
import { NO_POINTS, type Columns } from '../telemetry/query-columns.ts';

/** What a point takes here: two numbers, and a share of its series. */
const POINT_BYTES = 24;

/** The points that were in memory when they were asked for, before any file was opened. */
export class HotPoints {
  readonly #maxPoints: number;
  readonly #series = new Map<number, ScannedSeries>();
  /** Hours since 1970 (UTC) that have any. */
  readonly hours = new Set<number>();
  /** Days of which the rollups may not say everything. */
  readonly unrolledDays = new Set<number>();
  points = 0;

  constructor(maxBytes: number) {
    this.#maxPoints = Math.floor(maxBytes / POINT_BYTES);
  }

  /** @throws SelsynError `sql.over-limit` */
  add(page: HotScanPage): void {
    for (const day of page.unrolledDays) this.unrolledDays.add(day);
    for (const series of page.series) {
      this.points += series.times.length;
      this.#series.set(series.id, series);
      this.#addHours(series.times);
    }
    if (this.points > this.#maxPoints) {
      throw new SelsynError('sql.over-limit', 'the query needs more points that are in memory only than it may keep', {
        details: { limit: 'memory' },
      });
    }
  }

  of(series: number): Columns {
    return this.#series.get(series) ?? NO_POINTS;
  }

  all(): Iterable<ScannedSeries> {
    return this.#series.values();
  }

  #addHours(times: Float64Array): void {
    let hour = NaN;
    for (const time of times) {
      const next = Math.floor(time / HOUR_MS);
      if (next !== hour) this.hours.add((hour = next));
    }
  }
}
