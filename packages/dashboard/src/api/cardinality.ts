import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalNumber, optionalText, text, texts, truth, type Json } from './json.ts';

/** Series, and those of them that came lately. */
export interface SeriesCounts {
  readonly series: number;
  readonly newInHour: number;
  readonly newInDay: number;
}

/** Absent limit: none. */
export interface SeriesUse {
  readonly series: number;
  readonly limit: number | undefined;
  readonly state: string;
}

export interface DeviceSeries extends SeriesCounts {
  readonly device: string;
  readonly type: string | undefined;
  readonly limit: number | undefined;
}

/** Names that look as if ids, times or numbers were part of them. */
export interface Suspect extends SeriesCounts {
  readonly pattern: string;
  readonly kind: string;
  readonly names: number;
  readonly more: boolean;
  readonly examples: readonly string[];
  readonly device: string;
}

export interface Cardinality extends SeriesCounts, SeriesUse {
  readonly atMs: number;
  readonly watchedSinceMs: number;
  readonly devices: number;
  readonly fullAtMs: number | undefined;
  readonly types: readonly (SeriesUse & { readonly type: string; readonly seriesPerDevice: number | undefined })[];
  readonly fullDevices: readonly (SeriesUse & { readonly device: string })[];
  readonly topDevices: readonly DeviceSeries[];
  readonly growingDevices: readonly DeviceSeries[];
  readonly topMetrics: readonly (SeriesCounts & { readonly metric: string })[];
  readonly suspects: readonly Suspect[];
  /** Messages, since the start, by the limit that was reached. */
  readonly refused: { readonly device: number; readonly type: number; readonly whole: number };
  readonly refusedDevices: readonly {
    readonly device: string;
    readonly scope: string;
    readonly messages: number;
    readonly lastMs: number;
  }[];
}

export async function fetchCardinality(client: ApiClient, signal?: AbortSignal): Promise<Cardinality> {
  const source = asObject(await client.get('/cardinality', { signal }), 'cardinality');
  const refused = asObject(source['refused'], 'refused');
  return {
    ...countsFrom(source),
    ...useFrom(source),
    atMs: number(source, 'atMs'),
    watchedSinceMs: number(source, 'watchedSinceMs'),
    devices: number(source, 'devices'),
    fullAtMs: optionalNumber(source, 'fullAtMs'),
    types: objects(source, 'types', (type) => ({
      ...useFrom(type),
      type: text(type, 'type'),
      seriesPerDevice: optionalNumber(type, 'seriesPerDevice'),
    })),
    fullDevices: objects(source, 'fullDevices', (device) => ({ ...useFrom(device), device: text(device, 'device') })),
    topDevices: objects(source, 'topDevices', deviceFrom),
    growingDevices: objects(source, 'growingDevices', deviceFrom),
    topMetrics: objects(source, 'topMetrics', (metric) => ({ ...countsFrom(metric), metric: text(metric, 'metric') })),
    suspects: objects(source, 'suspects', (suspect) => ({
      ...countsFrom(suspect),
      pattern: text(suspect, 'pattern'),
      kind: text(suspect, 'kind'),
      names: number(suspect, 'names'),
      more: truth(suspect, 'more'),
      examples: texts(suspect, 'examples'),
      device: text(suspect, 'device'),
    })),
    refused: { device: number(refused, 'device'), type: number(refused, 'type'), whole: number(refused, 'whole') },
    refusedDevices: objects(source, 'refusedDevices', (one) => ({
      device: text(one, 'device'),
      scope: text(one, 'scope'),
      messages: number(one, 'messages'),
      lastMs: number(one, 'lastMs'),
    })),
  };
}

function countsFrom(source: Json): SeriesCounts {
  return { series: number(source, 'series'), newInHour: number(source, 'newInHour'), newInDay: number(source, 'newInDay') };
}

function useFrom(source: Json): SeriesUse {
  return { series: number(source, 'series'), limit: optionalNumber(source, 'limit'), state: text(source, 'state') };
}

function deviceFrom(source: Json): DeviceSeries {
  return {
    ...countsFrom(source),
    device: text(source, 'device'),
    type: optionalText(source, 'type'),
    limit: optionalNumber(source, 'limit'),
  };
}
