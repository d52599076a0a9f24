import type { Buckets } from './buckets.ts';
import { ALL_HOURS, DAY_MS, HOUR_MS } from './day-file-schema.ts';

/** `raw`: points; `1h`, `1d`: rollups of UTC hours and days. */
export type Level = 'raw' | '1h' | '1d';

/**
 * `pending`: whole hours of which the rollups do not say everything: they are answered from the points that there are, and from the
 * rollups of points that were let go before these came.
 * `late`: a whole day that has such hours, and points that were let go: these are known by the day, for their hours may be gone too.
 */
export type PieceLevel = Level | 'pending' | 'late';

/** A stretch of time [fromMs, toMs) that is answered from one level; those of `1h` and `1d` begin and end on whole hours and days. */
export interface Piece {
  readonly level: PieceLevel;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Hours of a UTC day, bit h for the hour h, of which the rollups do not say everything. */
export type PendingHours = ReadonlyMap<number, number>;

/**
 * Cuts [fromMs, toMs) into pieces, ascending and without gaps, each at the coarsest level that still gives every bucket exactly what
 * its points would: a rollup counts in one bucket, so it must lie in the range and in one bucket with all of its time.
 */
export function exactPieces(fromMs: number, toMs: number, buckets: Buckets): Piece[] {
  const pieces: Piece[] = [];
  let bucketEndMs = -Infinity;
  // Whether the time up to endMs lies in the bucket that holds startMs.
  const inOneBucket = (startMs: number, endMs: number): boolean => {
    if (startMs >= bucketEndMs) {
      buckets.seek(startMs);
      bucketEndMs = buckets.endMs;
    }
    return endMs <= bucketEndMs;
  };
  for (let atMs = fromMs; atMs < toMs;) {
    const dayEndMs = (Math.floor(atMs / DAY_MS) + 1) * DAY_MS;
    if (atMs % DAY_MS === 0 && dayEndMs <= toMs && inOneBucket(atMs, dayEndMs)) {
      add(pieces, '1d', atMs, dayEndMs);
      atMs = dayEndMs;
      continue;
    }
    const hourEndMs = (Math.floor(atMs / HOUR_MS) + 1) * HOUR_MS;
    const endMs = Math.min(hourEndMs, toMs);
    const isWhole = atMs % HOUR_MS === 0 && endMs === hourEndMs && inOneBucket(atMs, endMs);
    add(pieces, isWhole ? '1h' : 'raw', atMs, endMs);
    atMs = endMs;
  }
  return pieces;
}

/** Cuts [fromMs, toMs) into pieces, ascending and without gaps: the whole days or hours in it, finer ones at its ends. */
export function pieces(fromMs: number, toMs: number, coarsest: Level): Piece[] {
  const cut: Piece[] = [];
  for (let atMs = fromMs; atMs < toMs;) {
    const [dayMs, hourMs] = [nextWhole(atMs, DAY_MS), nextWhole(atMs, HOUR_MS)];
    const [lastDayMs, lastHourMs] = [toMs - (toMs % DAY_MS), toMs - (toMs % HOUR_MS)];
    let endMs = toMs;
    let level: Level = 'raw';
    if (coarsest === '1d' && atMs === dayMs && lastDayMs > atMs) [level, endMs] = ['1d', lastDayMs];
    else if (coarsest !== 'raw' && atMs === hourMs && lastHourMs > atMs) {
      const untilMs = coarsest === '1d' && dayMs > atMs ? dayMs : lastHourMs;
      [level, endMs] = ['1h', Math.min(untilMs, lastHourMs)];
    } else if (coarsest !== 'raw' && hourMs > atMs) endMs = Math.min(hourMs, toMs);
    add(cut, level, atMs, endMs);
    atMs = endMs;
  }
  return cut;
}

/** The same pieces where the hours that are pending are told as such, and days that have such hours are answered hour by hour. */
export function withoutPending(pieces: readonly Piece[], pending: PendingHours): readonly Piece[] {
  const days = [...pending].filter(([, hours]) => hours !== 0).sort(([a], [b]) => a - b);
  if (days.length === 0) return pieces;
  const cut: Piece[] = [];
  for (const piece of pieces) {
    let atMs = piece.fromMs;
    for (const [day, hours] of piece.level === 'raw' || piece.level === 'late' ? [] : days) {
      const startMs = Math.max(atMs, day * DAY_MS);
      const endMs = Math.min(piece.toMs, (day + 1) * DAY_MS);
      if (startMs >= endMs) continue;
      if (startMs > atMs) add(cut, piece.level, atMs, startMs);
      for (let hourMs = startMs; hourMs < endMs; hourMs += HOUR_MS) {
        const bit = 1 << ((hourMs - day * DAY_MS) / HOUR_MS);
        add(cut, (hours & ALL_HOURS & bit) === 0 ? '1h' : 'pending', hourMs, hourMs + HOUR_MS);
      }
      atMs = endMs;
    }
    if (atMs < piece.toMs) add(cut, piece.level, atMs, piece.toMs);
  }
  return cut;
}

/** The same pieces where these days, which whole days among the pieces cover, are told as such. @param days ascending */
export function withLateDays(pieces: readonly Piece[], days: readonly number[]): readonly Piece[] {
  if (days.length === 0) return pieces;
  return pieces.flatMap((piece) => {
    if (piece.level !== '1d') return [piece];
    const cut: Piece[] = [];
    let atMs = piece.fromMs;
    for (const day of days) {
      const [startMs, endMs] = [day * DAY_MS, (day + 1) * DAY_MS];
      if (startMs < atMs || endMs > piece.toMs) continue;
      if (startMs > atMs) cut.push({ ...piece, fromMs: atMs, toMs: startMs });
      // Each by itself.
      cut.push({ level: 'late', fromMs: startMs, toMs: endMs });
      atMs = endMs;
    }
    if (atMs < piece.toMs) cut.push({ ...piece, fromMs: atMs });
    return cut;
  });
}

/** Adds to `pending` the hours in which points lie that are not in a day file yet. @param times ascending */
export function addHoursOf(times: Float64Array, pending: Map<number, number>): void {
  for (let at = 0; at < times.length;) {
    const timeMs = times[at]!;
    const day = Math.floor(timeMs / DAY_MS);
    const hour = Math.floor((timeMs - day * DAY_MS) / HOUR_MS);
    pending.set(day, (pending.get(day) ?? 0) | (1 << hour));
    const endMs = day * DAY_MS + (hour + 1) * HOUR_MS;
    // Most are of the same hour: look far ahead first.
    for (let step = 1024; step > 0; step >>= 1) while (at + step < times.length && times[at + step]! < endMs) at += step;
    at++;
  }
}

function nextWhole(timeMs: number, unitMs: number): number {
  return Math.ceil(timeMs / unitMs) * unitMs;
}

function add(pieces: Piece[], level: PieceLevel, fromMs: number, toMs: number): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.level === level && last.toMs === fromMs)
    pieces[pieces.length - 1] = { level, fromMs: last.fromMs, toMs };
  else pieces.push({ level, fromMs, toMs });
}
