import { DAY_MS } from './day-file-schema.ts';
import type { Sources } from './query-aggregation.ts';
import type { Piece } from './query-levels.ts';

const keyOf = (day: number, generation: number): string => `${day}:${generation}`;

/**
 * Of what the pieces are to be answered from, where some was let go: points, or hours, of a day of which coarser rollups say that there
 * were some. Late points may have come to such a day since, and other series may have theirs still: so each series and day is looked at.
 *
 * @param pieces ascending
 * @returns the end of the last day that lacks something, ms; undefined where none does
 */
export async function lackingBefore(sources: Sources, pieces: readonly Piece[]): Promise<number | undefined> {
  const { hot, pace } = sources;
  const finer = pieces.filter(({ level }) => level !== '1d');
  const [first, last] = [finer[0], finer.at(-1)];
  if (first === undefined || last === undefined || !sources.rollups.hasFiles) return undefined;
  let lackingMs: number | undefined;
  for (const { id } of hot.series) {
    const day = lastLackingDay(sources, id, finer, Math.max(first.fromMs, lackingMs ?? -Infinity), last.toMs);
    if (day !== undefined) lackingMs = (day + 1) * DAY_MS;
    if (pace.due) await pace.pause();
  }
  return lackingMs;
}

/** From the newest day on back: the first that is found is the last that lacks something. */
function lastLackingDay(
  { reader, rollups }: Sources,
  series: number,
  pieces: readonly Piece[],
  fromMs: number,
  toMs: number,
): number | undefined {
  if (fromMs >= toMs) return undefined;
  let hours: ReadonlySet<string> | undefined;
  let end = pieces.length;
  for (const { day, generation } of rollups.daysWith('1d', series, fromMs, toMs).reverse()) {
    const [startMs, endMs] = [day * DAY_MS, (day + 1) * DAY_MS];
    while (end > 0 && pieces[end - 1]!.fromMs >= endMs) end--;
    let [isAsked, needsPoints] = [false, false];
    for (let index = end - 1; index >= 0 && pieces[index]!.toMs > startMs; index--) {
      isAsked = true;
      needsPoints ||= pieces[index]!.level === 'raw';
    }
    if (!isAsked) continue;
    // One look tells of all days which have their hours; whether points are left is asked of the file of each day.
    if (!needsPoints) {
      hours ??= new Set(rollups.daysWith('1h', series, fromMs, endMs).map((rolled) => keyOf(rolled.day, rolled.generation)));
      if (hours.has(keyOf(day, generation))) continue;
    }
    const hasPoints = reader.days(startMs, endMs).length > 0 && reader.mark(day, series)?.generation === generation;
    if (!hasPoints) return day;
  }
  return undefined;
}
