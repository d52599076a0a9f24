import { feedSelsyn } from './harness/feed.ts';
import { runLoadProgram, type LoadLatency } from './harness/load-program.ts';
import { describeMachine } from './harness/machine.ts';
import { runLoad } from './harness/mqtt-load.ts';
import { amount, seconds } from './harness/phase.ts';
import { ms, whole, type ClaimResult } from './harness/report.ts';
import { AUTHORIZATION, startSelsyn, type SelsynServer } from './harness/servers.ts';
import { METRIC_NAMES, SensorWalks } from './harness/sensor-walks.ts';

const INGEST = { rate: 20_000, connections: 1000 } as const;
/** Devices that are looked at: they have an hour of history when the load begins. */
const WATCHED = amount(200);
const CLIENTS = 16;
const HISTORY_SECONDS = 3600;

interface HttpLoad {
  readonly answers: number;
  readonly notOk: number;
  readonly perSecond: number;
  readonly bodyBytes: number;
  readonly latencyUs: LoadLatency;
  readonly loadCpuSeconds: number;
}

const QUERIES: Readonly<Record<string, string>> = {
  'latest of a device': '/latest',
  'last hour, mean a minute': `?metrics=${METRIC_NAMES[0]}&from=now-1h&every=1m&fn=mean`,
  'raw last 5 minutes': `?metrics=${METRIC_NAMES[0]}&from=now-5m`,
};

/** What dashboards ask, by 16 keep-alive connections, each with one request at a time, beside 20,000 messages a second of ingest. */
export async function dashboardLoad(): Promise<ClaimResult> {
  const server = await startSelsyn();
  await using _server = server.process;
  const startMs = Math.floor(Date.now() / 1000) * 1000 - HISTORY_SECONDS * 1000;
  await feedSelsyn(server, new SensorWalks({ devices: WATCHED, startMs, seconds: HISTORY_SECONDS }));
  const runs = [
    ...Object.entries(QUERIES).map(([what, query]) => ({ what, queries: [query] })),
    { what: 'all three mixed', queries: Object.values(QUERIES) },
  ];
  const each = seconds(8);
  const pause = seconds(2);
  const ingest = runLoad({
    port: server.mqttPort,
    ...INGEST,
    qos: 1,
    liveTime: 1,
    warmup: pause,
    seconds: runs.length * (each + pause),
  });
  const measured: { readonly what: string; readonly result: HttpLoad }[] = [];
  try {
    for (const { what, queries } of runs)
      measured.push({ what, result: await ask(server, queries, { seconds: each, warmup: pause }) });
  } finally {
    await Promise.allSettled([ingest]);
  }
  const ingested = await ingest;
  const mix = measured.at(-1)?.result;
  const perSecond = mix?.perSecond ?? 0;
  return {
    claim: 'dashboard-load',
    workload: `${whole(INGEST.rate)} messages/s of 3 metrics at QoS 1 from ${INGEST.connections} devices; queries of ${WATCHED} of them by ${CLIENTS} connections`,
    machine: describeMachine(),
    rows: [
      ...measured.map(({ what, result }) => ({
        what: `queries a second: ${what}`,
        selsyn: `${whole(result.perSecond)}, p50 ${ms(result.latencyUs.p50 / 1000)}, p99 ${ms(result.latencyUs.p99 / 1000)}`,
        ...(result === mix ? { target: '2,000', holds: perSecond >= 2000 } : {}),
      })),
      {
        what: 'messages acknowledged a second meanwhile',
        selsyn: `${whole(ingested.perSecond)}, p99 ${ms(ingested.latencyUs.p99 / 1000)}`,
        target: whole(INGEST.rate),
        holds: ingested.perSecond >= 0.99 * INGEST.rate,
      },
    ],
    measured: { queries: measured, ingest: ingested },
  };
}

async function ask(
  server: SelsynServer,
  queries: readonly string[],
  load: { seconds: number; warmup: number },
): Promise<HttpLoad> {
  const paths: string[] = [];
  for (let device = 0; device < WATCHED; device += 1) {
    for (const query of queries) paths.push(`/api/v1/devices/bench-${device}/telemetry${query}`);
  }
  const options = { port: server.httpPort, connections: CLIENTS, authorization: AUTHORIZATION, ...load };
  const result = await runLoadProgram<HttpLoad>('http-load', options, `${paths.join('\n')}\n`);
  if (result.notOk > 0) throw new Error(`${result.notOk} answers were not a 200`);
  return result;
}
