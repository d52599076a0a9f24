import { availableParallelism } from 'node:os';
import { runLoad } from '../harness/mqtt-load.ts';
import { median, times, whole, type Row } from '../harness/report.ts';
import { startSelsyn } from '../harness/servers.ts';
import { PLAIN_TOPIC } from './ingest-rates.ts';
import { FULL_SPEED, ROUNDS, type Part } from './part.ts';

const THREADS = [1, 2] as const;
const WORKLOADS = [
  { what: 'telemetry, QoS 1', load: {} },
  { what: 'plain topic, QoS 1', load: { topicPrefix: PLAIN_TOPIC } },
] as const;
/** One for the load generator, one for each thread, and one for the processor thread and main: then a second core is free. */
const CORES_NEEDED = 4;

interface Run {
  readonly what: string;
  readonly threads: number;
  readonly perSecond: number;
  readonly loadBusy: number;
  /** Cores that Selsyn took on average. */
  readonly cores: number;
}

/** Ingest with one and with two gateway threads. The verdict counts only where a second core is free for the second thread. */
export const gatewayThreads: Part = {
  name: 'threads',
  async run() {
    const runs: Run[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { what, load } of WORKLOADS) {
        for (const threads of THREADS) {
          const server = await startSelsyn({ settings: [`gateway.threads=${threads}`] });
          await using _server = server.process;
          const [before, startedMs] = [server.process.cpuSeconds(), performance.now()];
          const result = await runLoad({ port: server.mqttPort, connections: 1000, qos: 1, window: 20, ...load, ...FULL_SPEED });
          const cores = (server.process.cpuSeconds() - before) / ((performance.now() - startedMs) / 1000);
          runs.push({ what, threads, perSecond: result.perSecond, loadBusy: result.loadBusy, cores });
        }
      }
    }
    return { rows: WORKLOADS.flatMap(({ what }) => rowsOf(what, runs)), measured: { cores: availableParallelism(), runs } };
  },
};

function rowsOf(what: string, runs: readonly Run[]): Row[] {
  const of = (threads: number, pick: (run: Run) => number): number =>
    median(runs.filter((run) => run.what === what && run.threads === threads).map(pick));
  const rate = (threads: number): number => of(threads, ({ perSecond }) => perSecond);
  const row: Row = {
    what: `ingest, ${what}, 2 gateway threads: messages a second`,
    selsyn: whole(rate(2)),
    peer: `1 thread ${whole(rate(1))}`,
    ratio: times(rate(2), rate(1)),
  };
  const cores = (threads: number): string =>
    `${of(threads, (run) => run.cores).toFixed(2)} + ${of(threads, ({ loadBusy }) => loadBusy).toFixed(2)}`;
  return [
    availableParallelism() >= CORES_NEEDED ? { ...row, target: '1 thread’s', holds: rate(2) > rate(1) } : row,
    {
      what: `  cores of Selsyn and of the load generator, of ${availableParallelism()}`,
      selsyn: cores(2),
      peer: `1 thread ${cores(1)}`,
    },
  ];
}
