import type { LoadLatency } from '../harness/load-program.ts';
import { runFanout } from '../harness/mqtt-fanout.ts';
import { runLoad } from '../harness/mqtt-load.ts';
import { IS_SHORT } from '../harness/phase.ts';
import { whole, type Row } from '../harness/report.ts';
import { startMosquitto, startSelsyn } from '../harness/servers.ts';
import { timeRow } from './broker-rows.ts';
import { FULL_SPEED, type Part } from './part.ts';

const COUNT = 1000;
const WINDOW = 1;

/** What one run shows: `deliver` is publish to delivery, `acknowledge` is publish to PUBACK or PUBCOMP. */
interface Latencies {
  readonly deliver?: LoadLatency;
  readonly acknowledge: LoadLatency;
}

interface Pace {
  readonly port: number;
  readonly seconds: number;
  readonly warmup: number;
  /** Messages a second; undefined: as fast as they are taken. */
  readonly rate?: number;
}

interface Workload {
  readonly what: string;
  /** Selsyn's promise for p99, ms, where it does more than mosquitto; otherwise mosquitto's is the target. */
  readonly belowMs?: number;
  run(pace: Pace): Promise<AtRate>;
}

const pairs = (qos: 1 | 2): Workload => ({
  what: `1,000 pairs, QoS ${qos}`,
  async run(pace) {
    const result = await runFanout({ ...pace, shape: 'pairs', count: COUNT, qos, window: WINDOW });
    if (result.lost > 0) throw new Error(`messages were lost: ${JSON.stringify(result)}`);
    return { perSecond: result.perSecond, deliver: result.latencyUs, acknowledge: result.ackLatencyUs };
  },
});

const WORKLOADS: readonly Workload[] = [
  pairs(1),
  pairs(2),
  {
    what: 'telemetry, QoS 1',
    belowMs: 20,
    async run(pace) {
      const result = await runLoad({ ...pace, connections: COUNT, qos: 1, window: WINDOW, liveTime: 1 });
      return { perSecond: result.perSecond, acknowledge: result.latencyUs };
    },
  },
];

interface AtRate extends Latencies {
  readonly perSecond: number;
}

interface Measured {
  /** As fast as it goes. */
  readonly perSecond: number;
  /** Half of that. */
  readonly rate: number;
  readonly own: AtRate;
  /** At the smaller of both halves. */
  readonly common: AtRate;
}

/**
 * Latency below saturation. Each broker is first driven as fast as it goes with one message of each publisher under way (with
 * more, its rate would be that of batches of messages), then measured at half of that, and at the smaller of both halves: the
 * load that they have in common. Latencies of deliveries count from when a message was due. mosquitto with TCP_NODELAY.
 */
export const halfLoadLatency: Part = {
  name: 'latency',
  async run({ hasMosquitto }) {
    const rows: Row[] = [];
    const measured: unknown[] = [];
    for (const workload of WORKLOADS) {
      const selsyn = await startSelsyn();
      await using _selsyn = selsyn.process;
      const mosquitto = hasMosquitto ? await startMosquitto({ noDelay: true }) : undefined;
      await using _mosquitto = mosquitto?.process;
      const ourMost = await mostOf(workload, selsyn.mqttPort);
      const theirMost = mosquitto === undefined ? Infinity : await mostOf(workload, mosquitto.mqttPort);
      const commonRate = Math.round(Math.min(ourMost, theirMost) / 2);
      const ours = await measure(workload, selsyn.mqttPort, { most: ourMost, commonRate });
      const theirs =
        mosquitto === undefined ? undefined : await measure(workload, mosquitto.mqttPort, { most: theirMost, commonRate });
      rows.push(...rowsOf(workload, ours, theirs));
      measured.push({ what: workload.what, selsyn: ours, mosquitto: theirs });
    }
    return { rows, measured };
  },
};

async function mostOf(workload: Workload, port: number): Promise<number> {
  return (await workload.run({ port, ...FULL_SPEED, warmup: IS_SHORT ? 0.5 : 1.5 })).perSecond;
}

async function measure(
  workload: Workload,
  port: number,
  { most, commonRate }: { readonly most: number; readonly commonRate: number },
): Promise<Measured> {
  const at = (rate: number): Promise<AtRate> =>
    workload.run({ port, rate, seconds: IS_SHORT ? 0.8 : 5, warmup: IS_SHORT ? 0.3 : 1 });
  const rate = Math.round(most / 2);
  const own = await at(rate);
  return { perSecond: most, rate, own, common: rate === commonRate ? own : await at(commonRate) };
}

function rowsOf({ what, belowMs }: Workload, ours: Measured, theirs: Measured | undefined): Row[] {
  const rows: Row[] = [
    {
      what: `half load of ${what}: messages a second`,
      selsyn: rateOf(ours),
      ...(theirs === undefined ? {} : { peer: `mosquitto ${rateOf(theirs)}` }),
    },
    ...latencyRows('  each at its half', ours.own, theirs?.own, undefined),
  ];
  if (theirs === undefined) return rows;
  const target = belowMs === undefined ? 'the peer’s' : { belowMs };
  const commonRate = Math.min(ours.rate, theirs.rate);
  return [...rows, ...latencyRows(`  both at ${whole(commonRate)}/s`, ours.common, theirs.common, target)];
}

function rateOf({ rate, own }: Measured): string {
  return own.perSecond >= 0.97 * rate ? whole(rate) : `${whole(rate)}, BUT ONLY ${whole(own.perSecond)} WERE REACHED`;
}

function latencyRows(
  at: string,
  ours: Latencies,
  theirs: Latencies | undefined,
  target: Parameters<typeof timeRow>[3] | undefined,
): Row[] {
  const kinds = [
    { name: 'until delivered', ours: ours.deliver, theirs: theirs?.deliver },
    { name: 'until acknowledged', ours: ours.acknowledge, theirs: theirs?.acknowledge },
  ];
  return kinds.flatMap((kind): Row[] => {
    const mine = kind.ours;
    if (mine === undefined) return [];
    const row = (name: string, share: keyof LoadLatency): Row =>
      timeRow(
        `${at}: ${name} ${kind.name}`,
        mine[share] / 1000,
        kind.theirs === undefined ? undefined : kind.theirs[share] / 1000,
        share === 'p99' ? target : undefined,
      );
    return [row('p50', 'p50'), row('p99', 'p99'), row('p99.9', 'p999')];
  });
}
