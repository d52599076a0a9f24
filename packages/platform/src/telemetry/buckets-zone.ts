import { SelsynError } from '../kernel/errors.ts';
import { MAX_TIME_MS } from '../kernel/time-text.ts';
import { DAY_MS } from './day-file-schema.ts';

const BLOCK_MS = 64 * DAY_MS;
const PROBE_MS = 8 * DAY_MS;
const MAX_BLOCKS = 2_048;

/** The changes of a zone's offset within one block of time: `offsets[i]` holds from `starts[i]` to the next start. */
interface Block {
  readonly starts: readonly number[];
  readonly offsets: readonly number[];
}

/**
 * Offsets from UTC and beginnings of days in an IANA time zone, from the runtime's own data (ICU).
 *
 * ICU answers for one instant in about a microsecond and knows no "next change": a block of 64 days is probed every
 * 8 days, a change between two probes is found by bisection, and blocks are kept. Two changes that undo each other
 * within 8 days would be missed; the zone database has none.
 */
export class ZoneOffsets {
  readonly #format: Intl.DateTimeFormat | undefined;
  readonly #blocks = new Map<number, Block>();

  /** @throws SelsynError `request.invalid` for a zone the runtime does not know. */
  constructor(timeZone: string) {
    const format = openFormat(timeZone);
    this.#format = format.resolvedOptions().timeZone === 'UTC' ? undefined : format;
  }

  /** Local time minus UTC, ms. */
  offsetMs(utcMs: number): number {
    if (this.#format === undefined) return 0;
    const { starts, offsets } = this.#block(Math.floor(utcMs / BLOCK_MS), this.#format);
    let i = starts.length - 1;
    while (i > 0 && starts[i]! > utcMs) i--;
    return offsets[i]!;
  }

  /**
   * The first instant of a local day (counted from 1970-01-01): midnight, the first of two midnights, or the end of
   * the gap where the clock jumps over midnight. Never descends from one day to the next; a day that the zone left
   * out (Apia, 2011-12-30) begins when the next one does.
   */
  startOfDay(day: number): number {
    const midnight = day * DAY_MS;
    if (this.#format === undefined) return midnight;
    const before = this.offsetMs(midnight - DAY_MS);
    const after = this.offsetMs(midnight + DAY_MS);
    if (before === after) return midnight - before;
    const change = findChange(midnight - DAY_MS, midnight + DAY_MS, (utcMs) => this.offsetMs(utcMs));
    return midnight - before < change ? midnight - before : Math.max(midnight - after, change);
  }

  /** The day whose beginning, as `startOfDay` tells it, is the last one not after this instant. */
  dayOf(utcMs: number): number {
    let day = Math.floor((utcMs + this.offsetMs(utcMs)) / DAY_MS);
    while (this.startOfDay(day) > utcMs) day--;
    while (this.startOfDay(day + 1) <= utcMs) day++;
    return day;
  }

  #block(index: number, format: Intl.DateTimeFormat): Block {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const starts = [index * BLOCK_MS];
    const offsets = [readOffset(format, index * BLOCK_MS)];
    for (let from = index * BLOCK_MS; from < (index + 1) * BLOCK_MS; from += PROBE_MS) {
      const to = from + PROBE_MS;
      const offset = readOffset(format, to);
      if (offset === offsets[offsets.length - 1]) continue;
      starts.push(findChange(from, to, (utcMs) => readOffset(format, utcMs)));
      offsets.push(offset);
    }
    if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.clear();
    const block = { starts, offsets };
    this.#blocks.set(index, block);
    return block;
  }
}

/** The first instant in (from, to] with another offset than `from` has. */
function findChange(from: number, to: number, offsetAt: (utcMs: number) => number): number {
  const before = offsetAt(from);
  let low = from;
  let high = to;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function openFormat(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  } catch (cause) {
    throw new SelsynError('request.invalid', 'a time zone is an IANA name such as Europe/Berlin', {
      cause,
      details: { timeZone: timeZone.slice(0, 100) },
    });
  }
}

/** ICU writes the offset as `GMT`, `GMT+05:45` or, before standard time, `GMT-00:01:15`. */
function readOffset(format: Intl.DateTimeFormat, utcMs: number): number {
  const text = format.format(Math.max(-MAX_TIME_MS, Math.min(MAX_TIME_MS, utcMs)));
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (match === null) throw new SelsynError('internal', 'the offset of a time zone could not be read', { details: { text } });
  if (match[1] === undefined) return 0;
  const seconds = Number(match[2]) * 3_600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return (match[1] === '-' ? -seconds : seconds) * 1_000;
}
