import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStats } from '@selsyn/platform/api/server-stats.ts';
import type { Certificates } from './certificates.ts';
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
  /** Of MQTT over TLS. */
  readonly tlsPort: number;
  readonly httpPort: number;
  /** From the start of the process until `/readyz` said 200, seconds. */
  readonly readySeconds: number;
  get<T>(path: string): Promise<T>;
}

/** Selsyn as a user starts it, but in open mode on free ports, in a folder of its own or in one that an earlier run left. */
export async function startSelsyn(
  options: { readonly settings?: readonly string[]; readonly folder?: string } = {},
): Promise<SelsynServer> {
  const [mqttPort, tlsPort, httpPort] = [await freePort(), await freePort(), await freePort()];
  const folder = options.folder ?? temporaryFolder();
  const settings = [
    'access.mode=open',
    `access.adminKey=${KEY}`,
    `mqtt.port=${mqttPort}`,
    `tls.port=${tlsPort}`,
    'ws.port=0',
    'ws.tlsPort=0',
    'https.port=0',
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
  return { process: server, mqttPort, tlsPort, httpPort, readySeconds: (performance.now() - startedMs) / 1000, get };
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
  /** Of MQTT over TLS, with `certificates`. */
  readonly tlsPort: number;
}

export interface MosquittoOptions {
  /**
   * TCP_NODELAY, off by default there: better for its latency and its handshakes, mostly worse for its throughput. Each bench
   * takes what suits mosquitto.
   */
  readonly noDelay?: boolean;
  /** Adds a listener with TLS. */
  readonly certificates?: Certificates;
  /** Whether that listener wants a certificate of the client. */
  readonly mutual?: boolean;
  /** Keeps its database there: read at the start, written when it ends. Default: no persistence. */
  readonly folder?: string;
}

/** mosquitto with anonymous access and no limits to what waits for a client: it acknowledges, and keeps all, in memory. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const { noDelay = false, certificates, mutual = false } = options;
  const folder = options.folder ?? temporaryFolder();
  const [mqttPort, tlsPort] = [await freePort(), await freePort()];
  const config = [
    'user root',
    'per_listener_settings false',
    'allow_anonymous true',
    ...(options.folder === undefined
      ? ['persistence false']
      : ['persistence true', `persistence_location ${folder}/`, 'autosave_interval 0']),
    'log_dest none',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    `set_tcp_nodelay ${noDelay}`,
    `listener ${mqttPort} 127.0.0.1`,
    ...(certificates === undefined ? [] : [`listener ${tlsPort} 127.0.0.1`, ...tlsOf(certificates, mutual)]),
  ];
  writeFileSync(join(folder, 'mosquitto.conf'), `${config.join('\n')}\n`);
  const keepFolder = options.folder !== undefined;
  const server = new ChildServer(MOSQUITTO, ['-c', join(folder, 'mosquitto.conf')], { folder, keepFolder });
  try {
    await server.listening(mqttPort);
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return { process: server, mqttPort, tlsPort };
}

function tlsOf({ server, serverKey, authority }: Certificates, mutual: boolean): string[] {
  const files = [`certfile ${server}`, `keyfile ${serverKey}`];
  return mutual ? [...files, `cafile ${authority}`, 'require_certificate true'] : files;
}

/** The version of mosquitto, or `undefined` with a printed reason. */
export function mosquittoVersion(): string | undefined {
  if (existsSync(MOSQUITTO)) return versionOf(MOSQUITTO, ['-h'], /version [\d.]+/) ?? 'version unknown';
  process.stdout.write(`  without mosquitto: ${MOSQUITTO} is not there\n`);
  return undefined;
}
