import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalNumber, optionalObject, optionalText, text, truth, type Json } from './json.ts';

/** A part of what is stored. */
export interface StoredPart {
  readonly bytes: number;
  readonly files: number;
  /** UTC dates, both included; absent where there is none. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export const LEVELS = ['raw', 'hourly', 'daily'] as const;
export type Level = (typeof LEVELS)[number];

export interface ForecastPoint {
  readonly inDays: number;
  /** Of all levels. */
  readonly bytes: number;
  readonly archiveBytes: number;
  readonly freeBytes: number;
}

export interface ArchiveForecast {
  readonly bytes: number;
  readonly bytesPerDay: number;
  /** Else it takes nothing of what is free here. */
  readonly onVolume: boolean;
}

export interface Storage {
  readonly volume: {
    readonly state: string;
    readonly sizeBytes: number;
    readonly freeBytes: number;
    readonly floorBytes: number;
    readonly whenShort: string;
  };
  readonly parts: Readonly<
    Record<Level | 'future' | 'broken' | 'archive' | 'archiveElsewhere' | 'archiveCache' | 'log' | 'other', StoredPart>
  >;
  readonly forecast: {
    readonly bytesPerDay: Readonly<Record<Level, number>>;
    /** The day whose raw points are taken for the rate. */
    readonly rateOf: string | undefined;
    /** Absent: nothing is archived. */
    readonly archive: ArchiveForecast | undefined;
    readonly points: readonly ForecastPoint[];
    /** Absent: not within ten years. */
    readonly floorAtMs: number | undefined;
    /** Absent where something is kept for ever. */
    readonly steadyBytes: number | undefined;
  };
}

export async function fetchStorage(client: ApiClient, signal?: AbortSignal): Promise<Storage> {
  const source = asObject(await client.get('/storage', { signal }), 'storage');
  const volume = asObject(source['volume'], 'volume');
  const levels = asObject(source['levels'], 'levels');
  const forecast = asObject(source['forecast'], 'forecast');
  const rates = asObject(forecast['bytesPerDay'], 'bytesPerDay');
  return {
    volume: {
      state: text(volume, 'state'),
      sizeBytes: number(volume, 'sizeBytes'),
      freeBytes: number(volume, 'freeBytes'),
      floorBytes: number(volume, 'floorBytes'),
      whenShort: text(volume, 'whenShort'),
    },
    parts: {
      raw: partFrom(levels, 'raw'),
      hourly: partFrom(levels, 'hourly'),
      daily: partFrom(levels, 'daily'),
      future: partFrom(source, 'future'),
      broken: partFrom(source, 'broken'),
      archive: partFrom(source, 'archive'),
      archiveElsewhere: partFrom(source, 'archiveElsewhere'),
      archiveCache: partFrom(source, 'archiveCache'),
      log: partFrom(source, 'log'),
      other: partFrom(source, 'other'),
    },
    forecast: {
      bytesPerDay: { raw: number(rates, 'raw'), hourly: number(rates, 'hourly'), daily: number(rates, 'daily') },
      rateOf: optionalText(forecast, 'rateOf'),
      archive: archiveFrom(optionalObject(forecast, 'archive')),
      points: objects(forecast, 'points', (point) => ({
        inDays: number(point, 'inDays'),
        bytes: number(point, 'bytes'),
        archiveBytes: number(point, 'archiveBytes'),
        freeBytes: number(point, 'freeBytes'),
      })),
      floorAtMs: optionalNumber(forecast, 'floorAtMs'),
      steadyBytes: optionalNumber(forecast, 'steadyBytes'),
    },
  };
}

function archiveFrom(archive: Json | undefined): ArchiveForecast | undefined {
  if (archive === undefined) return undefined;
  return {
    bytes: number(archive, 'bytes'),
    bytesPerDay: number(archive, 'bytesPerDay'),
    onVolume: truth(archive, 'onVolume'),
  };
}

function partFrom(source: Json, field: string): StoredPart {
  const part = asObject(source[field], field);
  return {
    bytes: number(part, 'bytes'),
    files: number(part, 'files'),
    from: optionalText(part, 'from'),
    to: optionalText(part, 'to'),
  };
}
