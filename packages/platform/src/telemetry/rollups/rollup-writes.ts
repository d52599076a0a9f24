import { isSelsynError } from '../../kernel/errors.ts';
import { DAY_MS } from '../day-file-schema.ts';
import type { SeriesRollups } from './roll-up-series.ts';
import { decodeDays, encodeDays, encodeHours, NO_DAYS, replaceDay, type DayRollups } from './rollup-codec.ts';
import { periodOf } from './rollup-file.ts';
import type { RollupFile, RollupFiles } from './rollup-files.ts';

const PUT = 'INSERT OR REPLACE INTO rollup VALUES (?, ?, ?, ?)';
const REMOVE = 'DELETE FROM rollup WHERE period = ? AND series = ? AND generation = ?';
const MONTH = 'SELECT data FROM rollup WHERE period = ? AND series = ? AND generation = 0';

/** Writes what the rollups of series are now on a day, durably. @throws RollupFailure: some of it may be written, and is to be written again */
export function writeRollups(files: RollupFiles, day: number, rows: readonly SeriesRollups[]): void {
  files.commit('1h', day, (file) => {
    for (const { stale, hours } of rows) {
      if (hours.startsMs.length === 0) file.statement(REMOVE).run(day, stale.series, stale.generation);
      else file.statement(PUT).run(day, stale.series, stale.generation, encodeHours(hours, day * DAY_MS));
    }
  });
  const due = rows.filter((row) => row.day !== undefined);
  if (due.length === 0) return;
  files.commit('1d', day, (file) => {
    for (const row of due) writeDay(file, day, row);
  });
}

function writeDay(file: RollupFile, day: number, { stale: { series, generation }, day: rollups }: SeriesRollups): void {
  const month = periodOf('1d', day);
  const stored = file.statement(MONTH).get(month, series);
  const before = stored === undefined ? NO_DAYS : readable(stored['data'] as Uint8Array, month * DAY_MS);
  const days = replaceDay(before, rollups!, day * DAY_MS, generation);
  if (days.generations.length === 0) file.statement(REMOVE).run(month, series, 0);
  else file.statement(PUT).run(month, series, 0, encodeDays(days, month * DAY_MS));
}

/** Days that nobody can read any more are given up: this one is written. */
function readable(data: Uint8Array, monthMs: number): DayRollups {
  try {
    return decodeDays(data, monthMs);
  } catch (error) {
    if (isSelsynError(error, 'data.corrupt')) return NO_DAYS;
    throw error;
  }
}
