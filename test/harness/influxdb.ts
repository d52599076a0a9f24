import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { findProgram } from './programs.ts';

const START_MS = 60_000;

interface QueryAnswer {
  readonly results: readonly {
    readonly error?: string;
    readonly series?: readonly { readonly columns: readonly string[]; readonly values: readonly (readonly unknown[])[] }[];
  }[];
}

/** InfluxDB 1.x on a free port of the loopback interface. */
export class InfluxDb implements AsyncDisposable {
  readonly url: string;
  readonly #program: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Undefined, with a printed reason, where it is not installed. */
  static async start(): Promise<InfluxDb | undefined> {
    const program = findProgram('influxd');
    if (program === undefined) return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-influxdb-'));
    const free = { host: '127.0.0.1', port: 0, portKey: '' };
    const { http, rpc } = await reservePorts({ http: free, rpc: free });
    const settings = `
reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${folder}/meta"
[data]
  dir = "${folder}/data"
  wal-dir = "${folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:${http}"
  log-enabled = false
[monitor]
  store-enabled = false
`;
    writeFileSync(join(folder, 'influxdb.conf'), settings);
    const influx = new InfluxDb(program, folder, http);
    try {
      await influx.restart();
      return influx;
    } catch (error) {
      await influx[Symbol.asyncDispose]();
      throw error;
    }
  }

  async restart(): Promise<void> {
    this.#child = spawn(this.#program, ['-config', join(this.#folder, 'influxdb.conf')], { stdio: 'ignore', cwd: this.#folder });
    for (const end = performance.now() + START_MS; ;) {
      if ((await fetch(`${this.url}/ping`).catch(() => undefined))?.ok === true) return;
      if (this.#child.exitCode !== null || performance.now() > end) throw new Error('influxd did not start');
      await pause(50);
    }
  }

  /** The columns and rows of the first series that a query finds. @throws what InfluxDB says is wrong */
  async query(
    query: string,
    database = '',
  ): Promise<{ readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }> {
    const body = new URLSearchParams({ q: query, db: database, epoch: 'ns' });
    const answer = (await (await fetch(`${this.url}/query`, { method: 'POST', body })).json()) as QueryAnswer;
    const [result] = answer.results;
    if (result?.error !== undefined) throw new Error(result.error);
    const [series] = result?.series ?? [];
    return { columns: series?.columns ?? [], rows: series?.values ?? [] };
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
