import { invalidRequest } from './problem.ts';

const MAX_KEPT = 1000;

/** Finds time zones by name, and keeps what it found: to find one costs more than a query. */
export class TimeZones {
  readonly #known = new Map<string, string>();

  /** The IANA name of a zone, in its own case of letters. @throws SelsynError `request.invalid` when there is none. */
  find(name: string): string {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const found = lookUp(name);
    if (this.#known.size < MAX_KEPT) this.#known.set(name, found);
    return found;
  }
}

function lookUp(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch (error) {
    throw invalidRequest([{ in: 'query', field: 'tz', message: 'must be a time zone such as Europe/Berlin' }], error);
  }
}
