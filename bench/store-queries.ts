/*
 * Claims: the last hour of one device, 3,600 points, comes from the store in 0.3 ms (p50), as do 30 days of hourly means
 * (720 rollups); where nothing is rolled up a mean a day over 30 days of one point a second, 2.6M points, takes 40 ms.
 *
 * Workload: 100 series of one day at 1 Hz, a 2-decimal sensor walk, in chunks of 1,024 points written in the order in
 * which they would have been sealed; two series of 30 such days, one of them rolled up but for the last hour. The last ten
 * minutes are hot: a second thread holds them and is asked first, as in the platform. One query at a time, of a series
 * picked at random.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, parentPort, Worker, workerData, type MessagePort } from 'node:worker_threads';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { parseDeviceId } from '@selsyn/platform/kernel/device-id.ts';
import { serveCalls, ThreadCaller } from '@selsyn/platform/kernel/thread-channel.ts';
import { encodeChunk } from '@selsyn/platform/telemetry/codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, dayOf, DAY_STALE, openDayFileForWrite } from '@selsyn/platform/telemetry/day-file-schema.ts';
import type { HotCalls } from '@selsyn/platform/telemetry/hot-calls.ts';
import { lowerBound } from '@selsyn/platform/telemetry/query-columns.ts';
import { seriesToJson } from '@selsyn/platform/telemetry/query-json.ts';
import { StoreQueries } from '@selsyn/platform/telemetry/query-store.ts';
import { decodeDays, encodeDays, encodeHours, NO_DAYS, replaceDay } from '@selsyn/platform/telemetry/rollups/rollup-codec.ts';
import { foldPoints, widenRollups } from '@selsyn/platform/telemetry/rollups/rollup-columns.ts';
import { openRollupFileForWrite, periodOf } from '@selsyn/platform/telemetry/rollups/rollup-file.ts';
import type { PointColumns } from '@selsyn/platform/telemetry/telemetry-queries.ts';
import { describeMachine } from './harness/machine.ts';
import { quantile, type ClaimResult, type Row } from './harness/report.ts';

const SERIES = 100;
const LONG_SERIES = SERIES;
/** As long, and rolled up. */
const ROLLED_SERIES = SERIES + 1;
const LONG_DAYS = 30;
const CHUNK_POINTS = 1_024;
const HOT_POINTS = 600;
const HOUR_MS = 3_600_000;
/** Bit of `mark.hours`: what is hot is not in it. */
const LAST_HOUR = 1 << 23;
const LAST_DAY_MS = Date.UTC(2026, 10, 21);
const END_MS = LAST_DAY_MS + DAY_MS;
const PUT_ROLLUP = 'INSERT OR REPLACE INTO rollup (period, series, generation, data) VALUES (?, ?, ?, ?)';
const ROUND_MS = 1_500;
const DEVICES = Array.from({ length: SERIES + 2 }, (_, i) => parseDeviceId(`device-${i}`));

function dayOfWalk(startMs: number): { times: Float64Array; values: Float64Array } {
  let value = 2_000;
  const times = Float64Array.from({ length: 86_400 }, (_, i) => startMs + i * 1_000);
  return { times, values: times.map(() => (value += Math.floor(Math.random() * 11) - 5) / 100) };
}

/** Writes one day of the given series and returns the bytes of its chunks. */
function fillDay(telemetryDir: string, startMs: number, series: readonly number[], points: number): number {
  const file = openDayFileForWrite(telemetryDir, dayOf(startMs), () => 1);
  const mark = file.prepare('INSERT INTO mark (series, progress, hours, generation) VALUES (?, 1, ?, 1)');
  const insert = file.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)');
  const walks = series.map(() => dayOfWalk(startMs));
  for (const [i, id] of series.entries()) {
    mark.run(id, id === ROLLED_SERIES ? (startMs === LAST_DAY_MS ? LAST_HOUR | DAY_STALE : 0) : ALL_HOURS | DAY_STALE);
    if (id === ROLLED_SERIES) rollUp(telemetryDir, startMs, walks[i]!);
  }
  let bytes = 0;
  for (let at = 0; at < points; at += CHUNK_POINTS) {
    const count = Math.min(CHUNK_POINTS, points - at);
    file.exec('BEGIN');
    for (const [i, walk] of walks.entries()) {
      const data = encodeChunk(walk.times.subarray(at), walk.values.subarray(at), count);
      bytes += data.length;
      insert.run(series[i]!, walk.times[at]!, walk.times[at + count - 1]!, count, data);
    }
    file.exec('COMMIT');
  }
  file.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  file.close();
  return bytes;
}

