import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { folderBytes } from './harness/folder-size.ts';
import { describeMachine } from './harness/machine.ts';
import { amount, IS_SHORT, seconds } from './harness/phase.ts';
import { timed, type QuerySubject, type QueryTiming } from './harness/query-subject.ts';
import { ms, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { SensorWalks } from './harness/sensor-walks.ts';
import { influxWith } from './harness/subject-influx.ts';
import { postgresWith } from './harness/subject-postgres.ts';
import { selsynWith } from './harness/subject-selsyn.ts';
import { victoriaMetricsWith } from './harness/subject-victoria-metrics.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = 60_000;
const DAYS = IS_SHORT ? 2 : 7;
const DEVICES = amount(10_000);
/** What is measured is this part of the reference case: a million devices, a week. */
const SHARE = DEVICES / 1_000_000;
/** Selsyn's own work after the data has come: rolled up, archived, compacted. */
const UPKEEP_DEADLINE_MS = 1_500_000;
const SETTINGS = ['archive.target=disk'] as const;

interface Bytes {
  readonly raw: number;
  readonly hourly?: number;
  readonly daily?: number;
  readonly parquet?: number;
}

interface Measured {
  readonly version: string;
  readonly loadSeconds: number;
  readonly bytes: Bytes;
  readonly lastHour: QueryTiming;
  readonly day: QueryTiming;
  readonly hourlyMeans: QueryTiming;
  readonly dailyMeans: QueryTiming;
}

/**
 * The reference case, scaled: a million devices that report once a minute for a week, of which a hundredth is measured (10,000 devices,
 * 100.8M points), in Selsyn with rollups and the archive and in its peers. One after the other, each alone on the machine.
 */
export async function reference(): Promise<ClaimResult> {
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAYS * DAY_MS;
  const walks = new SensorWalks({ devices: DEVICES, startMs, seconds: DAYS * 1440, stepMs: STEP_MS, metrics: 1 });
  const ours = told(await measureSelsyn(walks));
  const victoria = told(await measure(await victoriaMetricsWith(walks), walks));
  const influx = told(await measureRolledUp(await influxWith(walks), walks));
  const postgres = told(await measureRolledUp(await postgresWith(walks), walks));
  const peers = [victoria, influx, postgres].filter((peer) => peer !== undefined);
  return {
    claim: 'reference',
    workload: `${whole(DEVICES)} devices, a point a minute for ${DAYS} days, 2-decimal walks: ${whole(walks.points)} points; whole case: x ${whole(1 / SHARE)}`,
    machine: describeMachine(Object.fromEntries(peers.map(({ version }) => [version.split(' ')[0] ?? version, version]))),
    rows: [...sizeRows(ours, peers, walks.points), ...timeRows(ours, peers, walks.points)],
    measured: { selsyn: ours, peers },
  };
}

/** It takes half an hour: each store is told when it is measured. */
function told<T extends Measured | undefined>(measured: T): T {
  if (measured !== undefined) process.stdout.write(`  ${JSON.stringify(measured)}\n`);
  return measured;
}

function sizeRows(ours: Measured, peers: readonly Measured[], points: number): Row[] {
  const row = (what: string, of: (bytes: Bytes) => number | undefined): Row => {
    const text = (measured: Measured): string => {
      const bytes = of(measured.bytes);
      return bytes === undefined ? 'none' : `${(bytes / points).toFixed(2)} B a point, ${gigabytes(bytes / SHARE)}`;
    };
    const own = of(ours.bytes)!;
    const ratio = (peer: Measured): string => {
      const bytes = of(peer.bytes);
      return bytes === undefined ? '-' : times(bytes, own);
    };
    return {
      what,
      selsyn: text(ours),
      peer: peers.map((peer) => `${peer.version} ${text(peer)}`).join(', '),
      ratio: peers.map(ratio).join(', '),
    };
  };
  return [
    row('raw points, whole case', ({ raw }) => raw),
    row('hourly rollups', ({ hourly }) => hourly),
    row('daily rollups', ({ daily }) => daily),
    row('Parquet archive', ({ parquet }) => parquet),
  ];
}

function timeRows(ours: Measured, peers: readonly Measured[], points: number): Row[] {
  const row = (what: string, of: (measured: Measured) => QueryTiming, targetMs?: number): Row => ({
    what,
    selsyn: `p50 ${ms(of(ours).p50Ms)}, p99 ${ms(of(ours).p99Ms)}`,
    peer: peers.map((peer) => `${peer.version} p50 ${ms(of(peer).p50Ms)}, p99 ${ms(of(peer).p99Ms)}`).join(', '),
    ratio: peers.map((peer) => times(of(peer).p50Ms, of(ours).p50Ms)).join(', '),
    ...(targetMs !== undefined && { target: `<= ${targetMs} ms`, holds: of(ours).p50Ms <= targetMs }),
  });
  return [
    row('last hour of a device', ({ lastHour }) => lastHour, 2),
    row('a day of a device, 1,440 points', ({ day }) => day),
    row(`mean an hour, ${DAYS} days`, ({ hourlyMeans }) => hourlyMeans, 2),
    row(`mean a day, ${DAYS} days`, ({ dailyMeans }) => dailyMeans, 2),
    {
      what: 'points loaded a second',
      selsyn: whole(points / ours.loadSeconds),
      peer: peers.map((peer) => `${peer.version} ${whole(points / peer.loadSeconds)}`).join(', '),
      ratio: peers.map((peer) => times(peer.loadSeconds, ours.loadSeconds)).join(', '),
    },
  ];
}

async function measureSelsyn(walks: SensorWalks): Promise<Measured> {
  await using subject = await selsynWith(walks, SETTINGS);
  const data = join(subject.folder, 'data');
  const bytesIn = (...parts: string[]): number => folderBytes(join(data, ...parts));
  const parquet = (): number => folderBytes(join(data, 'archive'), (path) => path.endsWith('.parquet'));
  await quiet(() => bytesIn('telemetry', 'days') + bytesIn('telemetry', 'rollups') + parquet());
  await subject.reconnect();
  const timings = await timingsOf(subject, walks);
  const bytes = {
    raw: bytesIn('telemetry', 'days'),
    hourly: bytesIn('telemetry', 'rollups', 'hourly'),
    daily: bytesIn('telemetry', 'rollups', 'daily'),
    parquet: parquet(),
  };
  return { version: subject.version, loadSeconds: subject.loadSeconds, bytes, ...timings };
}

/** Waits until nothing has changed for a while: everything is rolled up and archived. */
async function quiet(size: () => number): Promise<void> {
  const deadline = performance.now() + UPKEEP_DEADLINE_MS;
  for (let last = -1, same = 0; same < 75 && performance.now() < deadline;) {
    const now = size();
    same = now === last ? same + 1 : 0;
    last = now;
    await pause(1000);
  }
}

async function measure(subject: QuerySubject | undefined, walks: SensorWalks): Promise<Measured | undefined> {
  if (subject === undefined) return undefined;
  await using store = subject;
  const { version, loadSeconds, bytesOnDisk } = store;
  return { version, loadSeconds, bytes: { raw: bytesOnDisk }, ...(await timingsOf(store, walks)) };
}

/** Queries of its points first: it has no way to choose between the two by itself. */
async function measureRolledUp(
  subject: (QuerySubject & { rollUp(): Promise<{ readonly hourly: number; readonly daily: number }> }) | undefined,
  walks: SensorWalks,
): Promise<Measured | undefined> {
  if (subject === undefined) return undefined;
  await using store = subject;
  const { version, loadSeconds, bytesOnDisk } = store;
  const timings = await timingsOf(store, walks);
  return { version, loadSeconds, bytes: { raw: bytesOnDisk, ...(await store.rollUp()) }, ...timings };
}

async function timingsOf(
  subject: QuerySubject,
  walks: SensorWalks,
): Promise<Pick<Measured, 'lastHour' | 'day' | 'hourlyMeans' | 'dailyMeans'>> {
  const device = (): number => Math.floor(Math.random() * DEVICES);
  const endMs = walks.timeMs(walks.options.seconds);
  const expect = (found: number, wanted: number): void => {
    if (Math.abs(found - wanted) > 1) throw new Error(`${subject.version}: ${found} instead of ${wanted}`);
  };
  const round = seconds(3) * 1000;
  return {
    lastHour: await timed(async () => expect(await subject.points(device(), 0, endMs - HOUR_MS, endMs), 60), round),
    day: await timed(async () => {
      const startMs = walks.options.startMs + Math.floor(Math.random() * DAYS) * DAY_MS;
      expect(await subject.points(device(), 0, startMs, startMs + DAY_MS), 1440);
    }, round),
    hourlyMeans: await timed(
      async () => expect(await subject.means(device(), 0, walks.options.startMs, endMs, HOUR_MS), DAYS * 24),
      round,
    ),
    dailyMeans: await timed(
      async () => expect(await subject.means(device(), 0, walks.options.startMs, endMs, DAY_MS), DAYS),
      round,
    ),
  };
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
