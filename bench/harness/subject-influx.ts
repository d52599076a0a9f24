import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChildServer, freePort, temporaryFolder } from './child-server.ts';
import { folderBytes } from './folder-size.ts';
import { HttpConnection } from './http-connection.ts';
import { versionOf } from './machine.ts';
import type { QuerySubject } from './query-subject.ts';
import type { SensorWalks } from './sensor-walks.ts';
import { settled } from './subject-selsyn.ts';

const PROGRAM = '/usr/bin/influxd';
const LINES = 20_000;
/** What is kept of an hour, and how that of a day is made of it. */
const FACTS = [
  ['count', 'sum'],
  ['min', 'min'],
  ['max', 'max'],
  ['sum', 'sum'],
  ['first', 'first'],
  ['last', 'last'],
] as const;

/** InfluxDB 1.x with the walks, compacted; `undefined` with a printed reason where it is not installed. */
export async function influxWith(walks: SensorWalks): Promise<InfluxSubject | undefined> {
  if (!existsSync(PROGRAM)) {
    process.stdout.write(`  without InfluxDB: ${PROGRAM} is not there\n`);
    return undefined;
  }
  const folder = temporaryFolder();
  const [port, rpcPort] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'influxdb.conf'), configuration(folder, port, rpcPort));
  const server = new ChildServer(PROGRAM, ['-config', join(folder, 'influxdb.conf')], { folder });
  try {
    await server.listening(port);
    await query(port, 'CREATE DATABASE bench');
    const startedMs = performance.now();
    await load(port, walks);
    const loadSeconds = (performance.now() - startedMs) / 1000;
    const size = (): number => folderBytes(folder, (path) => /\/(data|wal)\/bench\//.test(path));
    // Shards that nobody writes to are compacted after 10 s.
    const bytesOnDisk = await settled(size, 20);
    const http = await HttpConnection.open(port);
    return new InfluxSubject(server, port, http, walks.metrics, { loadSeconds, bytesOnDisk, size });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

function configuration(folder: string, port: number, rpcPort: number): string {
  return `
reporting-disabled = true
bind-address = "127.0.0.1:${rpcPort}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
  cache-max-memory-size = "4g"
  compact-full-write-cold-duration = "10s"
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
[logging]
  level = "error"
[monitor]
  store-enabled = false
`;
}

async function load(port: number, walks: SensorWalks): Promise<void> {
  const { devices, seconds } = walks.options;
  let lines: string[] = [];
  const send = async (): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${port}/write?db=bench&precision=ms`, {
      method: 'POST',
      body: lines.join('\n'),
    });
    if (!response.ok) throw new Error(`InfluxDB answered ${response.status}: ${await response.text()}`);
    lines = [];
  };
  for (let second = 0; second < seconds; second++) {
    const ts = walks.timeMs(second);
    for (let device = 0; device < devices; device++) {
      const fields = walks.metrics.map((name, metric) => `${name}=${walks.text(device, metric, second)}`).join(',');
      lines.push(`sensor,device=bench-${device} ${fields} ${ts}`);
      if (lines.length === LINES) await send();
    }
  }
  if (lines.length > 0) await send();
}

async function query(port: number, text: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/query?db=bench`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ q: text }).toString(),
    signal: AbortSignal.timeout(600_000),
  });
  const answer = await response.text();
  if (!response.ok || answer.includes('"error"')) throw new Error(`InfluxDB answered ${response.status} to ${text}: ${answer}`);
}

export class InfluxSubject implements QuerySubject {
  readonly version: string = `InfluxDB ${versionOf('dpkg-query', ['-W', '-f', '${Version}', 'influxdb'], /[\d.]+/) ?? ''}`.trim();
  readonly loadSeconds: number;
  readonly bytesOnDisk: number;
  readonly #server: ChildServer;
  readonly #port: number;
  readonly #http: HttpConnection;
  readonly #metrics: readonly string[];
  readonly #size: () => number;

  constructor(
    server: ChildServer,
    port: number,
    http: HttpConnection,
    metrics: readonly string[],
    facts: { loadSeconds: number; bytesOnDisk: number; size: () => number },
  ) {
    this.#server = server;
    this.#port = port;
    this.#http = http;
    this.#metrics = metrics;
    this.loadSeconds = facts.loadSeconds;
    this.bytesOnDisk = facts.bytesOnDisk;
    this.#size = facts.size;
  }

  async points(device: number, metric: number, fromMs: number, toMs: number): Promise<number> {
    const text = `SELECT ${this.#metrics[metric]} FROM sensor WHERE device='bench-${device}' AND time >= ${fromMs}ms AND time < ${toMs}ms`;
    return countRows(await this.#get(text));
  }

  async means(device: number, metric: number, fromMs: number, toMs: number, everyMs = 60_000): Promise<number> {
    const where = `device='bench-${device}' AND time >= ${fromMs}ms AND time < ${toMs}ms`;
    return countRows(
      await this.#get(`SELECT mean(${this.#metrics[metric]}) FROM sensor WHERE ${where} GROUP BY time(${everyMs}ms)`),
    );
  }

  /** Makes measurements of hours and days, as continuous queries would. @returns bytes that each added */
  async rollUp(): Promise<{ readonly hourly: number; readonly daily: number }> {
    const bytes: number[] = [];
    for (const [name, length, from] of [
      ['hourly', '1h', 'sensor'],
      ['daily', '1d', 'hourly'],
    ] as const) {
      const before = this.#size();
      const facts = FACTS.flatMap(([fact, over]) =>
        this.#metrics.map((metric) =>
          from === 'sensor' ? `${fact}(${metric}) AS ${fact}_${metric}` : `${over}(${fact}_${metric}) AS ${fact}_${metric}`,
        ),
      );
      await query(this.#port, `SELECT ${facts.join(', ')} INTO ${name} FROM ${from} GROUP BY time(${length}), device`);
      bytes.push((await settled(this.#size, 20)) - before);
    }
    return { hourly: bytes[0]!, daily: bytes[1]! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http[Symbol.dispose]();
    await this.#server[Symbol.asyncDispose]();
  }

  async #get(text: string): Promise<Buffer> {
    return await this.#http.get(`/query?db=bench&epoch=ms&q=${encodeURIComponent(text)}`);
  }
}

/** Of `"values":[[1,2],[3,4]]`, without parsing it. */
function countRows(body: Buffer): number {
  const start = body.indexOf('"values":[');
  if (start < 0) return 0;
  let rows = 1;
  for (let at = body.indexOf('],[', start); at >= 0; at = body.indexOf('],[', at + 1)) rows++;
  return rows;
}
