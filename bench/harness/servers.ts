import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ChildServer, freePort, temporaryFolder } from './child-server.ts';

const CLI = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'src', 'main.ts');
export const BENCH_KEY = 'bench-key-of-at-least-16-characters';

export interface SelsynServer {
  readonly process: ChildServer;
  readonly mqttPort: number;
  readonly url: string;
  get<T>(path: string): Promise<T>;
}

/** Selsyn as a user starts it, but in open mode on free ports, in a new folder or in one that an earlier run left. */
export async function startSelsyn(settings: readonly string[] = [], folder: string = temporaryFolder()): Promise<SelsynServer> {
  const mqttPort = await freePort();
  const httpPort = await freePort();
  const all = ['access.mode=open', `access.adminKey=${BENCH_KEY}`, `mqtt.port=${mqttPort}`, `http.port=${httpPort}`, ...settings];
  const server = new ChildServer(process.execPath, [CLI, 'up', '--data', folder, ...all.flatMap((setting) => ['--set', setting])], { folder });
  await server.listening(httpPort);
  const url = `http://127.0.0.1:${httpPort}`;
  await untilReady(url);
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${BENCH_KEY}` } });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  };
  return { process: server, mqttPort, url, get };
}

async function untilReady(url: string): Promise<void> {
  for (let tries = 0; tries < 3000; tries += 1) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok === true) return;
    await pause(20);
  }
  throw new Error(`${url} did not become ready`);
}

/** mosquitto with anonymous access and no persistence: its acknowledgements come from memory. */
export async function startMosquitto(): Promise<{ readonly process: ChildServer; readonly mqttPort: number }> {
  const folder = temporaryFolder();
  const mqttPort = await freePort();
  writeFileSync(join(folder, 'mosquitto.conf'), `listener ${mqttPort} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\nmax_inflight_messages 0\nmax_queued_messages 0\n`);
  const server = new ChildServer('/usr/sbin/mosquitto', ['-c', join(folder, 'mosquitto.conf')], { folder });
  await server.listening(mqttPort);
  return { process: server, mqttPort };
}
