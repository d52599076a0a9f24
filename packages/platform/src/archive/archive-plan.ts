import { DAY_MS, HOUR_MS } from '../telemetry/day-file-schema.ts';
import type { DayState } from './day-state.ts';
import type { CurrentObject, HourRow } from './manifest.ts';

export interface ArchiveTimes {
  /** An hour is archived this long after its end at the earliest: points of it wait in memory until then. */
  readonly overMs: number;
  /** And when nothing was stored of it for so long, */
  readonly quietMs: number;
  /** or so long after its end: among many devices there is always one that is late. */
  readonly latestMs: number;
  /** The hours of a day are joined this long after its end. */
  readonly joinAfterMs: number;
  /** Later hours of it are joined to it so long after the last time. */
  readonly joinAgainMs: number;
}

export const ARCHIVE_TIMES: ArchiveTimes = {
  overMs: 20 * 60_000,
  quietMs: 10 * 60_000,
  latestMs: HOUR_MS,
  joinAfterMs: 2 * HOUR_MS,
  joinAgainMs: DAY_MS,
};

/** Objects of a day are joined, and cut by device, to about so many bytes. */
export const OBJECT_BYTES = 128 * 1024 * 1024;

export interface DuePlan {
  /** Never archived before: all are read from the day file at once. */
  readonly first: readonly number[];
  /** Points came since they were archived: joined with what the archive has of them. */
  readonly again: readonly number[];
  /** Over, and not archived as they are now, whether it is time for them or not. */
  readonly missing: readonly number[];
  /** Those of them that were never archived, and that wait for more points. */
  readonly waiting: readonly number[];
}

/** How long an hour that was archived so often waits for more late points: 10 minutes, 40, … a day at most. */
export function waitMs(times: number): number {
  return Math.min(DAY_MS, 10 * 60_000 * 4 ** Math.max(0, times - 1));
}

/**
 * Which hours of a day file are to be archived now.
 *
 * @param options.unchangedMs how long an hour has had its version, as far as was seen
 * @param options.atOnce all that is over: somebody waits for it
 */
export function dueHours(
  state: DayState,
  archived: ReadonlyMap<number, HourRow>,
  options: {
    readonly nowMs: number;
    readonly times: ArchiveTimes;
    readonly unchangedMs: (hour: number) => number;
    readonly atOnce: boolean;
  },
): DuePlan {
  const { nowMs, times, unchangedMs, atOnce } = options;
  const plan = { first: [] as number[], again: [] as number[], missing: [] as number[], waiting: [] as number[] };
  for (const [hour, version] of state.hours) {
    const row = archived.get(hour);
    if (row !== undefined && row.generation === state.generation && row.version === version) continue;
    const overMs = state.day * DAY_MS + (hour + 1) * HOUR_MS;
    if (nowMs < (atOnce ? overMs : overMs + times.overMs)) continue;
    plan.missing.push(hour);
    if (row !== undefined) {
      if (atOnce || nowMs - row.archivedMs >= waitMs(row.times)) plan.again.push(hour);
    } else if (atOnce || unchangedMs(hour) >= times.quietMs || nowMs >= overMs + times.latestMs) plan.first.push(hour);
    else plan.waiting.push(hour);
  }
  for (const hours of Object.values(plan)) hours.sort((a, b) => a - b);
  return plan;
}

/** What is to be joined of a day: objects of one device type, all of them. */
export interface JoinPlan {
  readonly deviceType: string | undefined;
  readonly objects: readonly CurrentObject[];
}

/**
 * Of a day of which no hour waits to be archived for the first time. An hour that cannot be used is joined later; where that is an object
 * of the day, nothing of its type is joined: objects of a day share out the devices among them.
 *
 * @param options.bad ids of objects that cannot be used
 */
export function dueJoins(
  day: number,
  objects: readonly CurrentObject[],
  options: { readonly nowMs: number; readonly times: ArchiveTimes; readonly bad?: ReadonlySet<number> },
): JoinPlan[] {
  const { nowMs, times, bad } = options;
  if (nowMs < (day + 1) * DAY_MS + times.joinAfterMs) return [];
  const byType = new Map<string | undefined, CurrentObject[]>();
  for (const object of objects) {
    const same = byType.get(object.deviceType);
    if (same === undefined) byType.set(object.deviceType, [object]);
    else same.push(object);
  }
  const plans: JoinPlan[] = [];
  for (const [deviceType, all] of byType) {
    const same = all.filter(({ id }) => bad?.has(id) !== true);
    if (all.some((object) => object.hour === undefined && !same.includes(object))) continue;
    const joined = same.filter(({ hour }) => hour === undefined);
    if (same.length === joined.length || same.length <= 1) continue;
    const lastMs = Math.max(0, ...joined.map(({ storedMs }) => storedMs));
    if (joined.length > 0 && nowMs - lastMs < times.joinAgainMs) continue;
    plans.push({ deviceType, objects: same });
  }
  return plans;
}
