import { setTimeout as pause } from 'node:timers/promises';
import { describeMachine, versionOf } from './harness/machine.ts';
import { runLoad, type LoadResult } from './harness/mqtt-load.ts';
import { median, type ClaimResult } from './harness/report.ts';
import { startMosquitto, startSelsyn, type SelsynServer } from './harness/servers.ts';

const CONNECTIONS = 1000;
const METRICS = 3;
const ROUNDS = 3;

interface Stats {
  readonly log: { readonly lagMs: number; readonly lagRecords: number; readonly syncMs: number };
  readonly points: number;
}

interface SelsynRound extends LoadResult {
  readonly serverCpuSeconds: number;
  readonly maxLagMs: number;
  readonly pointsMissing: number;
  readonly secondsUntilAllQueryable: number;
}

/**
 * QoS 1 ingest at full speed: 1,000 connections, one packet a write, window 20, 75-byte JSON of 3 metrics.
 * Selsyn acknowledges after its log's fdatasync, and stores every point; mosquitto acknowledges from memory. In turns.
 */
export async function ingest(): Promise<ClaimResult> {
  const load = { connections: CONNECTIONS, qos: 1, seconds: 10, warmup: 3, window: 20 } as const;
  const selsyn: SelsynRound[] = [];
  const mosquitto: (LoadResult & { readonly serverCpuSeconds: number })[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const ours = await startSelsyn();
    await using _ours = ours.process;
    const lag = watchLag(ours);
    const result = await runLoad({ port: ours.mqttPort, ...load });
    const cpu = ours.process.cpuSeconds();
    const done = performance.now();
    const pointsMissing = await countMissing(ours, result.acked);
    selsyn.push({ ...result, serverCpuSeconds: cpu, maxLagMs: await lag.stop(), pointsMissing, secondsUntilAllQueryable: (performance.now() - done) / 1000 });

    const theirs = await startMosquitto();
    await using _theirs = theirs.process;
    const theirResult = await runLoad({ port: theirs.mqttPort, ...load });
    mosquitto.push({ ...theirResult, serverCpuSeconds: theirs.process.cpuSeconds() });
  }
  const ourRate = median(selsyn.map(({ perSecond }) => perSecond));
  const theirRate = median(mosquitto.map(({ perSecond }) => perSecond));
  const maxLagMs = Math.max(...selsyn.map((round) => round.maxLagMs));
  const missing = selsyn.reduce((sum, round) => sum + round.pointsMissing, 0);
  return {
    claim: 'ingest',
    workload: `QoS 1, ${CONNECTIONS} connections, one packet a write, window 20, 3 metrics in 75 bytes; ${ROUNDS} rounds in turns, medians`,
    machine: describeMachine({ mosquitto: versionOf('/usr/sbin/mosquitto', ['-h'], /version [\d.]+/) ?? 'unknown' }),
    rows: [
      { what: 'messages acknowledged a second', selsyn: rate(ourRate), target: '250,000', peer: `mosquitto ${rate(theirRate)}`, ratio: `${(ourRate / theirRate).toFixed(2)} x (target 1.25)`, holds: ourRate >= 250_000 && ourRate >= 1.25 * theirRate },
      { what: 'points stored a second', selsyn: rate(ourRate * METRICS), target: '750,000', holds: ourRate * METRICS >= 750_000 },
      { what: 'largest lag of the store', selsyn: `${Math.round(maxLagMs)} ms`, target: '< 1,000 ms', holds: maxLagMs < 1000 },
      { what: 'acknowledged points that cannot be queried', selsyn: String(missing), target: '0', holds: missing === 0 },
    ],
    measured: { selsyn, mosquitto },
  };
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString('en-US');
}

/** Asks the server for its lag five times a second while the load runs. */
function watchLag(server: SelsynServer): { stop(): Promise<number> } {
  let max = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      const { log } = await server.get<Stats>('/api/v1/stats');
      max = Math.max(max, log.lagMs);
      await pause(200);
    }
  })();
  return {
    async stop(): Promise<number> {
      running = false;
      await loop;
      return max;
    },
  };
}

/** Counts what the API has of every device's every metric, against what was acknowledged. */
async function countMissing(server: SelsynServer, acked: number): Promise<number> {
  let found = 0;
  for (let device = 0; device < CONNECTIONS; device += 1) {
    const answer = await server.get<Record<string, [number, number][]>>(`/api/v1/devices/bench-${device}/telemetry?from=now-2d&to=now%2B1d&every=1d&fn=count`);
    for (const buckets of Object.values(answer)) for (const [, count] of buckets) found += count;
  }
  return Math.max(0, acked * METRICS - found);
}