/** Writes the rollups of one day of the series that has them: each hour, and the day among those of its month. */
function rollUp(telemetryDir: string, startMs: number, points: PointColumns): void {
  const day = dayOf(startMs);
  const month = periodOf('1d', day);
  const hours = foldPoints([points], HOUR_MS);
  const hourly = openRollupFileForWrite(telemetryDir, '1h', day);
  hourly.prepare(PUT_ROLLUP).run(day, ROLLED_SERIES, 1, encodeHours(hours, day * DAY_MS));
  hourly.close();
  const daily = openRollupFileForWrite(telemetryDir, '1d', day);
  const known = daily.prepare('SELECT data FROM rollup WHERE period = ? AND series = ?').get(month, ROLLED_SERIES);
  const before = known === undefined ? NO_DAYS : decodeDays(known['data'] as Uint8Array, month * DAY_MS);
  const days = replaceDay(before, widenRollups(hours, DAY_MS), day * DAY_MS, 1);
  daily.prepare(PUT_ROLLUP).run(month, ROLLED_SERIES, 0, encodeDays(days, month * DAY_MS));
  daily.close();
}

/** What the processor thread does for a query: the hot points of a series, cut to the asked time. */
function serveHot(port: MessagePort): void {
  const times = Float64Array.from({ length: HOT_POINTS }, (_, i) => END_MS - (HOT_POINTS - i) * 1_000);
  const values = times.map((_, i) => 20 + i / 100);
  serveCalls<Pick<HotCalls, 'hotRead' | 'hotLatest'>>(port, {
    hotRead({ device, fromMs, toMs }) {
      const start = lowerBound(times, fromMs);
      const end = lowerBound(times, toMs, start);
      const id = Number(device.slice('device-'.length));
      return {
        series: [{ metric: 'temperature', id, times: times.slice(start, end), values: values.slice(start, end) }],
        daysVersion: 1,
        unrolledDays: Array.from({ length: LONG_DAYS }, (_, i) => dayOf(LAST_DAY_MS) - i).filter(
          (day) => day * DAY_MS < toMs && (day + 1) * DAY_MS > fromMs && (id !== ROLLED_SERIES || day === dayOf(LAST_DAY_MS)),
        ),
      };
    },
    hotLatest: ({ devices }) => ({
      devices: devices.map((device) => {
        const id = Number(device.slice('device-'.length));
        const series = { metric: 'temperature', id, timeMs: -1, value: undefined, lastDay: dayOf(LAST_DAY_MS), inStore: true };
        return { device, series: [series] };
      }),
      daysVersion: 1,
    }),
  });
}

interface Timing {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly queries: number;
}

async function timed(run: () => Promise<void>): Promise<Timing> {
  for (const end = performance.now() + ROUND_MS / 3; performance.now() < end;) await run();
  const spent: number[] = [];
  for (const end = performance.now() + ROUND_MS; performance.now() < end;) {
    const start = performance.now();
    await run();
    spent.push(performance.now() - start);
  }
  return { p50Ms: round(quantile(spent, 0.5)), p99Ms: round(quantile(spent, 0.99)), queries: spent.length };
}

function round(ms: number): number {
  return Number(ms.toFixed(3));
}

export async function storeQueries(): Promise<ClaimResult> {
  const telemetryDir = mkdtempSync(join(tmpdir(), 'selsyn-bench-queries-'));
  const { port1, port2 } = new MessageChannel();
  const processor = new Worker(new URL(import.meta.url), { workerData: 'processor' });
  processor.postMessage(port2, [port2]);
  try {
    const series = Array.from({ length: SERIES }, (_, i) => i);
    let bytes = fillDay(telemetryDir, LAST_DAY_MS, [...series, LONG_SERIES, ROLLED_SERIES], 86_400 - HOT_POINTS);
    for (let day = 1; day < LONG_DAYS; day++)
      bytes += fillDay(telemetryDir, LAST_DAY_MS - day * DAY_MS, [LONG_SERIES, ROLLED_SERIES], 86_400);
    const points = (SERIES + 2) * (86_400 - HOT_POINTS) + 2 * (LONG_DAYS - 1) * 86_400;
    using queries = new StoreQueries({ telemetryDir, hot: new ThreadCaller<HotCalls>(port1), clock: systemClock });
    return await measure(queries, bytes / points);
  } finally {
    port1.close();
    await processor.terminate();
    rmSync(telemetryDir, { recursive: true });
  }
}

