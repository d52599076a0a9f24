import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { parseUtcTime } from './utc-time.ts';

/** How a payload counts time since 1970; `iso8601`: a text such as `2026-01-31T12:00:00Z`. */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns' | 'iso8601';

export const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns', 'iso8601'];

const MS: Readonly<Record<Exclude<TimeUnit, 'iso8601'>, number>> = { s: 1000, ms: 1, us: 1e-3, ns: 1e-6 };

/** In ms, not checked yet against what is too far away. @throws PayloadError where it is no time of this unit */
export function payloadTime(value: unknown, unit: TimeUnit, where = ''): number {
  if (unit === 'iso8601') {
    const ms = typeof value === 'string' ? parseUtcTime(value) : undefined;
    if (ms === undefined) throw new PayloadError('bad-time', `The time is not written as 2026-01-31T12:00:00Z${where}.`);
    return ms;
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new PayloadError('bad-time', `The time is no number${where}.`);
  // A fraction of a ms is cut off: what binary arithmetic takes from a whole one must not be.
  const ms = value * MS[unit];
  const whole = Math.round(ms);
  return Math.abs(ms - whole) < 1e-3 ? whole : Math.trunc(ms);
}
