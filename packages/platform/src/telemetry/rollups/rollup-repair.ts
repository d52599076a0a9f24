import type { Clock } from '../../kernel/clock.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { inTransaction } from '../../kernel/sqlite-transaction.ts';
import type { Catalog } from '../catalog.ts';
import { ALL_HOURS, DAY_STALE } from '../day-file-schema.ts';
import type { DayFiles } from '../day-files.ts';
import { rollupFileDays, rollupFileName, type RollupLevel } from './rollup-file.ts';
import type { RollupFiles } from './rollup-files.ts';
import type { UnrolledDays } from './unrolled-days.ts';

/** Ids of series whose marks one slice sets. */
const SERIES_WINDOW = 16_384;
/** After a failure it waits so long, and twice as long each time after that. */
const FAILED_MS = 2_000;
const MAX_FAILED_MS = 600_000;

const SET = 'UPDATE mark SET hours = hours | ? WHERE series > ? AND series <= ?';
const LAST_SERIES = 'SELECT max(series) AS last FROM mark';

export interface RollupRepairParts {
  readonly files: DayFiles;
  readonly rollupFiles: RollupFiles;
  readonly catalog: Catalog;
  readonly unrolled: UnrolledDays;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logLines: LogLines;
}

/** A file of rollups that cannot be read, or that somebody has removed; the day is one that it is for. */
export interface LostRollups {
  readonly level: RollupLevel;
  readonly day: number;
  readonly isRemoved?: boolean;
}

interface Repair {
  readonly file: LostRollups;
  /** Whose marks are still to be set. */
  readonly days: number[];
  /** Of the last of them, up to this one. */
  series: number;
}

/**
 * What a broken file of rollups had is computed again, as far as there are points: first the marks of its days are set
 * stale, durably, a slice at a time, then the file is set aside. Until then readers fail, instead of missing what it had;
 * after a stop in between the next use finds it broken again.
 * The same is done for one that somebody has removed, but for setting it aside.
 */
export class RollupRepair {
  readonly #parts: RollupRepairParts;
  readonly #changed: (day: number) => void;
  #repair: Repair | undefined;
  #failures = 0;
  #waitsUntilMs = -Infinity;

  constructor(parts: RollupRepairParts, changed: (day: number) => void) {
    this.#parts = parts;
    this.#changed = changed;
  }

  /** False for some time after a failure: days that do not need the file have their turns meanwhile. */
  get isDue(): boolean {
    return this.#parts.clock.monotonicMs() >= this.#waitsUntilMs;
  }

  /**
   * A slice: of the repair that is under way, else of this one. Throws what SQLite throws: the slice is tried again, those of other days
   * before it.
   *
   * @returns what is repaired now; undefined: there is more to do
   */
  step(file: LostRollups): LostRollups | undefined {
    const repair = (this.#repair ??= this.#begin(file));
    try {
      const repaired = this.#step(repair);
      this.#failures = 0;
      return repaired;
    } catch (error) {
      const waitMs = Math.min(MAX_FAILED_MS, FAILED_MS * 2 ** Math.min(10, this.#failures++));
      this.#waitsUntilMs = this.#parts.clock.monotonicMs() + waitMs;
      // To set a mark again changes nothing.
      repair.days.unshift(...repair.days.splice(-1));
      repair.series = 0;
      throw error;
    }
  }

  #step(repair: Repair): LostRollups | undefined {
    const day = repair.days.at(-1);
    if (day === undefined) {
      if (!repair.file.isRemoved) this.#parts.rollupFiles.setAside(repair.file.level, repair.file.day);
      this.#repair = undefined;
      return repair.file;
    }
    if (this.#setStale(repair, day)) {
      repair.days.pop();
      repair.series = 0;
      this.#changed(day);
    }
    return undefined;
  }

  #begin(lost: LostRollups): Repair {
    const { level, day, isRemoved } = lost;
    const { first, end } = rollupFileDays(level, day);
    const days = this.#parts.files.days().filter((each) => each >= first && each < end);
    this.#parts.logLines.error(
      { level, file: rollupFileName(level, day), days: days.length },
      `A file of rollups is ${isRemoved === true ? 'not there any more' : 'broken'}: what it had is computed again from the points that are there`,
    );
    return { file: lost, days, series: 0 };
  }

  /** @returns true when all marks of the day are set, durably */
  #setStale(repair: Repair, day: number): boolean {
    const { files, catalog, unrolled } = this.#parts;
    if (!files.has(day)) return true;
    if (!unrolled.has(day)) {
      catalog.save({ unrolledDay: day });
      unrolled.add(day);
    }
    try {
      const file = files.use(day);
      const last = Number(file.statement(LAST_SERIES).get()?.['last'] ?? 0);
      if (repair.series >= last) return files.makeDurable(day);
      const bits = repair.file.level === '1h' ? ALL_HOURS | DAY_STALE : DAY_STALE;
      inTransaction(file.db, () => {
        file.statement(SET).run(bits, repair.series, repair.series + SERIES_WINDOW);
        file.nextVersion();
      });
      files.setDirty(day);
      repair.series += SERIES_WINDOW;
      return false;
    } catch (error) {
      files.failed(day, error);
      throw error;
    }
  }
}
