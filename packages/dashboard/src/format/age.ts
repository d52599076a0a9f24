/** How fresh a value is; the page colours it so. */
export type Freshness = 'fresh' | 'ageing' | 'stale' | 'future';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const AGEING_AFTER_MS = MINUTE;
export const STALE_AFTER_MS = 10 * MINUTE;
/** Two clocks are rarely equal: a timestamp this far ahead still counts as now. */
const CLOCK_TOLERANCE_MS = 2 * SECOND;

export function freshness(ageMs: number): Freshness {
  if (ageMs < -CLOCK_TOLERANCE_MS) return 'future';
  if (ageMs < AGEING_AFTER_MS) return 'fresh';
  return ageMs < STALE_AFTER_MS ? 'ageing' : 'stale';
}

/** `now`, `3 s ago`, `12 min ago`, `5 h ago`, `3 d ago`, `in 4 min`. */
export function formatAge(ageMs: number): string {
  if (ageMs < -CLOCK_TOLERANCE_MS) return `in ${span(-ageMs)}`;
  if (ageMs < SECOND) return 'now';
  return `${span(ageMs)} ago`;
}

function span(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  if (ms < 730 * DAY) return `${Math.floor(ms / DAY)} d`;
  return `${Math.floor(ms / (365 * DAY))} y`;
}

const pad = (value: number, width = 2) => String(value).padStart(width, '0');

/** Local date and time, sortable: `2026-11-22 19:05:04`. */
export function formatTime(timeMs: number, withMs = false): string {
  const d = new Date(timeMs);
  if (Number.isNaN(d.getTime())) return '–';
  const date = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  const time = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return withMs ? `${date} ${time}.${pad(d.getMilliseconds(), 3)}` : `${date} ${time}`;
}

/** What `<input type="datetime-local">` holds. */
export function toLocalInput(timeMs: number): string {
  return formatTime(timeMs).replace(' ', 'T');
}
