import type { ApiClient } from './client.ts';
import { asArray, asObject } from './json.ts';

export type PointValue = number | boolean | string;
export type Point = readonly [timeMs: number, value: PointValue];
export type Series = ReadonlyMap<string, readonly Point[]>;
export type Aggregate = 'mean' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last';

export interface LatestValue {
  readonly metric: string;
  readonly timeMs: number;
  readonly value: PointValue;
}

export interface RangeRequest {
  readonly device: string;
  /** Empty: all of them. */
  readonly metrics: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

export interface RangeAnswer {
  readonly series: Series;
  /** False where the limit cut the answer short. */
  readonly complete: boolean;
}

export async function fetchLatest(client: ApiClient, device: string, signal?: AbortSignal): Promise<readonly LatestValue[]> {
  return latestFrom(await client.get(`${pathOf(device)}/latest`, { signal }));
}

export async function fetchRange(client: ApiClient, request: RangeRequest, signal?: AbortSignal): Promise<RangeAnswer> {
  const response = await client.send('GET', pathOf(request.device), { query: rangeQuery(request), signal });
  return { series: seriesFrom(await response.json()), complete: !response.headers.has('selsyn-next-cursor') };
}

export async function fetchBuckets(
  client: ApiClient,
  request: RangeRequest & { readonly every: string; readonly fn: Aggregate },
  signal?: AbortSignal,
): Promise<Series> {
  const query = { ...rangeQuery(request), every: request.every, fn: request.fn, tz: localTimeZone() };
  return seriesFrom(await client.get(pathOf(request.device), { query, signal }));
}

/** `{"temperature":[ms,value]}` as a list in alphabetical order. */
export function latestFrom(json: unknown): readonly LatestValue[] {
  return Object.entries(asObject(json, 'latest'))
    .map(([metric, pair]) => {
      const [timeMs, value] = pointFrom(pair, metric);
      return { metric, timeMs, value };
    })
    .sort((a, b) => (a.metric < b.metric ? -1 : 1));
}

export function seriesFrom(json: unknown): Series {
  const entries = Object.entries(asObject(json, 'telemetry'));
  return new Map(entries.map(([metric, points]) => [metric, asArray(points, metric).map((pair) => pointFrom(pair, metric))]));
}

function pointFrom(pair: unknown, metric: string): Point {
  if (Array.isArray(pair) && typeof pair[0] === 'number') {
    const value: unknown = pair[1];
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return [pair[0], value];
  }
  throw new TypeError(`The server's answer has an unexpected point of "${metric}".`);
}

function rangeQuery(request: RangeRequest) {
  const metrics = request.metrics.length === 0 ? undefined : request.metrics.join(',');
  return { metrics, from: request.fromMs, to: request.toMs, limit: request.limit };
}

function pathOf(device: string): string {
  return `/devices/${encodeURIComponent(device)}/telemetry`;
}

function localTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}
