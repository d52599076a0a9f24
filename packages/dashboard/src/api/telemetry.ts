import type { ApiClient } from './client.ts';
import { asArray, asObject, isJson } from './json.ts';

export type PointValue = number | boolean | string;
export type Point = readonly [timeMs: number, value: PointValue];
export type Series = ReadonlyMap<string, readonly Point[]>;
/** What a plot was made of: points, or what is known of each hour or day. */
export type Resolution = 'raw' | '1h' | '1d';

export interface LatestValue {
  readonly metric: string;
  readonly timeMs: number;
  readonly value: PointValue;
  /** Beyond the range that the device type gives the metric; absent: within it, or not known. */
  readonly isOutOfRange?: boolean;
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

export interface PlotRequest {
  readonly device: string;
  /** Empty: all of them. */
  readonly metrics: readonly string[];
  /** Absent: from the first point. */
  readonly fromMs: number | undefined;
  /** Absent: to the last point. */
  readonly toMs: number | undefined;
  /** Columns of pixels. */
  readonly widthPx: number;
  /** `m4`: no peak is lost; `lttb`: one point a column. */
  readonly method: 'm4' | 'lttb';
}

export interface Plot {
  readonly series: Series;
  readonly resolution: Resolution;
  /** Where points of the asked time are gone: from when on there are some. */
  readonly pointsFromMs: number | undefined;
}

/** As many points as a plot of so many pixels shows. */
export async function fetchPlot(client: ApiClient, request: PlotRequest, signal?: AbortSignal): Promise<Plot> {
  const { device, metrics, fromMs: from, toMs: to, widthPx: width, method: plot } = request;
  const query = { metrics: listOf(metrics), from, to, every: 'auto', width, plot };
  const response = await client.send('GET', pathOf(device), { query, signal });
  const resolution = response.headers.get('selsyn-resolution');
  const pointsFromMs = Date.parse(response.headers.get('selsyn-points-from') ?? '');
  return {
    series: seriesFrom(await response.json()),
    resolution: resolution === '1h' || resolution === '1d' ? resolution : 'raw',
    pointsFromMs: Number.isNaN(pointsFromMs) ? undefined : pointsFromMs,
  };
}

/** `{"temperature":[ms,value]}`, or `[ms,value,{"outOfRange":true}]`, as a list in alphabetical order. */
export function latestFrom(json: unknown): readonly LatestValue[] {
  return Object.entries(asObject(json, 'latest'))
    .map(([metric, pair]) => {
      const [timeMs, value] = pointFrom(pair, metric);
      return { metric, timeMs, value, ...(isMarked(pair) && { isOutOfRange: true }) };
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

function isMarked(pair: unknown): boolean {
  return Array.isArray(pair) && isJson(pair[2]) && pair[2]['outOfRange'] === true;
}

function rangeQuery({ metrics, fromMs, toMs, limit }: RangeRequest) {
  return { metrics: listOf(metrics), from: fromMs, to: toMs, limit };
}

function listOf(metrics: readonly string[]): string | undefined {
  return metrics.length === 0 ? undefined : metrics.join(',');
}

function pathOf(device: string): string {
  return `/devices/${encodeURIComponent(device)}/telemetry`;
}
