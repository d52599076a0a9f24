import { setTimeout as pause } from 'node:timers/promises';
import { quantile } from './report.ts';
import type { SensorWalks } from './sensor-walks.ts';

/** A store under comparison, holding the walks. */
export interface QuerySubject extends AsyncDisposable {
  readonly version: string;
  /** From the first byte sent until all can be queried, seconds. */
  readonly loadSeconds: number;
  readonly bytesOnDisk: number;
  /** One metric of one device, `fromMs` to `toMs`; returns the number of points. */
  points(device: number, metric: number, fromMs: number, toMs: number): Promise<number>;
  /** Its mean of each minute, or of a longer time; returns the number of means. */
  means(device: number, metric: number, fromMs: number, toMs: number, everyMs?: number): Promise<number>;
}

export interface QueryTiming {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly queries: number;
}

export interface SubjectTimings {
  readonly version: string;
  readonly loadSeconds: number;
  readonly bytesPerPoint: number;
  readonly lastHour: QueryTiming;
  readonly anyHour: QueryTiming;
  readonly minutesOfDay: QueryTiming;
}

const HOUR_SECONDS = 3600;

/** The same queries for each store: one at a time, device and metric at random. */
export async function timeQueries(
  subject: QuerySubject,
  walks: SensorWalks,
  metrics: number,
  roundMs: number,
): Promise<SubjectTimings> {
  const { devices, seconds } = walks.options;
  const below = (limit: number): number => Math.floor(Math.random() * limit);
  const hour = async (second: number): Promise<void> => {
    const found = await subject.points(below(devices), below(metrics), walks.timeMs(second), walks.timeMs(second + HOUR_SECONDS));
    if (found !== HOUR_SECONDS) throw new Error(`${subject.version}: ${found} points instead of ${HOUR_SECONDS}`);
  };
  const anyHour = (): Promise<void> => hour(below(Math.floor(seconds / HOUR_SECONDS)) * HOUR_SECONDS);
  const lastHour = (): Promise<void> => hour(seconds - HOUR_SECONDS);
  const minutesOfDay = async (): Promise<void> => {
    const found = await subject.means(below(devices), below(metrics), walks.timeMs(0), walks.timeMs(seconds));
    if (Math.abs(found - seconds / 60) > 1) throw new Error(`${subject.version}: ${found} means instead of ${seconds / 60}`);
  };
  await pause(500);
  return {
    version: subject.version,
    loadSeconds: subject.loadSeconds,
    bytesPerPoint: subject.bytesOnDisk / walks.points,
    lastHour: await timed(lastHour, roundMs),
    anyHour: await timed(anyHour, roundMs),
    minutesOfDay: await timed(minutesOfDay, roundMs),
  };
}

export async function timed(run: () => Promise<void>, roundMs: number): Promise<QueryTiming> {
  for (const end = performance.now() + roundMs / 4; performance.now() < end;) await run();
  const spent: number[] = [];
  for (const end = performance.now() + roundMs; performance.now() < end;) {
    const startMs = performance.now();
    await run();
    spent.push(performance.now() - startMs);
  }
  return { p50Ms: quantile(spent, 0.5), p99Ms: quantile(spent, 0.99), queries: spent.length };
}
