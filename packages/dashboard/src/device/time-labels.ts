const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Distances between labels in ms: what a clock and a calendar divide into. */
export const LABEL_DISTANCES: readonly number[] = (
  [
    [1, [1, 2, 5, 10, 20, 50, 100, 200, 500]],
    [1000, [1, 2, 5, 10, 15, 30]],
    [MINUTE, [1, 2, 5, 10, 15, 30]],
    [HOUR, [1, 2, 3, 4, 6, 12]],
    [DAY, [1, 2, 4, 7, 14, 28, 91, 182, 364, 3640]],
  ] as const
).flatMap(([unit, counts]) => counts.map((count) => count * unit));
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Axis labels in local time: the clock below a day's distance, the date at midnight and beyond. */
export function timeLabels(splitsMs: readonly number[], distanceMs: number): string[] {
  return splitsMs.map((timeMs) => {
    const at = new Date(timeMs);
    const midnight = at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0 && at.getMilliseconds() === 0;
    if (distanceMs >= DAY || midnight)
      return distanceMs >= 300 * DAY ? String(at.getFullYear()) : `${MONTHS[at.getMonth()] ?? ''} ${at.getDate()}`;
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (distanceMs >= MINUTE) return clock;
    const seconds = `${clock}:${two(at.getSeconds())}`;
    return distanceMs >= 1000 ? seconds : `${seconds}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  });
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
