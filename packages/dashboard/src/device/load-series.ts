import type { ApiClient } from '../api/client.ts';
import { fetchBuckets, fetchRange, type Point } from '../api/telemetry.ts';
import { columnsFromBuckets, columnsFromPoints, type ChartColumns } from './chart-columns.ts';
import { planBuckets, type QueryPlan } from './query-plan.ts';

export interface SeriesRequest {
  readonly device: string;
  /** Numbers and booleans. */
  readonly numeric: readonly string[];
  readonly text: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly plan: QueryPlan;
  readonly widthPx: number;
}

export interface LoadedSeries {
  /** 0 for points, otherwise the length of a bucket. */
  readonly everyMs: number;
  readonly every: string | undefined;
  readonly columns: ReadonlyMap<string, ChartColumns>;
  readonly texts: ReadonlyMap<string, readonly Point[]>;
}

const MOST_POINTS = 1_000_000;
/** A device's clock may be ahead. */
const AHEAD_MS = 60_000;

/** Fetches what the charts of a device need: points, or buckets where there are too many points for that. */
export async function loadSeries(client: ApiClient, request: SeriesRequest, signal: AbortSignal): Promise<LoadedSeries> {
  if (request.numeric.length + request.text.length === 0)
    return { everyMs: 0, every: undefined, columns: new Map(), texts: new Map() };
  const window = { device: request.device, fromMs: Math.floor(request.fromMs), toMs: Math.ceil(request.toMs) + AHEAD_MS };
  let plan = request.plan;
  if (plan.kind === 'raw') {
    const metrics = [...request.numeric, ...request.text];
    const { series, complete } = await fetchRange(client, { ...window, metrics, limit: plan.limit }, signal);
    if (complete) {
      return {
        everyMs: 0,
        every: undefined,
        columns: new Map(request.numeric.map((metric) => [metric, columnsFromPoints(series.get(metric) ?? [])])),
        texts: new Map(request.text.map((metric) => [metric, series.get(metric) ?? []])),
      };
    }
    plan = planBuckets(request.toMs - request.fromMs, request.widthPx);
  }
  const { every, everyMs } = plan;
  const buckets = async (metrics: readonly string[], fn: 'mean' | 'min' | 'max' | 'last') =>
    metrics.length === 0
      ? new Map<string, readonly Point[]>()
      : await fetchBuckets(client, { ...window, metrics, limit: MOST_POINTS, every, fn }, signal);
  const [mean, min, max, texts] = await Promise.all([
    buckets(request.numeric, 'mean'),
    buckets(request.numeric, 'min'),
    buckets(request.numeric, 'max'),
    buckets(request.text, 'last'),
  ]);
  const columns = request.numeric.map(
    (metric) => [metric, columnsFromBuckets(mean.get(metric) ?? [], min.get(metric) ?? [], max.get(metric) ?? [])] as const,
  );
  return { everyMs, every, columns: new Map(columns), texts };
}
