import { setTimeout as pause } from 'node:timers/promises';
import { describeMachine } from './harness/machine.ts';
import { runLoad } from './harness/mqtt-load.ts';
import { MqttPublisher } from './harness/mqtt-publisher.ts';
import { amount, IS_SHORT, seconds } from './harness/phase.ts';
import { median, times, whole, type ClaimResult } from './harness/report.ts';
import { AUTHORIZATION, startSelsyn, untilConsumed, type SelsynServer } from './harness/servers.ts';
import { countStored } from './harness/stored-points.ts';

const CONNECTIONS = 1000;
const METRICS = 3;
const ROUNDS = IS_SHORT ? 1 : 3;
const LOAD = { connections: CONNECTIONS, qos: 1, seconds: seconds(10), warmup: seconds(3), window: 20 } as const;
const DAY_MS = 86_400_000;
/** What was stored before and is to be rolled up and archived: two days of so many devices, every half hour. */
const BACKLOG_DEVICES = amount(30_000);
const BACKLOG_DAYS = 2;
const BACKLOG_SAMPLES = 48;
/** Days that are over are rolled up a minute after the last point. */
const UNTIL_UPKEEP_MS = 90_000;
const SETTINGS = ['telemetry.sealAfterSec=5', 'archive.target=disk'] as const;

interface Round {
  readonly perSecond: number;
  readonly lost: number;
  readonly rollupRows: number;
  /** The archive was at work before the load and after it. */
  readonly archiving: boolean;
}

/**
 * Ingest at full speed, as in the claim "ingest", while a backlog of two days is rolled up and archived, beside the same without any: in
 * turns. Both are the same build with the same settings but for the archive.
 */
export async function ingestUpkeep(): Promise<ClaimResult> {
  const alone: Round[] = [];
  const busy: Round[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await measure(false));
    busy.push(await measure(true));
  }
  const rate = (rounds: readonly Round[]): number => median(rounds.map(({ perSecond }) => perSecond));
  const rollupRows = busy.reduce((total, round) => total + round.rollupRows, 0);
  const archiving = busy.filter((round) => round.archiving).length;
  const lost = [...alone, ...busy].reduce((total, round) => total + round.lost, 0);
  const kept = rate(busy) / rate(alone);
  return {
    claim: 'ingest-upkeep',
    workload: `QoS 1, ${CONNECTIONS} connections, window 20, 3 metrics in 75 bytes, TCP_NODELAY off, while ${whole(BACKLOG_DEVICES * METRICS * BACKLOG_DAYS)} days of series are rolled up and archived as Parquet; rounds in turns: ${ROUNDS}, medians`,
    machine: describeMachine({}),
    rows: [
      {
        what: 'messages acknowledged a second beside rollups, retention and archive',
        selsyn: whole(rate(busy)),
        target: '>= 85 % of that without',
        peer: `without ${whole(rate(alone))}`,
        ratio: times(rate(busy), rate(alone)),
        holds: kept >= 0.85,
      },
      { what: '  rollups written meanwhile (series and day)', selsyn: whole(rollupRows), holds: rollupRows > 0 },
      { what: '  rounds in which the archive was at work', selsyn: `${archiving} of ${ROUNDS}`, holds: archiving === ROUNDS },
      { what: '  acknowledged points that are not stored', selsyn: String(lost), target: '0', holds: lost === 0 },
    ],
    measured: { alone, busy },
  };
}

async function measure(withUpkeep: boolean): Promise<Round> {
  const server = await startSelsyn({ settings: withUpkeep ? SETTINGS : SETTINGS.slice(0, 1) });
  await using _server = server.process;
  if (withUpkeep) {
    await storeBacklog(server);
    await untilUpkeep(server);
  }
  const before = await upkeepOf(server);
  const result = await runLoad({ port: server.mqttPort, noDelay: 0, ...LOAD });
  const after = await upkeepOf(server);
  await untilConsumed(server);
  const stored = await countStored(server, CONNECTIONS);
  return {
    perSecond: result.perSecond,
    lost: Math.max(0, result.acked * METRICS - stored),
    rollupRows: after.rollupRows - before.rollupRows,
    archiving: before.archiving && after.archiving,
  };
}

async function storeBacklog(server: SelsynServer): Promise<void> {
  using publisher = await MqttPublisher.open(server.mqttPort, 'bench-backlog');
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  for (let day = 1; day <= BACKLOG_DAYS; day++) {
    for (let device = 0; device < BACKLOG_DEVICES; device++) {
      const samples = Array.from({ length: BACKLOG_SAMPLES }, (_, i) => ({
        ts: today - day * DAY_MS + i * (DAY_MS / BACKLOG_SAMPLES),
        temperature: 20 + ((device + i) % 100) / 10,
        humidity: 50 + ((device * 7 + i) % 100) / 10,
        pressure: 1013 + ((device * 3 + i) % 50) / 10,
      }));
      await publisher.publish(`telemetry/backlog-${device}`, Buffer.from(JSON.stringify(samples)));
    }
  }
  await publisher.acknowledged();
  await untilConsumed(server);
}

/** Until the first rollup is written, and the archive is at work. */
async function untilUpkeep(server: SelsynServer): Promise<void> {
  for (const deadline = performance.now() + UNTIL_UPKEEP_MS; performance.now() < deadline; await pause(250)) {
    const { rollupRows, archiving } = await upkeepOf(server);
    if (rollupRows > 0 && archiving) return;
  }
  throw new Error('nothing was rolled up and archived');
}

async function upkeepOf(server: SelsynServer): Promise<Pick<Round, 'rollupRows' | 'archiving'>> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`, { headers: { authorization: AUTHORIZATION } });
  const rows = /^selsyn_telemetry_rollup_rows_total(?:{[^}]*})? ([\d.e+]+)$/m.exec(await response.text())?.[1] ?? 0;
  const { state } = await server.get<{ readonly state: string }>('/api/v1/archive');
  return { rollupRows: Number(rows), archiving: state === 'working' };
}
