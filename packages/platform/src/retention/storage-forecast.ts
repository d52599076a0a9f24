import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { StoredLevel } from './planner.ts';

/** What is stored now, and what comes every day. */
export interface Flow {
  readonly bytesPerDay: number;
  /** How long each class of it is kept; null: for ever. */
  readonly keepDays: readonly (number | null)[];
  /** Of what comes, the share of each class: indexes as `keepDays`. */
  readonly shares: readonly number[];
  /** Its end in days, and its bytes of each class; a class that `keepDays` does not have stays. */
  readonly files: readonly { readonly toDay: number; readonly bytes: readonly number[] }[];
}

export interface LevelFlow extends Flow {
  readonly level: StoredLevel;
}

export interface ArchiveFlow extends Flow {
  /** Its objects are on the volume that is told of; else it takes nothing of that. */
  readonly onVolume: boolean;
}

export interface ForecastPoint {
  readonly atMs: number;
  readonly inDays: number;
  /** Of all levels. */
  readonly bytes: number;
  readonly archiveBytes: number;
  readonly freeBytes: number;
}

export interface Forecast {
  readonly bytesPerDay: Readonly<Record<StoredLevel, number>>;
  /** Undefined: there is none. */
  readonly archive: { readonly bytes: number; readonly bytesPerDay: number; readonly onVolume: boolean } | undefined;
  readonly points: readonly ForecastPoint[];
  /** When the floor of free space is reached; undefined: not within ten years. */
  readonly floorAtMs: number | undefined;
  /**
   * What the levels, and an archive on the volume, come to where everything has reached its age; undefined where something is
   * kept for ever.
   */
  readonly steadyBytes: number | undefined;
}

/** Today counts as a rate once this share of it is over. */
export const LEAST_OF_DAY = 0.02;
const HORIZON_DAYS = 3_653;
const SHOWN = [1, 7, 30, 90, 365];

/** Disk use as it goes on at today's rate, by the policies as they are. */
export function forecast(input: {
  readonly nowMs: number;
  readonly flows: readonly LevelFlow[];
  readonly archive?: ArchiveFlow | undefined;
  readonly freeBytes: number;
  readonly floorBytes: number;
}): Forecast {
  const { nowMs, flows, archive, freeBytes, floorBytes } = input;
  const archived = archive === undefined ? [] : [archive];
  const onVolume: readonly Flow[] = [...flows, ...archived.filter((flow) => flow.onVolume)];
  const bytesIn = (of: readonly Flow[], days: number): number => of.reduce((sum, flow) => sum + flowIn(flow, nowMs, days), 0);
  const now = bytesIn(onVolume, 0);
  const freeIn = (days: number): number => freeBytes - (bytesIn(onVolume, days) - now);
  const point = (inDays: number): ForecastPoint => ({
    atMs: nowMs + inDays * DAY_MS,
    inDays,
    bytes: Math.round(bytesIn(flows, inDays)),
    archiveBytes: Math.round(bytesIn(archived, inDays)),
    freeBytes: Math.round(freeIn(inDays)),
  });
  let floorAtMs: number | undefined;
  for (let day = 0; day <= HORIZON_DAYS && floorAtMs === undefined; day++)
    if (freeIn(day) < floorBytes) floorAtMs = nowMs + day * DAY_MS;
  return {
    bytesPerDay: Object.fromEntries(
      (['raw', 'hourly', 'daily'] as const).map((level) => [
        level,
        Math.round(flows.find((flow) => flow.level === level)?.bytesPerDay ?? 0),
      ]),
    ) as Record<StoredLevel, number>, // one entry for each level
    archive: archive && {
      bytes: archive.files.reduce((sum, { bytes }) => bytes.reduce((part, size) => part + size, sum), 0),
      bytesPerDay: Math.round(archive.bytesPerDay),
      onVolume: archive.onVolume,
    },
    points: SHOWN.map(point),
    floorAtMs,
    steadyBytes: onVolume.some(isEndless) ? undefined : Math.round(onVolume.reduce((sum, flow) => sum + steady(flow), 0)),
  };
}

function flowIn({ bytesPerDay, keepDays, shares, files }: Flow, nowMs: number, days: number): number {
  const today = nowMs / DAY_MS + days;
  let bytes = 0;
  for (const file of files) {
    file.bytes.forEach((size, index) => {
      const keep = keepDays[index];
      // What is of no class any more is held, or of removed devices.
      if (keep === undefined || keep === null || file.toDay + keep > today) bytes += size;
    });
  }
  shares.forEach((share, index) => (bytes += bytesPerDay * share * Math.min(days, keepDays[index] ?? days)));
  return bytes;
}

function isEndless({ bytesPerDay, shares, keepDays }: Flow): boolean {
  return bytesPerDay > 0 && shares.some((share, index) => share > 0 && keepDays[index] === null);
}

function steady({ bytesPerDay, shares, keepDays, files }: Flow): number {
  const stays = files.reduce(
    (sum, { bytes }) => sum + bytes.reduce((part, size, index) => part + ((keepDays[index] ?? null) === null ? size : 0), 0),
    0,
  );
  return shares.reduce((sum, share, index) => sum + bytesPerDay * share * ((keepDays[index] ?? 0) + 1), stays);
}
