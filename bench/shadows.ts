import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { importCsv, send } from './harness/api-calls.ts';
import type { DeviceActors, DeviceActorsResult } from './harness/device-actors.ts';
import { runLoadProgram, type LoadLatency } from './harness/load-program.ts';
import { describeMachine } from './harness/machine.ts';
import { NodeLoad } from './harness/node-load.ts';
import { amount, isWanted, seconds } from './harness/phase.ts';
import { ms, quantile, times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { AUTHORIZATION, type SelsynServer, startSelsyn } from './harness/servers.ts';

/** AWS general reference, "AWS IoT Core endpoints and quotas": requests for device shadows a second, of an account. */
const AWS_SHADOW_REQUESTS = 4_000;
/** Azure IoT Hub, "Quotas and throttling", S1/S2: twin updates a second of a unit. */
const AZURE_TWIN_UPDATES = 50;
const TARGET_UPDATES = 20_000;

interface ShadowLoadResult {
  readonly perSecond: number;
  readonly accepted: number;
  readonly latencyUs: LoadLatency;
  readonly errors: number;
  readonly loadBusy: number;
}

/**
 * Shadows, commands and jobs of devices that are connected by MQTT; the load generators run on the same machine.
 */
export async function shadows(): Promise<ClaimResult> {
  const parts: Record<string, () => Promise<Part>> = {
    updates: updateRates,
    bulk: bulkSetting,
    commands: commandRoundTrips,
    jobs: jobFanOut,
    million: millionExecutions,
  };
  const rows: Row[] = [];
  const measured: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(parts)) {
    if (!isWanted(name)) continue;
    const part = await run();
    rows.push(...part.rows);
    measured[name] = part.measured;
  }
  return {
    claim: 'shadows',
    workload:
      'updates of reported (4 fields) that are answered once they are on disk; settings for a group; commands over HTTP; jobs',
    machine: describeMachine(),
    rows,
    measured,
  };
}

interface Part {
  readonly rows: readonly Row[];
  readonly measured: unknown;
}

async function load(selsyn: SelsynServer, options: object): Promise<ShadowLoadResult> {
  const result = await runLoadProgram<ShadowLoadResult>('shadow-load', { port: selsyn.mqttPort, ...options });
  if (result.errors > 0) throw new Error(`${result.errors} errors under load: ${JSON.stringify(result)}`);
  return result;
}

async function updateRates(): Promise<Part> {
  const selsyn = await startSelsyn();
  await using server = selsyn.process;
  const connections = amount(1_000);
  const most = await load(selsyn, { connections, window: 4, warmup: seconds(5), seconds: seconds(20) });
  const cpuBefore = server.cpuSeconds();
  const paced = await load(selsyn, { connections, window: 9, rate: TARGET_UPDATES, warmup: seconds(3), seconds: seconds(20) });
  const cpuUs = ((server.cpuSeconds() - cpuBefore) / paced.accepted) * 1e6;
  const half = await load(selsyn, { connections, window: 9, rate: TARGET_UPDATES / 2, warmup: seconds(3), seconds: seconds(20) });
  const wide = await load(selsyn, {
    connections: amount(10_000),
    window: 3,
    prefix: 'wide-',
    rate: TARGET_UPDATES,
    warmup: seconds(10),
    seconds: seconds(20),
  });
  const p99 = ({ latencyUs }: ShadowLoadResult): number => latencyUs.p99 / 1_000;
  return {
    measured: { most, paced, half, wide, cpuUs },
    rows: [
      {
        what: `updates a second, ${whole(connections)} devices, at most 4 under way each`,
        selsyn: whole(most.perSecond),
        target: whole(TARGET_UPDATES),
        peer: `AWS ${whole(AWS_SHADOW_REQUESTS)} an account, Azure ${AZURE_TWIN_UPDATES} a unit (quotas)`,
        ratio: `${times(most.perSecond, AWS_SHADOW_REQUESTS)}, ${times(most.perSecond, AZURE_TWIN_UPDATES)}`,
        holds: most.perSecond >= TARGET_UPDATES,
      },
      {
        what: `p99 until accepted at ${whole(TARGET_UPDATES)} a second`,
        selsyn: ms(p99(paced)),
        target: '< 50 ms',
        holds: p99(paced) < 50 && paced.perSecond > TARGET_UPDATES * 0.98,
      },
      { what: 'p50 until accepted at that rate', selsyn: ms(paced.latencyUs.p50 / 1_000) },
      { what: 'CPU of the server an update at that rate', selsyn: `${cpuUs.toFixed(1)} µs` },
      { what: `p99 until accepted at ${whole(TARGET_UPDATES / 2)} a second`, selsyn: ms(p99(half)) },
      {
        what: `updates a second, ${whole(amount(10_000))} devices, ${whole(TARGET_UPDATES)} asked for`,
        selsyn: whole(wide.perSecond),
      },
      { what: 'p99 until accepted then', selsyn: ms(p99(wide)) },
    ],
  };
}

