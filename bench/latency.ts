import { setTimeout as pause } from 'node:timers/promises';
import { HttpConnection } from './harness/http-connection.ts';
import { describeMachine } from './harness/machine.ts';
import { runLoad, type LoadResult } from './harness/mqtt-load.ts';
import { MqttPublisher } from './harness/mqtt-publisher.ts';
import { seconds } from './harness/phase.ts';
import { ms, quantile, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { AUTHORIZATION, mosquittoVersion, startMosquitto, startSelsyn, type SelsynServer } from './harness/servers.ts';

const RATES = [50_000, 20_000] as const;
const CONNECTIONS = 1000;
const PROBE_DEADLINE_MS = 10_000;

interface Measured {
  readonly rate: number;
  readonly selsyn: LoadResult;
  readonly untilQueryableMs: readonly number[];
  readonly mosquitto: LoadResult | undefined;
}

/**
 * Latency below saturation: QoS 1 from 1,000 connections at a fixed rate; PUBLISH written until PUBACK read, and, by a probe
 * with a connection of its own, PUBLISH written until the API has the point (in turn: latest, and the range of a minute).
 */
export async function latency(): Promise<ClaimResult> {
  const version = mosquittoVersion();
  const measured: Measured[] = [];
  for (const rate of RATES) {
    const ours = await measureSelsyn(rate);
    measured.push({ rate, ...ours, mosquitto: version === undefined ? undefined : await measureMosquitto(rate) });
  }
  return {
    claim: 'latency',
    workload: `QoS 1 at a fixed rate from ${CONNECTIONS} connections, 3 metrics in 75 bytes; probes of one point after the other beside it`,
    machine: describeMachine({ mosquitto: version ?? 'not installed' }),
    rows: measured.flatMap(rowsOf),
    measured,
  };
}

function rowsOf({ rate, selsyn, untilQueryableMs, mosquitto }: Measured): Row[] {
  const at = `at ${whole(rate)}/s`;
  const puback = (share: 'p50' | 'p99'): Row => {
    const ours = selsyn.latencyUs[share] / 1000;
    const row = {
      what: `${at}: ${share} until PUBACK`,
      selsyn: ms(ours),
      ...(share === 'p99' ? { target: '< 20 ms', holds: ours < 20 } : {}),
    };
    if (mosquitto === undefined) return row;
    const theirs = mosquitto.latencyUs[share] / 1000;
    return { ...row, peer: `mosquitto ${ms(theirs)}`, ratio: times(theirs, ours) };
  };
  const p99Ms = quantile(untilQueryableMs, 0.99);
  return [
    {
      what: `${at}: messages a second`,
      selsyn: whole(selsyn.perSecond),
      target: whole(rate),
      holds: selsyn.perSecond >= 0.99 * rate,
    },
    puback('p50'),
    puback('p99'),
    { what: `${at}: p50 until queryable`, selsyn: ms(quantile(untilQueryableMs, 0.5)) },
    {
      what: `${at}: p99 until queryable`,
      selsyn: `${ms(p99Ms)} of ${untilQueryableMs.length}`,
      target: '< 1,000 ms',
      holds: p99Ms < 1000,
    },
  ];
}

function load(rate: number, port: number): Promise<LoadResult> {
  return runLoad({ port, connections: CONNECTIONS, qos: 1, rate, seconds: seconds(15), warmup: seconds(3) });
}

async function measureSelsyn(rate: number): Promise<{ selsyn: LoadResult; untilQueryableMs: number[] }> {
  const server = await startSelsyn();
  await using _server = server.process;
  const running = load(rate, server.mqttPort);
  const stop = new AbortController();
  const probes = probe(server, stop.signal);
  try {
    const selsyn = await running;
    stop.abort();
    return { selsyn, untilQueryableMs: await probes };
  } finally {
    stop.abort();
    await Promise.allSettled([running, probes]);
  }
}

async function measureMosquitto(rate: number): Promise<LoadResult> {
  const server = await startMosquitto({ noDelay: true });
  await using _server = server.process;
  return await load(rate, server.mqttPort);
}

/** Publishes a point, asks for it until it is there, and so on; returns how long each took, without those of the warm-up. */
async function probe(server: SelsynServer, signal: AbortSignal): Promise<number[]> {
  using publisher = await MqttPublisher.open(server.mqttPort, 'bench-probe');
  using http = await HttpConnection.open(server.httpPort, AUTHORIZATION);
  const device = '/api/v1/devices/bench-probe/telemetry';
  await publisher.publish('telemetry/bench-probe', Buffer.from('{"v":-1}'));
  await publisher.acknowledged();
  await pause(seconds(3) * 1000);
  const spent: number[] = [];
  for (let value = 0; !signal.aborted; value += 1) {
    const path = value % 2 === 0 ? `${device}/latest` : `${device}?metrics=v&from=now-1m`;
    const found = value % 2 === 0 ? `,${value}]` : `,${value}]]`;
    const startedMs = performance.now();
    await publisher.publish('telemetry/bench-probe', Buffer.from(`{"v":${value}}`));
    while (!(await http.get(path)).includes(found)) {
      if (performance.now() - startedMs > PROBE_DEADLINE_MS)
        throw new Error(`a point was not to be had within ${PROBE_DEADLINE_MS} ms`);
      await pause(1);
    }
    spent.push(performance.now() - startedMs);
    await pause(2);
  }
  return spent;
}
