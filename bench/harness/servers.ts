import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStats } from '@selsyn/platform/api/server-stats.ts';
import { ChildServer, freePort, temporaryFolder } from './child-server.ts';
import { versionOf } from './machine.ts';

const CLI = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'selsyn.js');
const MOSQUITTO = '/usr/sbin/mosquitto';
const KEY = 'bench-key-of-at-least-16-characters';

/** The headers every request needs. */
export const AUTHORIZATION = `Bearer ${KEY}`;

export interface SelsynServer {
  readonly process: ChildServer;
  readonly mqttPort: number;
  readonly httpPort: number;
  /** From the start of the process until `/readyz` said 200, seconds. */
  readonly readySeconds: number;
  get<T>(path: string): Promise<T>;
}

/** Selsyn as a user starts it, but in open mode on free ports, in a folder of its own or in one that an earlier run left. */
export async function startSelsyn(
  options: { readonly settings?: readonly string[]; readonly folder?: string } = {},
): Promise<SelsynServer> {
  const [mqttPort, httpPort] = [await freePort(), await freePort()];
  const folder = options.folder ?? temporaryFolder();
  const settings = [
    'access.mode=open',
    `access.adminKey=${KEY}`,
    `mqtt.port=${mqttPort}`,
    `http.port=${httpPort}`,
    ...(options.settings ?? []),
  ];
  const startedMs = performance.now();
  const server = new ChildServer(
    process.execPath,
    [CLI, 'up', '--data', join(folder, 'data'), ...settings.flatMap((setting) => ['--set', setting])],
    {
      folder,
      keepFolder: options.folder !== undefined,
    },
  );
  const url = `http://127.0.0.1:${httpPort}`;
  try {
    await server.listening(httpPort);
    await untilReady(url);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: AUTHORIZATION } });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  return { process: server, mqttPort, httpPort, readySeconds: (performance.now() - startedMs) / 1000, get };
}

async function untilReady(url: string): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (performance.now() < deadline) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok === true) return;
    await pause(20);
  }
  throw new Error(`${url} did not become ready`);
}

/** Waits until all that is in the log can be queried; returns how long that took, ms. */
export async function untilConsumed(server: SelsynServer): Promise<number> {
  const startedMs = performance.now();
  while (performance.now() < startedMs + 60_000) {
    const { log } = await server.get<ServerStats>('/api/v1/stats');
    if (log.lagRecords === 0) return performance.now() - startedMs;
    await pause(10);
  }
  throw new Error('the log was not consumed within a minute');
}

export interface Mosquitto {
  readonly process: ChildServer;
  readonly mqttPort: number;
}

/**
 * mosquitto with anonymous access and no persistence: its acknowledgements come from memory. `noDelay` (TCP_NODELAY, off by
 * default there) is better for its latency and worse for its throughput: each bench takes what suits mosquitto.
 */
export async function startMosquitto({ noDelay = false }: { readonly noDelay?: boolean } = {}): Promise<Mosquitto> {
  const folder = temporaryFolder();
  const mqttPort = await freePort();
  const config = [
    `listener ${mqttPort} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'log_dest none',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    `set_tcp_nodelay ${noDelay}`,
  ];
  writeFileSync(join(folder, 'mosquitto.conf'), `${config.join('\n')}\n`);
  const server = new ChildServer(MOSQUITTO, ['-c', join(folder, 'mosquitto.conf')], { folder });
  try {
    await server.listening(mqttPort);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return { process: server, mqttPort };
}

/** The version of mosquitto, or `undefined` with a printed reason. */
export function mosquittoVersion(): string | undefined {
  if (existsSync(MOSQUITTO)) return versionOf(MOSQUITTO, ['-h'], /version [\d.]+/) ?? 'version unknown';
  process.stdout.write(`  without mosquitto: ${MOSQUITTO} is not there\n`);
  return undefined;
}