async function measure(queries: StoreQueries, bytesPerPoint: number): Promise<ClaimResult> {
  const any = (): (typeof DEVICES)[number] => DEVICES[Math.floor(Math.random() * SERIES)]!;
  const lastHour = { fromMs: END_MS - HOUR_MS, toMs: END_MS, limit: 10_000 };
  const long = {
    device: DEVICES[LONG_SERIES]!,
    fromMs: END_MS - LONG_DAYS * DAY_MS,
    toMs: END_MS,
    limit: 100_000,
    timeZone: 'Europe/Berlin',
  };
  const expectCount = (count: number, wanted: number): void => {
    if (count !== wanted) throw new Error(`${count} instead of ${wanted}`);
  };
  const timings: Record<string, Timing> = {
    'last hour, 3,600 points': await timed(async () => {
      const answer = await queries.range({ device: any(), ...lastHour });
      expectCount(answer.metrics.get('temperature')!.times.length, 3_600);
    }),
    'last hour as JSON text': await timed(async () => {
      seriesToJson((await queries.range({ device: any(), ...lastHour })).metrics);
    }),
    'an hour in the past, 3,600 points': await timed(async () => {
      const fromMs = LAST_DAY_MS + Math.floor(Math.random() * 20) * HOUR_MS;
      const answer = await queries.range({ device: any(), fromMs, toMs: fromMs + HOUR_MS, limit: 10_000 });
      expectCount(answer.metrics.get('temperature')!.times.length, 3_600);
    }),
    'latest of 100 devices, all from the store': await timed(async () => {
      expectCount((await queries.latest(DEVICES.slice(0, 100))).size, 100);
    }),
    'mean a minute over an hour': await timed(async () => {
      const answer = await queries.aggregate({ ...lastHour, device: any(), every: { ms: 60_000 }, fn: 'mean', timeZone: 'UTC' });
      expectCount(answer.metrics.get('temperature')!.times.length, 60);
    }),
    'mean an hour over 30 days, 720 rollups': await timed(async () => {
      const answer = await queries.aggregate({ ...long, device: DEVICES[ROLLED_SERIES]!, every: { ms: HOUR_MS }, fn: 'mean' });
      expectCount(answer.metrics.get('temperature')!.times.length, LONG_DAYS * 24);
    }),
    'mean a day (Berlin) over 30 days, 720 rollups': await timed(async () => {
      await queries.aggregate({ ...long, device: DEVICES[ROLLED_SERIES]!, every: { calendar: 'day', count: 1 }, fn: 'mean' });
    }),
    'mean a day (UTC) over 30 days, 30 rollups': await timed(async () => {
      const query = { ...long, timeZone: 'UTC', device: DEVICES[ROLLED_SERIES]! };
      await queries.aggregate({ ...query, every: { calendar: 'day', count: 1 }, fn: 'mean' });
    }),
    'plot of 30 days, 700 pixels, of rollups': await timed(async () => {
      await queries.plot({ ...long, device: DEVICES[ROLLED_SERIES]!, width: 700, method: 'm4' });
    }),
    'plot of 30 days, 800 pixels, of 2.6M points': await timed(async () => {
      await queries.plot({ ...long, width: 800, method: 'm4' });
    }),
    'mean an hour over 30 days, 2.6M points': await timed(async () => {
      const answer = await queries.aggregate({ ...long, every: { ms: HOUR_MS }, fn: 'mean' });
      expectCount(answer.metrics.get('temperature')!.times.length, LONG_DAYS * 24);
    }),
    'mean a day over 30 days, 2.6M points': await timed(async () => {
      await queries.aggregate({ ...long, every: { calendar: 'day', count: 1 }, fn: 'mean' });
    }),
    'maximum a minute over 30 days, 2.6M points': await timed(async () => {
      await queries.aggregate({ ...long, every: { ms: 60_000 }, fn: 'max' });
    }),
  };
  const targets: Readonly<Record<string, number>> = {
    'last hour, 3,600 points': 0.3,
    'mean an hour over 30 days, 720 rollups': 0.3,
    'mean an hour over 30 days, 2.6M points': 40,
    'mean a day over 30 days, 2.6M points': 40,
  };
  const rows = Object.entries(timings).map(([what, { p50Ms, p99Ms }]): Row => {
    const target = targets[what];
    const row = { what, selsyn: `p50 ${p50Ms} ms, p99 ${p99Ms} ms` };
    return target === undefined ? row : { ...row, target: `p50 ${target} ms`, holds: p50Ms <= target };
  });
  return {
    claim: 'store-queries',
    workload: '100 series of a day and two of 30 days at 1 Hz, one of them rolled up; the last ten minutes hot in another thread',
    machine: describeMachine(),
    rows,
    measured: { timings, chunkBytesPerPoint: round(bytesPerPoint) },
  };
}

if (workerData === 'processor') parentPort!.once('message', (port: MessagePort) => serveHot(port));
else if (import.meta.main) process.stdout.write(`${JSON.stringify(await storeQueries(), undefined, 2)}\n`);
