import { setTimeout as pause } from 'node:timers/promises';
import type { ChildServer } from './harness/child-server.ts';
import { describeMachine } from './harness/machine.ts';
import { holdConnections } from './harness/mqtt-load.ts';
import { seconds } from './harness/phase.ts';
import { times, whole, type ClaimResult, type Row } from './harness/report.ts';
import { mosquittoVersion, startMosquitto, startSelsyn } from './harness/servers.ts';

const COUNTS = [10_000, 16_000] as const;
const TARGET_BYTES = 6 * 1024;

interface Measured {
  readonly connections: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly bytesEach: number;
}

/**
 * Resident memory of connections that have said CONNECT and nothing more: what the process has grown by, divided by their
 * number, 10 s after the last came in. What the kernel keeps for sockets is not in it, for neither server.
 */
export async function idle(): Promise<ClaimResult> {
  const version = mosquittoVersion();
  const measured: { selsyn: Measured; mosquitto: Measured | undefined }[] = [];
  for (const connections of COUNTS) {
    measured.push({
      selsyn: await measureSelsyn(connections),
      mosquitto: version === undefined ? undefined : await measureMosquitto(connections),
    });
  }
  return {
    claim: 'idle',
    workload: 'connections that are silent after CONNECT; growth of the resident memory',
    machine: describeMachine({ mosquitto: version ?? 'not installed' }),
    rows: measured.flatMap(({ selsyn, mosquitto }): Row[] => [
      {
        what: `bytes a connection, ${whole(selsyn.connections)} of them`,
        selsyn: whole(selsyn.bytesEach),
        target: `<= ${whole(TARGET_BYTES)}`,
        ...(mosquitto === undefined
          ? {}
          : { peer: `mosquitto ${whole(mosquitto.bytesEach)}`, ratio: times(mosquitto.bytesEach, selsyn.bytesEach) }),
        holds: selsyn.bytesEach <= TARGET_BYTES,
      },
      {
        what: `whole process with ${whole(selsyn.connections)}`,
        selsyn: mebibytes(selsyn.afterBytes),
        ...(mosquitto === undefined ? {} : { peer: `mosquitto ${mebibytes(mosquitto.afterBytes)}` }),
      },
    ]),
    measured,
  };
}

async function measureSelsyn(connections: number): Promise<Measured> {
  const server = await startSelsyn();
  await using _server = server.process;
  return await measure(server.process, server.mqttPort, connections);
}

async function measureMosquitto(connections: number): Promise<Measured> {
  const server = await startMosquitto();
  await using _server = server.process;
  return await measure(server.process, server.mqttPort, connections);
}

async function measure(server: ChildServer, port: number, connections: number): Promise<Measured> {
  await pause(seconds(3) * 1000);
  const beforeBytes = server.residentBytes();
  using _held = await holdConnections({ port, connections });
  await pause(seconds(10) * 1000);
  const afterBytes = server.residentBytes();
  return { connections, beforeBytes, afterBytes, bytesEach: (afterBytes - beforeBytes) / connections };
}

function mebibytes(bytes: number): string {
  return `${whole(bytes / 2 ** 20)} MiB`;
}