interface Progress {
  readonly id: string;
  readonly state: string;
  readonly done: number;
  readonly failed: number;
}

/** A setting for a group of devices, a tenth of them connected, while others publish telemetry at a steady rate. */
async function bulkSetting(): Promise<Part> {
  const selsyn = await startSelsyn();
  await using _server = selsyn.process;
  const devices = amount(100_000);
  const connected = amount(5_000);
  await importDevices(selsyn, 'bulk-', devices, '/bulk');
  const actors = { port: selsyn.mqttPort, prefix: 'bulk-', devices: connected, role: 'deltas' } satisfies DeviceActors;
  using listening = await NodeLoad.start<DeviceActorsResult>('device-actors', actors);
  const publish = {
    connections: 500,
    qos: 1,
    rate: 2_000,
    warmup: 1,
    window: 20,
    port: selsyn.mqttPort,
    topicPrefix: 'telemetry/steady-',
  };
  const quiet = await runLoadProgram<ShadowLoadResult>('mqtt-load', { ...publish, seconds: seconds(15) });
  const startedMs = performance.now();
  const { id } = await send<Progress>(selsyn, 'POST', '/shadow-updates', {
    target: 'group:/bulk',
    desired: { interval: 30, mode: 'eco' },
  });
  let doneMs = 0;
  const watched = (async () => {
    for (;;) {
      const progress = await selsyn.get<Progress>(`/api/v1/shadow-updates/${id}`);
      if (progress.state !== 'running' && progress.state !== 'queued') {
        doneMs = performance.now() - startedMs;
        return progress;
      }
      await pause(100);
    }
  })();
  const busy = await runLoadProgram<ShadowLoadResult>('mqtt-load', { ...publish, seconds: seconds(15) });
  const progress = await watched;
  const told = await listening.result();
  if (progress.done !== devices || told.done < connected) throw new Error(`not all: ${JSON.stringify({ progress, told })}`);
  return {
    measured: { progress, seconds: doneMs / 1_000, told, quiet, busy },
    rows: [
      { what: `desired set for a group of ${whole(devices)}`, selsyn: `${(doneMs / 1_000).toFixed(1)} s` },
      { what: 'devices a second, as it is limited by default', selsyn: whole(devices / (doneMs / 1_000)) },
      { what: 'p99 PUBACK of telemetry at 2,000/s before', selsyn: ms(quiet.latencyUs.p99 / 1_000) },
      {
        what: 'p99 PUBACK of telemetry at 2,000/s meanwhile',
        selsyn: ms(busy.latencyUs.p99 / 1_000),
        target: '< 50 ms',
        holds: busy.latencyUs.p99 < 50_000,
      },
    ],
  };
}

