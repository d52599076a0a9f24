import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { StoredLevel } from './planner.ts';
import type { KeptDays } from './retention-policy.ts';

/** What is stored of one level now, and what comes every day. */
export interface LevelFlow {
  readonly level: StoredLevel;
  readonly bytesPerDay: number;
  /** Of what comes, the share of each class: indexes as `classes`. */
  readonly shares: readonly number[];
  /** Its end in days, and its bytes of each class. */
  readonly files: readonly { readonly toDay: number; readonly bytes: readonly number[] }[];
}

export interface ForecastPoint {
  readonly atMs: number;
  readonly inDays: number;
  readonly bytes: number;
  readonly freeBytes: number;
}

export interface Forecast {
  readonly bytesPerDay: Readonly<Record<StoredLevel, number>>;
  readonly points: readonly ForecastPoint[];
  /** When the floor of free space is reached; undefined: not within ten years. */
  readonly floorAtMs: number | undefined;
  /** What it comes to where everything has reached its age; undefined where something is kept for ever. */
  readonly steadyBytes: number | undefined;
}

const HORIZON_DAYS = 3_653;
const SHOWN = [1, 7, 30, 90, 365];

/** Disk use as it goes on at today's rate, by the policies as they are. */
export function forecast(input: {
  readonly nowMs: number;
  readonly flows: readonly LevelFlow[];
  readonly classes: readonly KeptDays[];
  readonly freeBytes: number;
  readonly floorBytes: number;
}): Forecast {
  const { nowMs, flows, classes, freeBytes, floorBytes } = input;
  const bytesIn = (days: number): number => flows.reduce((sum, flow) => sum + flowIn(flow, classes, nowMs, days), 0);
  const now = bytesIn(0);
  const freeIn = (days: number): number => freeBytes - (bytesIn(days) - now);
  const point = (inDays: number): ForecastPoint => ({
    atMs: nowMs + inDays * DAY_MS,
    inDays,
    bytes: Math.round(bytesIn(inDays)),
    freeBytes: Math.round(freeIn(inDays)),
  });
  let floorAtMs: number | undefined;
  for (let day = 0; day <= HORIZON_DAYS && floorAtMs === undefined; day++)
    if (freeIn(day) < floorBytes) floorAtMs = nowMs + day * DAY_MS;
  const endless = flows.some(
    ({ level, bytesPerDay, shares }) =>
      bytesPerDay > 0 && shares.some((share, index) => share > 0 && classes[index]?.[level] === null),
  );
  return {
    bytesPerDay: Object.fromEntries(
      (['raw', 'hourly', 'daily'] as const).map((level) => [
        level,
        Math.round(flows.find((flow) => flow.level === level)?.bytesPerDay ?? 0),
      ]),
    ) as Record<StoredLevel, number>, // one entry for each level
    points: SHOWN.map(point),
    floorAtMs,
    steadyBytes: endless ? undefined : Math.round(steady(flows, classes)),
  };
}

function flowIn(
  { level, bytesPerDay, shares, files }: LevelFlow,
  classes: readonly KeptDays[],
  nowMs: number,
  days: number,
): number {
  const today = nowMs / DAY_MS + days;
  let bytes = 0;
  for (const file of files) {
    file.bytes.forEach((size, index) => {
      const keep = classes[index]?.[level];
      // What is of no class any more is held, or of removed devices.
      if (keep === undefined || keep === null || file.toDay + keep > today) bytes += size;
    });
  }
  shares.forEach((share, index) => (bytes += bytesPerDay * share * Math.min(days, classes[index]?.[level] ?? days)));
  return bytes;
}

function steady(flows: readonly LevelFlow[], classes: readonly KeptDays[]): number {
  return flows.reduce(
    (sum, { level, bytesPerDay, shares }) =>
      sum + shares.reduce((part, share, index) => part + bytesPerDay * share * ((classes[index]?.[level] ?? 0) + 1), 0),
    0,
  );
}
