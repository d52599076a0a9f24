import { describeMachine } from './harness/machine.ts';
import { amount, IS_SHORT, seconds } from './harness/phase.ts';
import { timeQueries, type QuerySubject, type QueryTiming, type SubjectTimings } from './harness/query-subject.ts';
import { ms, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { METRIC_NAMES, SensorWalks } from './harness/sensor-walks.ts';
import { postgresWith } from './harness/subject-postgres.ts';
import { selsynWith } from './harness/subject-selsyn.ts';
import { victoriaMetricsWith } from './harness/subject-victoria-metrics.ts';

const DAY_MS = 86_400_000;
const DEVICES = amount(100);

/**
 * A day of 100 devices with 3 metrics at 1 Hz, 25.9M points, in Selsyn and in its peers, each over its own protocol on one
 * connection; bytes on disk are of all the files or relations that hold the points, with their indexes.
 */
export async function queries(): Promise<ClaimResult> {
  // Yesterday, whole: one day file.
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const walks = new SensorWalks({ devices: DEVICES, startMs, seconds: IS_SHORT ? 14_400 : 86_400 });
  const ours = await measure(await selsynWith(walks), walks);
  const victoria = await measure(await victoriaMetricsWith(walks), walks);
  const postgres = await measure(await postgresWith(walks), walks);
  if (ours === undefined) throw new Error('nothing was measured');
  const peers = [victoria, postgres].filter((peer) => peer !== undefined);
  const compare = (what: string, of: (timings: SubjectTimings) => number, text: (value: number) => string): Row => ({
    what,
    selsyn: text(of(ours)),
    peer: peers.map((peer) => `${peer.version} ${text(of(peer))}`).join(', '),
    ratio: peers.map((peer) => times(of(peer), of(ours))).join(', '),
  });
  const bytes = (value: number): string => `${value.toFixed(2)} B`;
  const hourText = (timing: QueryTiming): string => `p99 ${ms(timing.p99Ms)} of ${whole(timing.queries)}`;
  return {
    claim: 'queries',
    workload: `${DEVICES} devices, ${METRIC_NAMES.length} metrics, ${walks.options.seconds / 3600} h at 1 Hz, 2-decimal walks: ${whole(walks.points)} points; after a restart`,
    machine: describeMachine(Object.fromEntries(peers.map(({ version }) => [version.split(' ')[0] ?? version, version]))),
    rows: [
      {
        ...compare('last hour, 3,600 points: p50', (t) => t.lastHour.p50Ms, ms),
        target: '<= 2 ms',
        holds: ours.lastHour.p50Ms <= 2,
      },
      {
        what: 'last hour',
        selsyn: hourText(ours.lastHour),
        peer: peers.map((peer) => `${peer.version} ${hourText(peer.lastHour)}`).join(', '),
      },
      compare('any hour of the day: p50', (t) => t.anyHour.p50Ms, ms),
      compare('mean a minute, 24 h: p50', (t) => t.minutesOfDay.p50Ms, ms),
      { ...compare('on disk, a point', (t) => t.bytesPerPoint, bytes), target: '<= 1.2 B', holds: ours.bytesPerPoint <= 1.2 },
      compare('points loaded a second', (t) => walks.points / t.loadSeconds, whole),
    ].map((row) =>
      row.what.startsWith('points loaded')
        ? { ...row, ratio: peers.map((peer) => times(peer.loadSeconds, ours.loadSeconds)).join(', ') }
        : row,
    ),
    measured: { selsyn: ours, victoriaMetrics: victoria, postgres },
  };
}

async function measure(subject: QuerySubject | undefined, walks: SensorWalks): Promise<SubjectTimings | undefined> {
  if (subject === undefined) return undefined;
  await using store = subject;
  return await timeQueries(store, walks, METRIC_NAMES.length, seconds(3) * 1000);
}
