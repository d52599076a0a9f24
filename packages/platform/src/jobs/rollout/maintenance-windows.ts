import { Cron } from 'croner';
import { DEFAULT_TIME_ZONE, DEFAULT_TIME_ZONE_ATTRIBUTE, type MaintenanceWindow, type ScheduleConfig } from './job-config.ts';

/** Whether windows are open, and until when that stays so; Infinity: for ever. */
export interface WindowState {
  readonly open: boolean;
  readonly untilMs: number;
}

const MINUTE_MS = 60_000;
/** Windows that follow each other without a gap are one, but not without end. */
const MAX_JOINED = 50;
/** Zones times jobs that are asked about at once; beyond that they are worked out again. */
const MAX_KEPT = 5_000;
const ALWAYS: WindowState = { open: true, untilMs: Number.POSITIVE_INFINITY };

/**
 * Knows when maintenance windows are open in a time zone, and keeps what it worked out until it changes: an answer costs a look-up.
 *
 * A window begins whenever its cron expression says so by the clocks of the zone, and lasts so many minutes of real time. Where clocks
 * are put forward over its beginning it begins at once after the gap; where they are put back it begins once, the first time.
 */
export class WindowCalendar {
  readonly #crons = new Map<string, Cron>();
  readonly #states = new Map<string, WindowState & { readonly fromMs: number }>();

  /** @param timeZone an IANA name */
  stateAt(windows: readonly MaintenanceWindow[] | undefined, timeZone: string, nowMs: number): WindowState {
    if (windows === undefined || windows.length === 0) return ALWAYS;
    const key = `${timeZone} ${windows.map(({ startTime, durationMinutes }) => `${durationMinutes} ${startTime}`).join('|')}`;
    const known = this.#states.get(key);
    if (known !== undefined && known.fromMs <= nowMs && nowMs < known.untilMs) return known;
    const state = { ...this.#workOut(windows, timeZone, nowMs), fromMs: nowMs };
    if (this.#states.size >= MAX_KEPT) this.#states.clear();
    this.#states.set(key, state);
    return state;
  }

  #workOut(windows: readonly MaintenanceWindow[], timeZone: string, nowMs: number): WindowState {
    let end = nowMs;
    let nextStart = Number.POSITIVE_INFINITY;
    for (let joined = 0; joined < MAX_JOINED; joined++) {
      const before = end;
      for (const window of windows) {
        const start = this.#firstAfter(window, timeZone, end - window.durationMinutes * MINUTE_MS);
        // It began so late that it ends after what is known to be open, and no later than that ends.
        if (start <= end) end = Math.max(end, start + window.durationMinutes * MINUTE_MS);
        else nextStart = Math.min(nextStart, start);
      }
      if (end === before) break;
    }
    return end > nowMs ? { open: true, untilMs: end } : { open: false, untilMs: nextStart };
  }

  /** When a window begins for the first time after a moment. */
  #firstAfter({ startTime }: MaintenanceWindow, timeZone: string, ms: number): number {
    const key = `${timeZone} ${startTime}`;
    let cron = this.#crons.get(key);
    if (cron === undefined) {
      cron = cronOf(startTime, timeZone);
      if (this.#crons.size >= MAX_KEPT) this.#crons.clear();
      this.#crons.set(key, cron);
    }
    return cron.nextRun(new Date(ms))?.getTime() ?? Number.POSITIVE_INFINITY;
  }
}

const NOT_CRON = 'is no cron expression of five fields: minute, hour, day of the month, month, day of the week';

/** Why a text is no beginning of a window; undefined: it is one. */
export function windowFault(startTime: string, nowMs: number): string | undefined {
  try {
    // Not @daily and its like, which the library knows too.
    if (startTime.trim().split(/\s+/).length !== 5) return NOT_CRON;
    return cronOf(startTime, DEFAULT_TIME_ZONE).nextRun(new Date(nowMs)) === null ? 'never comes' : undefined;
  } catch {
    return NOT_CRON;
  }
}

function cronOf(startTime: string, timeZone: string): Cron {
  return new Cron(startTime, { timezone: timeZone, mode: '5-part', paused: true });
}

const zones = new Map<string, boolean>();
const MAX_ZONES_KEPT = 2_000;

export function isTimeZone(name: string): boolean {
  const known = zones.get(name);
  if (known !== undefined) return known;
  let valid = true;
  try {
    // An offset such as +02:00 is none of a place: it knows no summer time.
    valid = /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    valid = false;
  }
  if (zones.size < MAX_ZONES_KEPT) zones.set(name, valid);
  return valid;
}

/** The time zone that a device's windows are in; undefined for jobs without windows. */
export function timeZoneOf(
  schedule: ScheduleConfig | undefined,
  attributes: Readonly<Record<string, unknown>>,
): string | undefined {
  if (schedule === undefined || (schedule.maintenanceWindows ?? []).length === 0) return undefined;
  let value: unknown = attributes;
  for (const name of (schedule.timeZoneAttribute ?? DEFAULT_TIME_ZONE_ATTRIBUTE).split('.')) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
  }
  return typeof value === 'string' && isTimeZone(value) ? value : (schedule.timeZone ?? DEFAULT_TIME_ZONE);
}
