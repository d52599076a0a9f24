import type { Clock } from '../kernel/clock.ts';
import { inTransaction } from '../kernel/sqlite-transaction.ts';
import type { Catalog } from './catalog.ts';
import type { DayFiles } from './day-files.ts';
import { type ErasingSlice, RollupEraser } from './rollups/rollup-eraser.ts';
import type { RollupFiles } from './rollups/rollup-files.ts';

const SERIES_AT_ONCE = 2048;
/** Ends a step, after the slice that is under way. */
export const STEP_MS = 5;

/**
 * Deletes the chunks and the rollups of series that were forgotten, one day file, or one period of a file of rollups, a
 * slice, and as many slices as there is time for a step; goes on after a restart. The rollups last: no mark is left then that they
 * could be computed for again.
 */
export class Eraser {
  readonly #catalog: Catalog;
  readonly #files: DayFiles;
  readonly #rollups: RollupEraser;
  readonly #clock: Clock;
  readonly #waiting = new Set<number>();
  #series: number[] = [];
  #days: number[] = [];

  constructor(catalog: Catalog, files: DayFiles, rollupFiles: RollupFiles, clock: Clock) {
    this.#clock = clock;
    this.#catalog = catalog;
    this.#files = files;
    this.#rollups = new RollupEraser(rollupFiles);
  }

  add(series: Iterable<number>): void {
    for (const id of series) this.#waiting.add(id);
  }

  get busy(): boolean {
    return this.#series.length > 0 || this.#waiting.size > 0;
  }

  /** As many slices as there is time for. */
  step(): void {
    const startMs = this.#clock.monotonicMs();
    while (this.slice() === 'more' && this.#clock.monotonicMs() - startMs < STEP_MS);
  }

  /** Nothing happens while a file of rollups is broken (RollupBuilder). Throws what SQLite throws: the slice is tried again, after those of other days. */
  slice(): ErasingSlice {
    if (this.#series.length === 0) {
      if (this.#waiting.size === 0) return 'done';
      this.#series = [...this.#waiting].slice(0, SERIES_AT_ONCE);
      for (const id of this.#series) this.#waiting.delete(id);
      this.#days = this.#files.days();
    }
    const day = this.#days.at(-1);
    if (day === undefined) {
      // The files are looked for only now: while there were marks the builder may have made some.
      if (!this.#rollups.begun) this.#rollups.begin(this.#series);
      const slice = this.#rollups.slice();
      if (slice !== 'done') return slice;
      this.#catalog.seriesErased(this.#series);
      this.#series = [];
      return 'more';
    }
    if (this.#files.has(day)) {
      try {
        this.#erase(day);
        if (!this.#files.makeDurable(day)) {
          this.#later();
          return 'wait';
        }
      } catch (error) {
        this.#later();
        this.#files.failed(day, error);
        throw error;
      }
    }
    this.#days.pop();
    return 'more';
  }

  /** The day is done after the others. */
  #later(): void {
    this.#days.unshift(...this.#days.splice(-1));
  }

  #erase(day: number): void {
    const file = this.#files.use(day);
    let deleted = 0;
    inTransaction(file.db, () => {
      for (const series of this.#series) {
        deleted += Number(file.statement('DELETE FROM chunk WHERE series = ?').run(series).changes);
        deleted += Number(file.statement('DELETE FROM mark WHERE series = ?').run(series).changes);
      }
      if (deleted > 0) file.nextVersion();
    });
    if (deleted > 0) this.#files.setDirty(day);
  }
}
