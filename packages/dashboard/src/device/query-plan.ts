/** How a range is asked for: every point, or buckets of which mean, min and max are drawn. */
export type QueryPlan = { readonly kind: 'raw'; readonly limit: number } | Buckets;

export interface Buckets {
  readonly kind: 'buckets';
  readonly everyMs: number;
  /** As the API spells it. */
  readonly every: string;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const STEPS: readonly (readonly [ms: number, text: string])[] = [
  [SECOND, '1s'],
  [2 * SECOND, '2s'],
  [5 * SECOND, '5s'],
  [10 * SECOND, '10s'],
  [15 * SECOND, '15s'],
  [30 * SECOND, '30s'],
  [MINUTE, '1m'],
  [2 * MINUTE, '2m'],
  [5 * MINUTE, '5m'],
  [10 * MINUTE, '10m'],
  [15 * MINUTE, '15m'],
  [30 * MINUTE, '30m'],
  [HOUR, '1h'],
  [2 * HOUR, '2h'],
  [3 * HOUR, '3h'],
  [6 * HOUR, '6h'],
  [12 * HOUR, '12h'],
  [DAY, '1d'],
  [7 * DAY, '1w'],
  [28 * DAY, '4w'],
  [364 * DAY, '52w'],
];

/** Up to so long a range is asked for point by point first. */
const RAW_UP_TO_MS = HOUR;
/** Points of all metrics together; past it the range is asked for in buckets instead. */
export const RAW_LIMIT = 40_000;
const FEWEST_BUCKETS = 150;
const MOST_BUCKETS = 1000;

/** Raw for an hour or less, buckets beyond. */
export function planQuery(spanMs: number, widthPx: number): QueryPlan {
  return spanMs <= RAW_UP_TO_MS ? { kind: 'raw', limit: RAW_LIMIT } : planBuckets(spanMs, widthPx);
}

/**
 * About one bucket for each two pixels: finer cannot be seen, and min and max keep every peak.
 * The width counts in steps of 200 px, so that a small resize asks nothing.
 */
export function planBuckets(spanMs: number, widthPx: number): Buckets {
  const steppedPx = Math.max(200, Math.ceil(widthPx / 200) * 200);
  const wanted = Math.min(MOST_BUCKETS, Math.max(FEWEST_BUCKETS, steppedPx / 2));
  const fitting = STEPS.find(([ms]) => spanMs / ms <= wanted) ?? ([364 * DAY, '52w'] as const);
  return { kind: 'buckets', everyMs: fitting[0], every: fitting[1] };
}

/** How often a range that ends now is asked for again: the live feed is thinned, the store is not. */
export function refetchEveryMs(plan: QueryPlan): number {
  return plan.kind === 'raw' ? 60_000 : Math.min(300_000, Math.max(15_000, plan.everyMs));
}
