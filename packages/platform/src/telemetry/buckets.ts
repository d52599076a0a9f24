import { SelsynError } from '../kernel/errors.ts';
import type { Interval } from '../kernel/time-text.ts';
import type { ZoneOffsets } from './buckets-zone.ts';
import { DAY_MS } from './day-file-schema.ts';

/** Days from 1970-01-01 (a Thursday) back to the Monday from which weeks are counted. */
const DAYS_BACK_TO_MONDAY = 3;
/** The range of ECMAScript time values. */
const MAX_DAYS = 100_000_000;
/** Beyond that range in every zone. */
const DAYS_BEYOND = MAX_DAYS + 2;

/** Cuts time into buckets [startMs, endMs) without gaps or overlaps; they depend on the interval and the zone alone. */
export interface Buckets {
  /** The bucket that `seek` found. */
  readonly startMs: number;
  readonly endMs: number;
  /** Makes the bucket that holds this instant the current one. */
  seek(timeMs: number): void;
}

/** @throws SelsynError `request.invalid` for a length that is not a whole number from 1. */
export function openBuckets(interval: Interval, zone: ZoneOffsets): Buckets {
  const length = 'ms' in interval ? interval.ms : interval.count;
  if (!Number.isSafeInteger(length) || length < 1) {
    throw new SelsynError('request.invalid', 'the length of an interval is a whole number from 1', { details: { length } });
  }
  if ('calendar' in interval) return new CalendarBuckets(interval.calendar, interval.count, zone);
  if (interval.ms < DAY_MS && DAY_MS % interval.ms === 0) return new DividedDayBuckets(interval.ms, zone);
  return new EpochBuckets(interval.ms);
}

/** Multiples of a length since 1970-01-01 UTC. */
class EpochBuckets implements Buckets {
  readonly #lengthMs: number;
  startMs = 0;
  endMs = 0;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
  }

  seek(timeMs: number): void {
    this.startMs = timeMs - remainder(timeMs, this.#lengthMs);
    this.endMs = this.startMs + this.#lengthMs;
  }
}

/** Each local day is divided from its beginning on; its last bucket ends where the next day begins. */
class DividedDayBuckets implements Buckets {
  readonly #lengthMs: number;
  readonly #zone: ZoneOffsets;
  #dayStartMs = 0;
  #dayEndMs = 0;
  startMs = 0;
  endMs = 0;

  constructor(lengthMs: number, zone: ZoneOffsets) {
    this.#lengthMs = lengthMs;
    this.#zone = zone;
  }

  seek(timeMs: number): void {
    if (timeMs < this.#dayStartMs || timeMs >= this.#dayEndMs) {
      const day = this.#zone.dayOf(timeMs);
      this.#dayStartMs = this.#zone.startOfDay(day);
      this.#dayEndMs = this.#zone.startOfDay(day + 1);
    }
    const intoDay = timeMs - this.#dayStartMs;
    this.startMs = timeMs - (intoDay % this.#lengthMs);
    this.endMs = Math.min(this.startMs + this.#lengthMs, this.#dayEndMs);
  }
}

class CalendarBuckets implements Buckets {
  readonly #unit: 'day' | 'week' | 'month';
  readonly #count: number;
  readonly #zone: ZoneOffsets;
  startMs = 0;
  endMs = 0;

  constructor(unit: 'day' | 'week' | 'month', count: number, zone: ZoneOffsets) {
    this.#unit = unit;
    this.#count = count;
    this.#zone = zone;
  }

  seek(timeMs: number): void {
    const position = this.#positionOf(this.#zone.dayOf(timeMs));
    const first = position - remainder(position, this.#count);
    this.startMs = this.#zone.startOfDay(this.#firstDayOf(first));
    this.endMs = this.#zone.startOfDay(this.#firstDayOf(first + this.#count));
  }

  /** Which day, week or month, counted from the one of 1970-01-01, a day belongs to. */
  #positionOf(day: number): number {
    if (this.#unit === 'day') return day;
    if (this.#unit === 'week') return Math.floor((day + DAYS_BACK_TO_MONDAY) / 7);
    const date = new Date(Math.max(-MAX_DAYS, Math.min(MAX_DAYS, day)) * DAY_MS);
    return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
  }

  #firstDayOf(position: number): number {
    if (this.#unit === 'day') return position;
    if (this.#unit === 'week') return position * 7 - DAYS_BACK_TO_MONDAY;
    const date = new Date(0);
    date.setUTCFullYear(1970, position, 1);
    return Number.isNaN(date.getTime()) ? Math.sign(position) * DAYS_BEYOND : date.getTime() / DAY_MS;
  }
}

/** Exact for all safe integers, and never negative. */
function remainder(value: number, divisor: number): number {
  const rest = value % divisor;
  return rest < 0 ? rest + divisor : rest;
}
