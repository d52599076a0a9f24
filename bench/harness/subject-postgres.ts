import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg, { type Client } from 'pg';
import { ChildServer, freePort, temporaryFolder, type ChildServerOptions } from './child-server.ts';
import { versionOf } from './machine.ts';
import type { QuerySubject } from './query-subject.ts';
import { METRIC_NAMES, type SensorWalks } from './sensor-walks.ts';

const PROGRAMS = '/usr/lib/postgresql/15/bin';
/** WAL is left out where it can be: this is about queries and sizes. */
const SETTINGS = [
  'fsync=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'max_wal_size=8GB',
  'shared_buffers=1GB',
  'maintenance_work_mem=1GB',
  'max_parallel_maintenance_workers=1',
  'autovacuum=off',
  'unix_socket_directories=',
];

/** PostgreSQL with the walks, one row a point and an index; `undefined` with a printed reason where it is not installed. */
export async function postgresWith(walks: SensorWalks): Promise<PostgresSubject | undefined> {
  if (!existsSync(join(PROGRAMS, 'postgres'))) {
    process.stdout.write(`  without PostgreSQL: ${PROGRAMS}/postgres is not there\n`);
    return undefined;
  }
  const user = otherUser();
  const folder = temporaryFolder(user);
  const port = await freePort();
  const data = join(folder, 'data');
  execFileSync(join(PROGRAMS, 'initdb'), ['-D', data, '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C'], {
    stdio: 'pipe',
    cwd: folder,
    ...user,
  });
  const server = new ChildServer(
    join(PROGRAMS, 'postgres'),
    ['-D', data, '-p', String(port), '-h', '127.0.0.1', ...SETTINGS.flatMap((setting) => ['-c', setting])],
    // SIGINT: do not wait for clients.
    { folder, stopSignal: 'SIGINT', ...(user === undefined ? {} : { user }) },
  );
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'bench', database: 'postgres' });
  try {
    await server.listening(port);
    const startedMs = performance.now();
    await load(port, walks);
    const loadSeconds = (performance.now() - startedMs) / 1000;
    await client.connect();
    const { rows } = await client.query({ text: `SELECT pg_total_relation_size('point')`, rowMode: 'array' });
    return new PostgresSubject(server, client, { loadSeconds, bytesOnDisk: Number(rows[0]?.[0]) });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** PostgreSQL refuses to run as root. */
function otherUser(): ChildServerOptions['user'] {
  if (process.getuid?.() !== 0) return undefined;
  const ask = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: ask('-u'), gid: ask('-g') };
}

async function load(port: number, walks: SensorWalks): Promise<void> {
  const psql = spawn(
    join(PROGRAMS, 'psql'),
    ['-h', '127.0.0.1', '-p', String(port), '-U', 'bench', '-d', 'postgres', '-q', '-v', 'ON_ERROR_STOP=1'],
    {
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  const ended = once(psql, 'close');
  psql.stdin.write(
    'BEGIN;\nCREATE TABLE point (device text NOT NULL, metric text NOT NULL, ts bigint NOT NULL, value double precision NOT NULL);\n',
  );
  psql.stdin.write('COPY point FROM STDIN;\n');
  const { devices, seconds } = walks.options;
  for (let second = 0; second < seconds; second++) {
    const ts = walks.timeMs(second);
    let rows = '';
    for (let device = 0; device < devices; device++) {
      for (const [metric, name] of walks.metrics.entries())
        rows += `bench-${device}\t${name}\t${ts}\t${walks.text(device, metric, second)}\n`;
    }
    if (!psql.stdin.write(rows)) await Promise.race([once(psql.stdin, 'drain'), ended]);
  }
  psql.stdin.end('\\.\nCOMMIT;\nCREATE INDEX point_by_series ON point (device, metric, ts);\nVACUUM ANALYZE point;\n');
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`psql ended with ${code}`);
}

export class PostgresSubject implements QuerySubject {
  readonly version: string = `PostgreSQL ${versionOf(join(PROGRAMS, 'postgres'), ['--version'], /\d+\.\d+/) ?? ''}`.trim();
  readonly loadSeconds: number;
  readonly bytesOnDisk: number;
  readonly #server: ChildServer;
  readonly #client: Client;

  constructor(server: ChildServer, client: Client, facts: { loadSeconds: number; bytesOnDisk: number }) {
    this.#server = server;
    this.#client = client;
    this.loadSeconds = facts.loadSeconds;
    this.bytesOnDisk = facts.bytesOnDisk;
  }

  async points(device: number, metric: number, fromMs: number, toMs: number): Promise<number> {
    const text = 'SELECT ts, value FROM point WHERE device = $1 AND metric = $2 AND ts >= $3 AND ts < $4 ORDER BY ts';
    return await this.#count('points', text, device, metric, fromMs, toMs);
  }

  async means(device: number, metric: number, fromMs: number, toMs: number, everyMs = 60_000): Promise<number> {
    const text = `SELECT ts / ${everyMs} AS bucket, avg(value) FROM point WHERE device = $1 AND metric = $2 AND ts >= $3 AND ts < $4 GROUP BY bucket ORDER BY bucket`;
    return await this.#count(`means-${everyMs}`, text, device, metric, fromMs, toMs);
  }

  /** Makes tables of hours and days with an index, without first and last, which would cost a sort. @returns bytes of each */
  async rollUp(): Promise<{ readonly hourly: number; readonly daily: number }> {
    const bytes: number[] = [];
    for (const [table, from, length, facts] of [
      ['hourly', 'point', 3_600_000, 'count(*), min(value), max(value), sum(value)'],
      ['daily', 'hourly', 24, 'sum(count) AS count, min(min), max(max), sum(sum)'],
    ] as const) {
      const time = from === 'point' ? 'ts' : 'bucket';
      await this.#client.query(
        `CREATE TABLE ${table} AS SELECT device, metric, ${time} / ${length} AS bucket, ${facts} FROM ${from} GROUP BY 1, 2, 3`,
      );
      await this.#client.query(`CREATE INDEX ${table}_by_series ON ${table} (device, metric, bucket)`);
      const { rows } = await this.#client.query({ text: `SELECT pg_total_relation_size('${table}')`, rowMode: 'array' });
      bytes.push(Number(rows[0]?.[0]));
    }
    return { hourly: bytes[0]!, daily: bytes[1]! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
    await this.#server[Symbol.asyncDispose]();
  }

  async #count(name: string, text: string, device: number, metric: number, fromMs: number, toMs: number): Promise<number> {
    const { rows } = await this.#client.query({
      name,
      text,
      values: [`bench-${device}`, METRIC_NAMES[metric], fromMs, toMs],
      rowMode: 'array',
    });
    return rows.length;
  }
}
