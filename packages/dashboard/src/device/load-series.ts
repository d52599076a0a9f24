import type { ApiClient } from '../api/client.ts';
import { fetchPlot, type Point, type Resolution } from '../api/telemetry.ts';
import { columnsFromPoints, type ChartColumns } from './chart-columns.ts';
import { plotWindow } from './plot-window.ts';

export interface SeriesRequest {
  readonly device: string;
  /** Numbers and booleans. */
  readonly numeric: readonly string[];
  readonly text: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the plot, in pixels. */
  readonly columns: number;
}

export interface LoadedSeries {
  /** What a pixel stands for. */
  readonly columnMs: number;
  readonly resolution: Resolution;
  readonly pointsFromMs: number | undefined;
  readonly columns: ReadonlyMap<string, ChartColumns>;
  readonly texts: ReadonlyMap<string, readonly Point[]>;
}

/** A device's clock may be ahead. */
const AHEAD_MS = 60_000;

/** Fetches what the charts of a device show: so many points that no pixel would be another one with more. */
export async function loadSeries(client: ApiClient, request: SeriesRequest, signal: AbortSignal): Promise<LoadedSeries> {
  const { device, numeric, text, fromMs, toMs, columns } = request;
  const metrics = [...numeric, ...text];
  const columnMs = (toMs - fromMs) / columns;
  if (metrics.length === 0) {
    return { columnMs, resolution: 'raw', pointsFromMs: undefined, columns: new Map(), texts: new Map() };
  }
  const window = plotWindow(fromMs, toMs, columns, AHEAD_MS);
  const { series, resolution, pointsFromMs } = await fetchPlot(client, { device, metrics, ...window, method: 'm4' }, signal);
  return {
    columnMs,
    resolution,
    pointsFromMs,
    columns: new Map(numeric.map((metric) => [metric, columnsFromPoints(series.get(metric) ?? [])])),
    texts: new Map(text.map((metric) => [metric, series.get(metric) ?? []])),
  };
}
