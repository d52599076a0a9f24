import { SelsynError } from './errors.ts';

/** A fixed length in ms (whole, from 1), or calendar days/weeks/months in a time zone (days of 23 and 25 hours included). */
export type Interval = { readonly ms: number } | { readonly calendar: 'day' | 'week' | 'month'; readonly count: number };

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const CALENDAR = { d: 'day', w: 'week', mo: 'month' } as const;

const INTERVAL = /^([1-9]\d{0,8})(ms|mo|s|m|h|d|w)$/;
const DURATION = /^(\d{1,9})(ms|s|m|h|d|w)$/;
const RELATIVE = /^now(?:([+-])(.+))?$/;
const ISO_DATE = /^\d{4}-\d{2}-\d{2}$/;
const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?$/;

/** A century: nobody means more, and times of this size stay exact. */
const LONGEST_MS = 36_525 * UNIT_MS.d;
/** The range of ECMAScript time values. */
export const MAX_TIME_MS = 8.64e15;

/**
 * What `every` may say: `500ms`, `10s`, `15m`, `1h` (fixed lengths), `1d`, `1w`, `1mo` (calendar units of a time zone).
 * @throws SelsynError `request.invalid`
 */
export function parseInterval(text: string): Interval {
  const match = INTERVAL.exec(text);
  if (match === null)
    throw invalid('an interval is a whole number and a unit of ms s m h d w mo, such as 15m, 1h, 1d or 1mo', text);
  const count = Number(match[1]);
  const unit = match[2] as keyof typeof UNIT_MS | 'mo';
  const lengthMs = count * (unit === 'mo' ? 30 * UNIT_MS.d : UNIT_MS[unit]);
  if (lengthMs > LONGEST_MS) throw invalid('an interval is at most 100 years long', text);
  if (unit === 'd' || unit === 'w' || unit === 'mo') return { calendar: CALENDAR[unit], count };
  return { ms: lengthMs };
}

/** A length of time in ms: `90s`, `15m`, `24h`, `7d` (a day is 24 hours here). @throws SelsynError `request.invalid` */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw invalid('a duration is a whole number and a unit of ms s m h d w, such as 15m, 24h or 7d', text);
  const lengthMs = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  if (lengthMs > LONGEST_MS) throw invalid('a duration is at most 100 years long', text);
  return lengthMs;
}

/**
 * A point in time as ms since 1970: whole ms, ISO 8601 (a date alone is midnight UTC; a time needs `Z` or an offset),
 * `now`, or `now-1h` and the like.
 * @throws SelsynError `request.invalid`
 */
export function parseTime(text: string, nowMs: number): number {
  if (/^-?\d{1,16}$/.test(text)) return inRange(Number(text), text);
  const relative = RELATIVE.exec(text);
  if (relative !== null) {
    if (relative[2] === undefined) return nowMs;
    const lengthMs = parseDuration(relative[2]);
    return inRange(relative[1] === '-' ? nowMs - lengthMs : nowMs + lengthMs, text);
  }
  // A plus sign that was not percent-encoded in a URL arrives as a space.
  const iso = text.replace(/ (?=\d{2}:\d{2}$)/, '+');
  const withTime = ISO_TIME.exec(iso);
  if (withTime === null && !ISO_DATE.test(iso)) {
    throw invalid('a time is ms since 1970, ISO 8601 such as 2026-01-31T12:00:00Z, now, or now-1h', text);
  }
  if (withTime !== null && withTime[1] === undefined) throw invalid('an ISO 8601 time needs Z or an offset such as +01:00', text);
  const timeMs = Date.parse(iso);
  if (Number.isNaN(timeMs) || !isRealDate(iso)) throw invalid('there is no such date or time', text);
  return timeMs;
}

/** Date.parse takes 30 February for 2 March. */
function isRealDate(iso: string): boolean {
  const date = iso.slice(0, 10);
  const midnightMs = Date.parse(date);
  return !Number.isNaN(midnightMs) && new Date(midnightMs).toISOString().startsWith(date);
}

function inRange(timeMs: number, text: string): number {
  if (Math.abs(timeMs) > MAX_TIME_MS) throw invalid('the time is out of range', text);
  return timeMs;
}

function invalid(message: string, text: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { text: text.slice(0, 100) } });
}