/** Commands that are waited for, over HTTP, one after the other on each of some connections. */
async function commandRoundTrips(): Promise<Part> {
  const selsyn = await startSelsyn();
  await using _server = selsyn.process;
  const devices = 200;
  await importDevices(selsyn, 'actor-', devices, '/actors');
  const actors = { port: selsyn.mqttPort, prefix: 'actor-', devices, role: 'commands' } satisfies DeviceActors;
  using answering = await NodeLoad.start<DeviceActorsResult>('device-actors', actors);
  const latencies: number[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const startedMs = performance.now();
  const endMs = startedMs + seconds(15) * 1_000;
  let next = 0;
  const callers = Array.from({ length: 32 }, async () => {
    while (performance.now() < endMs) {
      const beganMs = performance.now();
      const path = `/api/v1/devices/actor-${next++ % devices}/commands`;
      const status = await post(selsyn, agent, path, '{"name":"blink","payload":{"times":3},"wait":true,"timeoutMs":10000}');
      if (status !== 200) throw new Error(`a command was answered with ${status}`);
      latencies.push(performance.now() - beganMs);
    }
  });
  await Promise.all(callers);
  const perSecond = latencies.length / ((performance.now() - startedMs) / 1_000);
  agent.destroy();
  const { done } = await answering.result();
  return {
    measured: { perSecond, done, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    rows: [
      { what: 'commands a second, HTTP to the device and back, 32 at once', selsyn: whole(perSecond) },
      { what: 'round trip, p50', selsyn: ms(quantile(latencies, 0.5)) },
      { what: 'round trip, p99', selsyn: ms(quantile(latencies, 0.99)) },
    ],
  };
}

interface Job {
  readonly status: string;
  readonly counts: Readonly<Record<string, number>>;
}

/** A job for devices that are all connected and do it at once. */
async function jobFanOut(): Promise<Part> {
  const selsyn = await startSelsyn();
  await using _server = selsyn.process;
  const devices = amount(5_000);
  await importDevices(selsyn, 'worker-', devices, '/workers');
  const actors = { port: selsyn.mqttPort, prefix: 'worker-', devices, role: 'jobs' } satisfies DeviceActors;
  using working = await NodeLoad.start<DeviceActorsResult>('device-actors', actors);
  const startedMs = performance.now();
  await send(selsyn, 'POST', '/jobs', { id: 'fan-out', targets: ['group:/workers'], document: { operation: 'reboot' } });
  await untilJob(selsyn, 'fan-out', ({ status }) => status === 'COMPLETED');
  const elapsed = (performance.now() - startedMs) / 1_000;
  const { done } = await working.result();
  if (done !== devices) throw new Error(`${done} of ${devices} devices did their job`);
  return {
    measured: { devices, elapsed },
    rows: [
      { what: `a job done by ${whole(devices)} connected devices`, selsyn: `${elapsed.toFixed(1)} s` },
      { what: 'executions a second, notified, begun and done', selsyn: whole(devices / elapsed) },
    ],
  };
}

/** A job with a million executions, and the pending list of one of its devices. */
async function millionExecutions(): Promise<Part> {
  const selsyn = await startSelsyn();
  await using _server = selsyn.process;
  const devices = amount(1_000_000);
  await importDevices(selsyn, 'mass-', devices, '/mass');
  const startedMs = performance.now();
  await send(selsyn, 'POST', '/jobs', { id: 'mass', targets: ['group:/mass'], document: { operation: 'update' } });
  await untilJob(selsyn, 'mass', ({ counts }) => (counts['QUEUED'] ?? 0) === devices);
  const created = (performance.now() - startedMs) / 1_000;
  const latencies: number[] = [];
  for (let n = 0; n < 2_000; n++) {
    const beganMs = performance.now();
    await selsyn.get(`/api/v1/devices/mass-${(n * 7_919) % devices}/jobs?status=QUEUED`);
    latencies.push(performance.now() - beganMs);
  }
  return {
    measured: { devices, created, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
    rows: [
      {
        what: `a job with ${whole(devices)} executions created`,
        selsyn: `${created.toFixed(1)} s`,
        target: '< 60 s',
        holds: created < 60,
      },
      {
        what: 'the pending list of one device then, over HTTP, p99',
        selsyn: ms(quantile(latencies, 0.99)),
        target: '< 5 ms',
        holds: quantile(latencies, 0.99) < 5,
      },
    ],
  };
}

async function untilJob(selsyn: SelsynServer, id: string, isReached: (job: Job) => boolean): Promise<void> {
  const deadline = performance.now() + 240_000;
  while (performance.now() < deadline) {
    if (isReached(await selsyn.get<Job>(`/api/v1/jobs/${id}`))) return;
    await pause(100);
  }
  throw new Error(`job ${id} did not come so far: ${JSON.stringify(await selsyn.get(`/api/v1/jobs/${id}`))}`);
}

async function importDevices(selsyn: SelsynServer, prefix: string, count: number, group: string): Promise<void> {
  const lines = function* (): Generator<string> {
    yield 'id,group\n';
    for (let n = 0; n < count; n++) yield `${prefix}${n},${group}\n`;
  };
  await importCsv(selsyn, lines());
}

/** @returns the status. */
async function post({ httpPort }: SelsynServer, agent: Agent, path: string, body: string): Promise<number> {
  return await new Promise((resolve, reject) => {
    const headers = {
      authorization: AUTHORIZATION,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const asked = request({ host: '127.0.0.1', port: httpPort, method: 'POST', path, agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}
