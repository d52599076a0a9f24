import { checkpoint } from '../../kernel/sqlite-transaction.ts';
import { periodOf, rollupFileName, type RollupLevel } from './rollup-file.ts';
import type { RollupFiles } from './rollup-files.ts';

const DELETE = 'DELETE FROM rollup WHERE period = ? AND series = ?';

/** A day or a month, in the file that has it. */
interface Period {
  readonly level: RollupLevel;
  readonly period: number;
}

/** How a slice ended: `more` are left, which `wait` for somebody else, or it is `done`. */
export type ErasingSlice = 'more' | 'wait' | 'done';

/** Deletes the rollups of series, one period a slice. */
export class RollupEraser {
  readonly #files: RollupFiles;
  #series: readonly number[] = [];
  #periods: Period[] | undefined;

  constructor(files: RollupFiles) {
    this.#files = files;
  }

  get begun(): boolean {
    return this.#periods !== undefined;
  }

  begin(series: readonly number[]): void {
    this.#series = series;
    this.#periods = this.#files.all.flatMap(({ level, firstDay, endDay }) => {
      const periods = new Set<number>();
      for (let day = firstDay; day < endDay; day++) periods.add(periodOf(level, day));
      return [...periods].map((period) => ({ level, period }));
    });
  }

  /** `done`: nothing is left of them, durably. Waits while a file is broken. @throws RollupFailure: the slice is tried again, after the others */
  slice(): ErasingSlice {
    const next = this.#periods?.at(-1);
    if (this.#periods === undefined || next === undefined) {
      this.#periods = undefined;
      return 'done';
    }
    if (this.#files.broken !== undefined) return 'wait';
    try {
      if (!this.#erase(this.#periods, next)) return 'wait';
      this.#periods.pop();
      return 'more';
    } catch (error) {
      const isOfNext = (each: Period): boolean => fileOf(each) === fileOf(next);
      this.#periods = [...this.#periods.filter(isOfNext), ...this.#periods.filter((each) => !isOfNext(each))];
      throw error;
    }
  }

  /** @returns false where a reader was in the way: it is tried again */
  #erase(periods: readonly Period[], next: Period): boolean {
    const { level, period } = next;
    if (!this.#files.has(level, period)) return true;
    this.#files.commit(level, period, (file) => {
      for (const series of this.#series) file.statement(DELETE).run(period, series);
    });
    // What was deleted is in pages of the file until then.
    const after = periods.at(-2);
    const isLast = after === undefined || fileOf(after) !== fileOf(next);
    return !isLast || this.#files.read(level, period, ({ db }) => checkpoint(db));
  }
}

function fileOf({ level, period }: Period): string {
  return `${level} ${rollupFileName(level, period)}`;
}
