/** What the page shows: a span that ends now and moves, two fixed times, or everything there is. */
export type TimeRange =
  | { readonly kind: 'live'; readonly preset: Preset }
  | { readonly kind: 'fixed'; readonly fromMs: number; readonly toMs: number }
  /** From the first point; to now, or to the last point where that is long ago or still to come. Both absent until it is known. */
  | { readonly kind: 'all'; readonly fromMs?: number; readonly toMs?: number };

export const PRESETS = ['5m', '15m', '1h', '6h', '24h', '7d', '30d', '1y'] as const;
export type Preset = (typeof PRESETS)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const SPANS: Readonly<Record<Preset, number>> = {
  '5m': 5 * MINUTE,
  '15m': 15 * MINUTE,
  '1h': HOUR,
  '6h': 6 * HOUR,
  '24h': DAY,
  '7d': 7 * DAY,
  '30d': 30 * DAY,
  '1y': 365 * DAY,
};

export const DEFAULT_RANGE: TimeRange = { kind: 'live', preset: '5m' };
/** A drag narrower than this zooms to this. */
export const NARROWEST_MS = 1000;

/** The search part of the device page's address. */
export interface RangeSearch {
  readonly range?: Preset | 'all';
  readonly from?: number;
  readonly to?: number;
}

/** Reads what an address holds; anything that is no range is the default one. */
export function rangeFromSearch(search: RangeSearch): TimeRange {
  if (search.from !== undefined && search.to !== undefined && search.to > search.from) {
    return { kind: 'fixed', fromMs: search.from, toMs: search.to };
  }
  if (search.range === 'all') return { kind: 'all' };
  return search.range === undefined ? DEFAULT_RANGE : { kind: 'live', preset: search.range };
}

export function searchFromRange(range: TimeRange): RangeSearch {
  if (range.kind === 'all') return { range: 'all' };
  return range.kind === 'live' ? { range: range.preset } : { from: range.fromMs, to: range.toMs };
}

/** Keeps of an unknown search object what is valid. */
export function parseRangeSearch(search: Readonly<Record<string, unknown>>): RangeSearch {
  const preset = search['range'] === 'all' ? 'all' : PRESETS.find((name) => name === search['range']);
  const from = time(search['from']);
  const to = time(search['to']);
  if (from !== undefined && to !== undefined && to > from) return { from, to };
  return preset === undefined ? {} : { range: preset };
}

/** How long the window is at this moment. */
export function spanMs(range: TimeRange, nowMs: number): number {
  const { fromMs, toMs } = windowAt(range, nowMs);
  return toMs - fromMs;
}

/** Whether points that come now are in it. */
export function endsNow(range: TimeRange): boolean {
  return range.kind === 'live' || (range.kind === 'all' && range.toMs === undefined);
}

/** Whether its ends are known: those of everything have to be asked for. */
export function isKnown(range: TimeRange): boolean {
  return range.kind !== 'all' || range.fromMs !== undefined;
}

/** The window at this moment. */
export function windowAt(range: TimeRange, nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  if (range.kind === 'live') return { fromMs: nowMs - SPANS[range.preset], toMs: nowMs };
  if (range.kind === 'fixed') return { fromMs: range.fromMs, toMs: range.toMs };
  const toMs = range.toMs ?? nowMs;
  return { fromMs: Math.min(range.fromMs ?? toMs - DAY, toMs - NARROWEST_MS), toMs };
}

/** Everything from the first point to the last: to now where the last one is not long ago, compared with all of it. */
export function wholeRange(firstMs: number, lastMs: number, nowMs: number): TimeRange {
  const isLate = nowMs - lastMs > Math.max(HOUR, (lastMs - firstMs) / 10);
  return isLate || lastMs > nowMs ? { kind: 'all', fromMs: firstMs, toMs: lastMs + 1 } : { kind: 'all', fromMs: firstMs };
}

/** What a drag over the chart asks for: whole milliseconds, in order, not narrower than a second. */
export function zoomRange(aMs: number, bMs: number): TimeRange {
  const fromMs = Math.floor(Math.min(aMs, bMs));
  const toMs = Math.ceil(Math.max(aMs, bMs));
  if (toMs - fromMs >= NARROWEST_MS) return { kind: 'fixed', fromMs, toMs };
  const middle = Math.round((fromMs + toMs) / 2);
  return { kind: 'fixed', fromMs: middle - NARROWEST_MS / 2, toMs: middle + NARROWEST_MS / 2 };
}

function time(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? Math.round(value) : undefined;
}

/** The window moved by a part of its own length: −0.5 is half a window earlier. It does not go past now. */
export function movedRange(range: TimeRange, nowMs: number, by: number): TimeRange {
  const { fromMs, toMs } = windowAt(range, nowMs);
  const shift = Math.min(Math.round((toMs - fromMs) * by), by > 0 ? Math.max(0, nowMs - toMs) : 0);
  return { kind: 'fixed', fromMs: Math.round(fromMs) + shift, toMs: Math.round(toMs) + shift };
}

/** The window made wider (2) or narrower (0.5) around its middle; one that ends now keeps its end. */
export function scaledRange(range: TimeRange, nowMs: number, factor: number): TimeRange {
  const { fromMs, toMs } = windowAt(range, nowMs);
  const length = Math.max(NARROWEST_MS, Math.round((toMs - fromMs) * factor));
  const end = endsNow(range) ? toMs : Math.min(nowMs, (fromMs + toMs) / 2 + length / 2);
  return { kind: 'fixed', fromMs: Math.round(end) - length, toMs: Math.round(end) };
}
