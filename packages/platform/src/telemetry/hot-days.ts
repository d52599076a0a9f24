import type { HotRead } from './hot-calls.ts';

/*
 * What the processor thread tells the others without being asked, in shared memory, as Int32:
 *
 *   0         1             2                  3              4                 5 ...             517 ...
 *   version | daysVersion | series that only | hot days:    | unrolled days:  | hot days,       | unrolled days,
 *           |             | memory knows 0/1 | how many; -1 | how many; -1    | in no order     | ascending
 *
 * -1: too many to list, or nothing is told yet. The version is odd while the others are being written, and another one afterwards.
 */
const VERSION = 0;
const DAYS_VERSION = 1;
const UNSAVED = 2;
const HOT_COUNT = 3;
const UNROLLED_COUNT = 4;
const DAYS = 5;
/** A list of more is not told. */
export const MAX_DAYS = 512;
const UNKNOWN = -1;
/** A write takes less than a microsecond: whoever meets so many has better things to do. */
const MAX_TRIES = 16;

export interface HotDaysState {
  /** As in HotRead. */
  readonly daysVersion: number;
  /** There are series that the catalog does not have yet. */
  readonly unsaved: boolean;
  /** Days of which points are in memory; undefined: more than `MAX_DAYS`. */
  readonly hot: readonly number[] | undefined;
  /** All of them, ascending; undefined: more than `MAX_DAYS`. */
  readonly unrolled: readonly number[] | undefined;
}

/** Memory for one writer and any readers. */
export function shareHotDays(): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(4 * (DAYS + 2 * MAX_DAYS));
  const words = new Int32Array(shared);
  words[HOT_COUNT] = UNKNOWN;
  words[UNROLLED_COUNT] = UNKNOWN;
  return shared;
}

/** The processor's end: it tells each change before anybody can learn of it otherwise. */
export class HotDaysWriter {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  tell({ daysVersion, unsaved, hot, unrolled }: HotDaysState): void {
    const words = this.#words;
    const version = Atomics.add(words, VERSION, 1);
    Atomics.store(words, DAYS_VERSION, daysVersion);
    Atomics.store(words, UNSAVED, unsaved ? 1 : 0);
    this.#list(hot, HOT_COUNT, DAYS);
    this.#list(unrolled, UNROLLED_COUNT, DAYS + MAX_DAYS);
    // Two on: even, and never what it was, until it has gone once around.
    Atomics.store(words, VERSION, (version + 2) | 0);
  }

  #list(days: readonly number[] | undefined, count: number, at: number): void {
    const listed = days === undefined || days.length > MAX_DAYS ? undefined : days;
    Atomics.store(this.#words, count, listed?.length ?? UNKNOWN);
    listed?.forEach((day, i) => Atomics.store(this.#words, at + i, day));
  }
}

/** Tells when a question need not go to the processor thread. */
export class HotDaysReader {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /**
   * Where nothing of these days is in memory, and the catalog has every series: what `hotRead` would tell besides, as of this moment.
   *
   * @param fromDay inclusive, days since 1970
   * @param toDay exclusive
   */
  read(fromDay: number, toDay: number): Pick<HotRead, 'daysVersion' | 'unrolledDays'> | undefined {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const version = Atomics.load(this.#words, VERSION);
      const found = (version & 1) === 0 ? this.#look(fromDay, toDay) : undefined;
      if ((version & 1) === 0 && Atomics.load(this.#words, VERSION) === version) return found;
    }
    return undefined;
  }

  #look(fromDay: number, toDay: number): Pick<HotRead, 'daysVersion' | 'unrolledDays'> | undefined {
    const words = this.#words;
    const [hot, unrolled] = [Atomics.load(words, HOT_COUNT), Atomics.load(words, UNROLLED_COUNT)];
    if (hot === UNKNOWN || unrolled === UNKNOWN || Atomics.load(words, UNSAVED) !== 0) return undefined;
    for (let i = 0; i < hot; i++) {
      const day = Atomics.load(words, DAYS + i);
      if (day >= fromDay && day < toDay) return undefined;
    }
    const unrolledDays: number[] = [];
    for (let i = 0; i < unrolled; i++) {
      const day = Atomics.load(words, DAYS + MAX_DAYS + i);
      if (day >= fromDay && day < toDay) unrolledDays.push(day);
    }
    return { daysVersion: Atomics.load(words, DAYS_VERSION), unrolledDays };
  }
}
