import type { Clock } from '../../kernel/clock.ts';
import { isSelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { inTransaction } from '../../kernel/sqlite-transaction.ts';
import type { Catalog } from '../catalog.ts';
import { ALL_HOURS, DAY_STALE } from '../day-file-schema.ts';
import type { DayFile, DayFiles } from '../day-files.ts';
import { LeftOutChunks } from './left-out-chunks.ts';
import { rollUpSeries, type SeriesRollups, type StaleSeries } from './roll-up-series.ts';
import { rollupFileName } from './rollup-file.ts';
import { RollupFailure, type RollupFiles } from './rollup-files.ts';
import { type LostRollups, RollupRepair } from './rollup-repair.ts';
import { RollupSchedule, type DueDay } from './rollup-schedule.ts';
import { writeRollups } from './rollup-writes.ts';
import type { UnrolledDays } from './unrolled-days.ts';

const SLICE_MS = 5;
/** Ids of series that one slice looks through for stale marks. */
const SERIES_WINDOW = 16_384;
/** Series that share a commit to the files of rollups. */
const BATCH = 1024;

const STALE = `SELECT series, progress, hours, generation FROM mark
  WHERE series > ? AND series <= ? AND hours & ? <> 0 ORDER BY series`;
const LAST_SERIES = 'SELECT max(series) AS last FROM mark';
const NEWEST_PROGRESS = "SELECT seq FROM sqlite_sequence WHERE name = 'progress'";
const MARK = 'SELECT progress FROM mark WHERE series = ?';
const CLEAR = 'UPDATE mark SET hours = hours & ~? WHERE series = ?';

export interface RollupBuilderParts {
  readonly files: DayFiles;
  readonly rollupFiles: RollupFiles;
  readonly catalog: Catalog;
  readonly unrolled: UnrolledDays;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/** One go over the stale marks of a day. */
interface Pass {
  readonly day: number;
  readonly due: DueDay;
  /** Commits of the day up to this one were durable when the pass began. */
  readonly durable: number;
  readonly lastSeries: number;
  /** Up to this one all series were looked at. */
  series: number;
  /** Found and not computed yet, ascending. */
  readonly found: StaleSeries[];
  /** Computed and not written yet. */
  pending: SeriesRollups[];
  /** The day is over, and every mark that was found stale is clear now. */
  complete: boolean;
}

/**
 * Keeps the rollups up, a bounded slice at a time. Each row is computed from the chunks alone, so doing it twice changes
 * nothing; and a mark is cleared only after:
 *
 *   makeDurable   the chunks are durable: a power loss takes none of what is in a rollup out of the day file
 *   compute       each series whose mark is of a commit before that
 *   write         the rows, durably, of series whose mark has not changed meanwhile; then their marks are cleared
 *   finish        nothing is stale and nothing was written meanwhile: the cleared marks are made durable, and the catalog
 *                 does not list the day as unrolled any more
 *
 * A series that has a chunk which cannot be decoded stays stale while its day is not over. Then the chunk is left out, and told of: one
 * chunk must not keep the points of a day, of all devices, from ever being let go. Nothing else is a reason to leave anything out.
 */
export class RollupBuilder {
  readonly #parts: RollupBuilderParts;
  readonly #schedule: RollupSchedule;
  readonly #repair: RollupRepair;
  #pass: Pass | undefined;
  readonly leftOut: LeftOutChunks;
  #removed: LostRollups[] = [];
  /** Series and days that were rolled up, and hours of them. */
  rows = 0;
  hours = 0;
  passes = 0;
  /** Attempts at series that have a chunk which cannot be decoded. */
  unreadable = 0;

  constructor(parts: RollupBuilderParts) {
    this.#parts = parts;
    this.#schedule = new RollupSchedule(parts.clock);
    this.#repair = new RollupRepair(parts, (day) => this.changed(day));
    const { logLines, catalog } = parts;
    this.leftOut = new LeftOutChunks({ logLines, seriesOf: (id) => catalog.series(id) });
  }

  /** Looks at what the catalog says is left to do, and for files that are not there though they were made. */
  open(): void {
    const { files, rollupFiles, unrolled } = this.#parts;
    for (const day of unrolled.all) this.#schedule.changed(day);
    // Points go before what is rolled up of them does.
    const removed = new Map<string, LostRollups>();
    for (const level of ['1h', '1d'] as const) {
      const days = files.days().filter((day) => !unrolled.has(day) && !rollupFiles.has(level, day));
      for (const day of days) removed.set(`${level} ${rollupFileName(level, day)}`, { level, day, isRemoved: true });
    }
    this.#removed = [...removed.values()];
  }

  /** Chunks were written to a day. */
  changed(day: number): void {
    this.#schedule.changed(day);
  }

  /** The day's file is about to be dropped or replaced: what was computed of it is forgotten. */
  abandon(day: number): void {
    if (this.#pass?.day === day) this.#pass = undefined;
  }

  /** A pass over a day is under way. */
  get busy(): boolean {
    return this.#pass !== undefined;
  }

  /** Series that were found stale and are not written yet. */
  get waiting(): number {
    return (this.#pass?.found.length ?? 0) + (this.#pass?.pending.length ?? 0);
  }

  /** How long ago, ms, the oldest hour was over for which a pass is due; 0 where none is. */
  get lagMs(): number {
    return this.#schedule.lagMs;
  }

  /**
   * Does a slice, if there is anything to do. @returns true when more is left of what is under way.
   * Throws what SQLite throws: nothing that it touched counts as done, and it is tried again later; other days have their turns before.
   */
  step(): boolean {
    const { rollupFiles } = this.#parts;
    const lost = rollupFiles.broken ?? this.#removed[0];
    if (lost !== undefined && this.#repair.isDue) {
      const repaired = this.#repair.step(lost);
      this.#removed = this.#removed.filter((file) => file !== repaired);
      return true;
    }
    try {
      const pass = this.#pass;
      if (pass === undefined) this.#pass = this.#begin();
      else if (pass.pending.length >= BATCH) this.#write(pass);
      else if (pass.found.length > 0) this.#compute(pass);
      else if (pass.series < pass.lastSeries) this.#look(pass);
      else if (pass.pending.length > 0) this.#write(pass);
      else this.#finish(pass);
      return this.#pass !== undefined;
    } catch (error) {
      if (this.#pass !== undefined) this.#schedule.failed(this.#pass.day);
      this.#pass = undefined;
      throw error;
    }
  }

  #begin(): Pass | undefined {
    const { files } = this.#parts;
    const due = this.#schedule.next();
    if (due === undefined) return undefined;
    const { day } = due;
    if (!files.has(day)) {
      this.#rolledUp(day);
      return undefined;
    }
    try {
      if (!files.makeDurable(day)) {
        this.#schedule.postponed(day);
        return undefined;
      }
      const file = files.use(day);
      this.#schedule.begun(day);
      return {
        day,
        due,
        durable: Number(file.statement(NEWEST_PROGRESS).get()?.['seq'] ?? 0),
        lastSeries: Number(file.statement(LAST_SERIES).get()?.['last'] ?? 0),
        series: 0,
        found: [],
        pending: [],
        // Marks with other stale hours are not even looked at.
        complete: due.hours === (ALL_HOURS | DAY_STALE),
      };
    } catch (error) {
      this.#schedule.failed(day);
      files.failed(day, error);
      throw error;
    }
  }

  /** Looks for stale marks, a window of series after the other, until there are some or the slice is over. */
  #look(pass: Pass): void {
    const startMs = this.#parts.clock.monotonicMs();
    do this.#lookAt(pass);
    while (pass.found.length === 0 && pass.series < pass.lastSeries && this.#parts.clock.monotonicMs() - startMs < SLICE_MS);
    pass.found.reverse();
  }

  #lookAt(pass: Pass): void {
    const after = pass.series;
    pass.series += SERIES_WINDOW;
    this.#read(pass, (file) => {
      for (const row of file.statement(STALE).all(after, pass.series, pass.due.hours)) {
        const progress = Number(row['progress']);
        if (progress > pass.durable) {
          pass.complete = false;
          continue;
        }
        const hours = Number(row['hours']);
        pass.found.push({
          series: Number(row['series']),
          progress,
          generation: Number(row['generation']),
          hours: hours & pass.due.hours,
          rolled: ALL_HOURS & ~hours,
        });
      }
    });
  }

  /** Computes series until the slice is over. */
  #compute(pass: Pass): void {
    const { clock } = this.#parts;
    const startMs = clock.monotonicMs();
    this.#read(pass, (file) => {
      while (pass.found.length > 0 && pass.pending.length < BATCH) {
        const stale = pass.found.pop()!;
        const rolled = this.#rollUp(file, pass, stale);
        if (rolled === undefined) pass.complete = false;
        else pass.pending.push(rolled);
        if (clock.monotonicMs() - startMs > SLICE_MS) break;
      }
    });
  }

  /**
   * Undefined where a chunk of the series cannot be decoded and the day is not over: its hours stay stale, and the others are not kept
   * from theirs.
   */
  #rollUp(file: DayFile, { due }: Pass, stale: StaleSeries): SeriesRollups | undefined {
    const { rollupFiles, logLines } = this.#parts;
    try {
      const rolled = rollUpSeries({ file, rollupFiles, stale, leaveOut: (due.hours & DAY_STALE) !== 0 });
      if (rolled.leftOut > 0) this.unreadable++;
      return rolled;
    } catch (error) {
      if (!isSelsynError(error, 'data.corrupt')) throw error;
      this.unreadable++;
      logLines.debug({ day: file.day, series: stale.series, err: error }, 'A series cannot be rolled up');
      return undefined;
    }
  }

  #write(pass: Pass): void {
    const { files } = this.#parts;
    this.#read(pass, (file) => {
      const rows = pass.pending.filter(({ stale }) => file.statement(MARK).get(stale.series)?.['progress'] === stale.progress);
      if (rows.length < pass.pending.length) pass.complete = false;
      pass.pending = [];
      if (rows.length === 0) return;
      writeRollups(this.#parts.rollupFiles, pass.day, rows);
      // No mark is cleared before it is told.
      for (const { stale, leftOut } of rows) if (leftOut > 0) this.leftOut.add(pass.day, stale.series, leftOut);
      inTransaction(file.db, () => {
        for (const { stale } of rows) file.statement(CLEAR).run(stale.hours, stale.series);
        file.nextVersion();
      });
      files.setDirty(pass.day);
      this.rows += rows.length;
      for (const { hours } of rows) this.hours += hours.startsMs.length;
    });
  }

  #finish(pass: Pass): void {
    const { files } = this.#parts;
    const { day } = pass;
    const done = pass.complete && !this.#schedule.changedSinceBegun(day);
    // An upgrade of the file may be all that was done.
    if (done) files.setDirty(day);
    if (done && !files.makeDurable(day)) return;
    if (done) files.cutLog(day);
    this.#pass = undefined;
    this.passes++;
    if (done) this.#rolledUp(day);
    else this.#schedule.ended(day, pass.due);
  }

  #rolledUp(day: number): void {
    const { catalog, unrolled } = this.#parts;
    catalog.dayRolledUp(day);
    unrolled.delete(day);
    this.#schedule.delete(day);
  }

  #read(pass: Pass, work: (file: DayFile) => void): void {
    const { files } = this.#parts;
    try {
      // Dropped, or set aside, since the pass began.
      if (files.has(pass.day)) work(files.use(pass.day));
      else this.#pass = undefined;
    } catch (error) {
      if (!(error instanceof RollupFailure)) files.failed(pass.day, error);
      throw error;
    }
  }
}
