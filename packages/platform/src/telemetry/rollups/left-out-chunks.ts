import type { LogLines } from '../../kernel/log-lines.ts';
import type { SeriesRow } from '../catalog.ts';
import { DAY_MS } from '../day-file-schema.ts';

/** A disk that fails may break the chunks of every series: what more there is of a day is in the metric alone. */
const SERIES_A_DAY = 50;
/** The days that were told of last. */
const MAX_DAYS = 64;

/** Tells of chunks that no rollup has, for they cannot be decoded: of each series and day once. */
export class LeftOutChunks {
  readonly #logLines: LogLines;
  readonly #seriesOf: (id: number) => SeriesRow | undefined;
  /** By day: the series that were told of. */
  readonly #told = new Map<number, Set<number>>();
  /** Of all series and days; again each time that they are rolled up. */
  count = 0;

  /** @param parts.seriesOf undefined for one whose device was removed */
  constructor(parts: { readonly logLines: LogLines; readonly seriesOf: (id: number) => SeriesRow | undefined }) {
    this.#logLines = parts.logLines;
    this.#seriesOf = parts.seriesOf;
  }

  add(day: number, series: number, chunks: number): void {
    this.count += chunks;
    const told = this.#toldOf(day);
    if (told.has(series) || told.size > SERIES_A_DAY) return;
    const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
    if (told.size === SERIES_A_DAY) {
      this.#logLines.error({ day: date }, 'More series of this day have chunks that cannot be decoded: see the metrics');
    } else {
      this.#logLines.error(
        { day: date, series, ...this.#nameOf(series), chunks },
        'Chunks that cannot be decoded are not in the rollups, and do not keep the points of their day from being let go',
      );
    }
    told.add(series);
  }

  /** The line is worth more than the names in it: a catalog that cannot be read keeps nobody from it. */
  #nameOf(series: number): { readonly device?: string; readonly metric?: string; readonly err?: unknown } {
    try {
      const found = this.#seriesOf(series);
      return found === undefined ? {} : { device: found.device, metric: found.metric };
    } catch (error) {
      return { err: error };
    }
  }

  #toldOf(day: number): Set<number> {
    let told = this.#told.get(day);
    if (told === undefined) {
      this.#told.set(day, (told = new Set()));
      const [oldest] = this.#told.keys();
      if (oldest !== undefined && this.#told.size > MAX_DAYS) this.#told.delete(oldest);
    }
    return told;
  }
}
