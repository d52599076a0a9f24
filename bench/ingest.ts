import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStats } from '@selsyn/platform/api/server-stats.ts';
import { describeMachine } from './harness/machine.ts';
import { runLoad, type LoadResult } from './harness/mqtt-load.ts';
import { IS_SHORT, seconds } from './harness/phase.ts';
import { median, ms, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { mosquittoVersion, startMosquitto, startSelsyn, untilConsumed, type SelsynServer } from './harness/servers.ts';
import { countStored } from './harness/stored-points.ts';

const CONNECTIONS = 1000;
const METRICS = 3;
const ROUNDS = IS_SHORT ? 1 : 3;
const SOCKETS = [
  { noDelay: 0, name: 'sockets as the system opens them' },
  { noDelay: 1, name: 'TCP_NODELAY' },
] as const;
const LOAD = { connections: CONNECTIONS, qos: 1, seconds: seconds(10), warmup: seconds(3), window: 20 } as const;

interface MosquittoRound extends LoadResult {
  readonly serverCpuSeconds: number;
}

interface SelsynRound extends MosquittoRound {
  readonly maxLagMs: number;
  readonly pointsLost: number;
  readonly pointsTwice: number;
  readonly msUntilAllQueryable: number;
}

/**
 * QoS 1 ingest at full speed: 1,000 connections, one packet a write, window 20, 75-byte JSON of 3 metrics.
 * Selsyn acknowledges after its log's fdatasync, and stores every point; mosquitto acknowledges from memory. In turns.
 *
 * Measured with the clients' sockets as the system and libmosquitto open them, and with TCP_NODELAY: then each packet is a
 * TCP segment of its own, which costs the load generator several times what it costs the server, on the same two cores.
 */
export async function ingest(): Promise<ClaimResult> {
  const version = mosquittoVersion();
  const measured: Record<string, { readonly selsyn: SelsynRound[]; readonly mosquitto: MosquittoRound[] }> = {};
  const rows: Row[] = [];
  for (const { noDelay, name } of SOCKETS) {
    const selsyn: SelsynRound[] = [];
    const mosquitto: MosquittoRound[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      selsyn.push(await measureSelsyn(noDelay));
      if (version !== undefined) mosquitto.push(await measureMosquitto(noDelay));
    }
    measured[name] = { selsyn, mosquitto };
    rows.push(...rowsOf(name, selsyn, mosquitto));
  }
  return {
    claim: 'ingest',
    workload: `QoS 1, ${CONNECTIONS} connections, one packet a write, window 20, 3 metrics in 75 bytes; rounds in turns: ${ROUNDS}, medians`,
    machine: describeMachine({ mosquitto: version ?? 'not installed' }),
    rows,
    measured,
  };
}

function rowsOf(name: string, selsyn: readonly SelsynRound[], mosquitto: readonly MosquittoRound[]): Row[] {
  const ours = median(selsyn.map(({ perSecond }) => perSecond));
  const theirs = median(mosquitto.map(({ perSecond }) => perSecond));
  const cpu = (rounds: readonly MosquittoRound[]): string =>
    `${median(rounds.map((round) => (round.serverCpuSeconds / round.acked) * 1e6)).toFixed(2)} µs`;
  const maxLagMs = Math.max(...selsyn.map((round) => round.maxLagMs));
  const sum = (field: 'pointsLost' | 'pointsTwice'): number => selsyn.reduce((total, round) => total + round[field], 0);
  const isAlone = mosquitto.length === 0;
  const beside = (peer: Partial<Row>): Partial<Row> => (isAlone ? {} : peer);
  return [
    {
      what: `${name}: messages acknowledged a second`,
      selsyn: whole(ours),
      target: '250,000 and 1.25 x',
      ...beside({ peer: `mosquitto ${whole(theirs)}`, ratio: times(ours, theirs) }),
      holds: ours >= 250_000 && (isAlone || ours >= 1.25 * theirs),
    },
    { what: '  points stored a second', selsyn: whole(ours * METRICS), target: '750,000', holds: ours * METRICS >= 750_000 },
    { what: '  CPU of the server for a message', selsyn: cpu(selsyn), ...beside({ peer: `mosquitto ${cpu(mosquitto)}` }) },
    { what: '  largest lag of the store', selsyn: ms(maxLagMs), target: '< 1,000 ms', holds: maxLagMs < 1000 },
    {
      what: '  acknowledged points that are not stored',
      selsyn: String(sum('pointsLost')),
      target: '0',
      holds: sum('pointsLost') === 0,
    },
    { what: '  points stored twice', selsyn: String(sum('pointsTwice')), target: '0', holds: sum('pointsTwice') === 0 },
  ];
}

async function measureSelsyn(noDelay: 0 | 1): Promise<SelsynRound> {
  const server = await startSelsyn();
  await using _server = server.process;
  const lag = watchLag(server);
  const result = await runLoad({ port: server.mqttPort, noDelay, ...LOAD }).finally(() => void lag.stop());
  const serverCpuSeconds = server.process.cpuSeconds();
  const msUntilAllQueryable = await untilConsumed(server);
  const stored = await countStored(server, CONNECTIONS);
  return {
    ...result,
    serverCpuSeconds,
    maxLagMs: await lag.stop(),
    msUntilAllQueryable,
    pointsLost: Math.max(0, result.acked * METRICS - stored),
    pointsTwice: Math.max(0, stored - result.sent * METRICS),
  };
}

async function measureMosquitto(noDelay: 0 | 1): Promise<MosquittoRound> {
  const server = await startMosquitto();
  await using _server = server.process;
  const result = await runLoad({ port: server.mqttPort, noDelay, ...LOAD });
  return { ...result, serverCpuSeconds: server.process.cpuSeconds() };
}

/** Asks the server for its lag five times a second while the load runs. */
function watchLag(server: SelsynServer): { stop(): Promise<number> } {
  let max = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      const { log } = await server.get<ServerStats>('/api/v1/stats');
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
