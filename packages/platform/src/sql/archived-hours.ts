import type { ArchivedHour } from '../archive/archive-index.ts';
import type { DayState } from '../archive/day-state.ts';
import { HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { TimeSpan } from './time-spans.ts';

export interface HourSources {
  /** Hours since 1970 of which the archive has every point. */
  readonly archived: readonly number[];
  /** Of which it has points, and day files or the memory may have newer ones. */
  readonly both: readonly number[];
}

/**
 * Who has the points of each hour that was archived.
 *
 * @param days of the day files as they were when they were opened, before the archive was asked; undefined: not known
 * @param hotHours hours since 1970 that have points in memory
 */
export function hourSources(
  hours: readonly ArchivedHour[],
  days: ReadonlyMap<number, DayState | undefined>,
  hotHours: ReadonlySet<number>,
): HourSources {
  const archived: number[] = [];
  const both: number[] = [];
  for (const { day, hour, generation, version } of hours) {
    const number = day * 24 + hour;
    (!hotHours.has(number) && isWhole(days, day, hour, generation, version) ? archived : both).push(number);
  }
  return { archived, both };
}

function isWhole(
  days: ReadonlyMap<number, DayState | undefined>,
  day: number,
  hour: number,
  generation: number,
  version: number,
): boolean {
  if (!days.has(day)) return true;
  const state = days.get(day);
  if (state === undefined) return false;
  const stored = state.hours.get(hour);
  if (stored === undefined) return true;
  return state.generation === generation && stored <= version;
}

/** Ascending. */
export function spansOfHours(hours: readonly number[]): TimeSpan[] {
  return [...hours].sort((a, b) => a - b).map((hour) => ({ fromMs: hour * HOUR_MS, toMs: (hour + 1) * HOUR_MS }));
}
