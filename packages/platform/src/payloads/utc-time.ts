import { isSelsynError } from '../kernel/errors.ts';
import { parseTime } from '../kernel/time-text.ts';

/** Ms since 1970 of a time as RFC 3339 writes it (`2026-01-31T12:00:00Z`, an offset, a fraction); undefined: it is none. */
export function parseUtcTime(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text)) return undefined;
  try {
    return parseTime(text, 0);
  } catch (error) {
    if (isSelsynError(error, 'request.invalid')) return undefined;
    throw error;
  }
}
