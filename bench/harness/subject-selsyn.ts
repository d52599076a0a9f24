import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryFolder } from './child-server.ts';
import { onAbruptEnd } from './exit-cleanup.ts';
import { feedSelsyn } from './feed.ts';
import { folderBytes } from './folder-size.ts';
import { HttpConnection } from './http-connection.ts';
import type { QuerySubject } from './query-subject.ts';
import { METRIC_NAMES, type SensorWalks } from './sensor-walks.ts';
import { AUTHORIZATION, startSelsyn, type SelsynServer } from './servers.ts';

/** Selsyn, fed through MQTT, stopped, and started again: all is served from the day files. */
export async function selsynWith(walks: SensorWalks, settings: readonly string[] = []): Promise<SelsynSubject> {
  const folder = temporaryFolder();
  const forget = onAbruptEnd(() => rmSync(folder, { recursive: true, force: true }));
  const clean = (): void => {
    rmSync(folder, { recursive: true, force: true });
    forget();
  };
  let server: SelsynServer | undefined;
  try {
    server = await startSelsyn({ folder, settings });
    const startedMs = performance.now();
    await feedSelsyn(server, walks);
    const loadSeconds = (performance.now() - startedMs) / 1000;
    await server.process.kill();
    server = await startSelsyn({ folder, settings });
    const days = join(folder, 'data', 'telemetry', 'days');
    const bytesOnDisk = await settled(() => folderBytes(days));
    return new SelsynSubject(server, await HttpConnection.open(server.httpPort, AUTHORIZATION), {
      loadSeconds,
      bytesOnDisk,
      folder,
      clean,
    });
  } catch (error) {
    await server?.process[Symbol.asyncDispose]();
    clean();
    throw error;
  }
}

/** The size once it has not changed for two seconds, or as long as is said: files are put in order after the start. */
export async function settled(size: () => number, quietSeconds = 2): Promise<number> {
  let last = -1;
  for (let same = 0, tries = 0; same < quietSeconds * 2 && tries < 60 + quietSeconds * 8; tries++) {
    const now = size();
    same = now === last ? same + 1 : 0;
    last = now;
    await pause(500);
  }
  return last;
}

export class SelsynSubject implements QuerySubject {
  readonly version = 'selsyn';
  readonly folder: string;
  readonly loadSeconds: number;
  readonly bytesOnDisk: number;
  readonly #server: SelsynServer;
  #http: HttpConnection;
  readonly #clean: () => void;

  constructor(
    server: SelsynServer,
    http: HttpConnection,
    facts: { loadSeconds: number; bytesOnDisk: number; folder: string; clean: () => void },
  ) {
    this.#server = server;
    this.#http = http;
    this.loadSeconds = facts.loadSeconds;
    this.bytesOnDisk = facts.bytesOnDisk;
    this.folder = facts.folder;
    this.#clean = facts.clean;
  }

  /** The server closes a connection on which nothing was asked for a minute. */
  async reconnect(): Promise<void> {
    this.#http[Symbol.dispose]();
    this.#http = await HttpConnection.open(this.#server.httpPort, AUTHORIZATION);
  }

  async points(device: number, metric: number, fromMs: number, toMs: number): Promise<number> {
    return countPairs(await this.#http.get(this.#path(device, metric, fromMs, toMs)));
  }

  async means(device: number, metric: number, fromMs: number, toMs: number, everyMs = 60_000): Promise<number> {
    const every = `${everyMs / 60_000}m`;
    return countPairs(await this.#http.get(`${this.#path(device, metric, fromMs, toMs)}&every=${every}&fn=mean`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http[Symbol.dispose]();
    await this.#server.process[Symbol.asyncDispose]();
    this.#clean();
  }

  #path(device: number, metric: number, fromMs: number, toMs: number): string {
    return `/api/v1/devices/bench-${device}/telemetry?metrics=${METRIC_NAMES[metric]}&from=${fromMs}&to=${toMs}`;
  }
}

/** Of `{"a":[[1,2],[3,4]]}`, without parsing it: the client's work is not the store's. */
function countPairs(body: Buffer): number {
  const OPENING = 0x5b;
  let brackets = 0;
  for (let at = body.indexOf(OPENING); at >= 0; at = body.indexOf(OPENING, at + 1)) brackets++;
  return brackets - 1;
}
