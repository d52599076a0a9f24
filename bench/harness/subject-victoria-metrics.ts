import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ChildServer, freePort, temporaryFolder } from './child-server.ts';
import { folderBytes } from './folder-size.ts';
import { HttpConnection } from './http-connection.ts';
import { versionOf } from './machine.ts';
import type { QuerySubject } from './query-subject.ts';
import { METRIC_NAMES, type SensorWalks } from './sensor-walks.ts';
import { settled } from './subject-selsyn.ts';

const PROGRAM = '/usr/bin/victoria-metrics';
const IMPORT_SECONDS = 7200;

/** VictoriaMetrics with the walks, merged; `undefined` with a printed reason where it is not installed. */
export async function victoriaMetricsWith(walks: SensorWalks): Promise<QuerySubject | undefined> {
  if (!existsSync(PROGRAM)) {
    process.stdout.write(`  without VictoriaMetrics: ${PROGRAM} is not there\n`);
    return undefined;
  }
  const folder = temporaryFolder();
  const port = await freePort();
  const server = new ChildServer(
    PROGRAM,
    [
      `-storageDataPath=${join(folder, 'data')}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-retentionPeriod=1200',
      '-loggerLevel=ERROR',
      '-search.disableCache',
    ],
    { folder },
  );
  try {
    await server.listening(port);
    const startedMs = performance.now();
    await load(port, walks);
    const loadSeconds = (performance.now() - startedMs) / 1000;
    await post(port, '/internal/force_merge', '');
    await post(port, '/internal/force_flush', '');
    const bytesOnDisk = await settled(() => folderBytes(folder, (path) => /\/data\/(data|indexdb)\//.test(path)));
    return new VictoriaMetricsSubject(server, await HttpConnection.open(port), { loadSeconds, bytesOnDisk });
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** As JSON lines of two hours of a series each. */
async function load(port: number, walks: SensorWalks): Promise<void> {
  const { devices, seconds } = walks.options;
  for (let start = 0; start < seconds; start += IMPORT_SECONDS) {
    const length = Math.min(IMPORT_SECONDS, seconds - start);
    const timestamps = Array.from({ length }, (_, i) => walks.timeMs(start + i)).join(',');
    for (let device = 0; device < devices; device += 10) {
      const lines: string[] = [];
      for (let one = device; one < Math.min(device + 10, devices); one++) {
        for (const [metric, name] of walks.metrics.entries()) {
          const values = Array.from({ length }, (_, i) => walks.text(one, metric, start + i)).join(',');
          lines.push(
            `{"metric":{"__name__":"${name}","device":"bench-${one}"},"values":[${values}],"timestamps":[${timestamps}]}`,
          );
        }
      }
      await post(port, '/api/v1/import', lines.join('\n'));
    }
  }
  await post(port, '/internal/force_flush', '');
}

async function post(port: number, path: string, body: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`VictoriaMetrics answered ${response.status} to ${path}`);
}

class VictoriaMetricsSubject implements QuerySubject {
  readonly version: string =
    `VictoriaMetrics ${versionOf('dpkg-query', ['-W', '-f', '${Version}', 'victoria-metrics'], /[\d.]+/) ?? ''}`.trim();
  readonly loadSeconds: number;
  readonly bytesOnDisk: number;
  readonly #server: ChildServer;
  readonly #http: HttpConnection;

  constructor(server: ChildServer, http: HttpConnection, facts: { loadSeconds: number; bytesOnDisk: number }) {
    this.#server = server;
    this.#http = http;
    this.loadSeconds = facts.loadSeconds;
    this.bytesOnDisk = facts.bytesOnDisk;
  }

  async points(device: number, metric: number, fromMs: number, toMs: number): Promise<number> {
    const match = encodeURIComponent(`${METRIC_NAMES[metric]}{device="bench-${device}"}`);
    // The end is inclusive here.
    const body = await this.#http.get(`/api/v1/export?match[]=${match}&start=${fromMs / 1000}&end=${(toMs - 1) / 1000}`);
    return countItems(body, '"timestamps":[');
  }

  async means(device: number, metric: number, fromMs: number, toMs: number, everyMs = 60_000): Promise<number> {
    const seconds = everyMs / 1000;
    const query = encodeURIComponent(`avg_over_time(${METRIC_NAMES[metric]}{device="bench-${device}"}[${seconds}s])`);
    // A bucket is named by its end: (t - length, t].
    const range = `start=${(fromMs + everyMs - 1) / 1000}&end=${(toMs - 1) / 1000}&step=${seconds}s&nocache=1`;
    return countItems(await this.#http.get(`/api/v1/query_range?query=${query}&${range}`), '"values":[', '],[');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http[Symbol.dispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Items of the JSON array that `opening` begins, without parsing it. */
function countItems(body: Buffer, opening: string, separator = ','): number {
  const start = body.indexOf(opening);
  if (start < 0) return 0;
  const end = separator === ',' ? body.indexOf(']', start) : body.length;
  let items = 1;
  for (let at = body.indexOf(separator, start + opening.length); at >= 0 && at < end; at = body.indexOf(separator, at + 1))
    items++;
  return items;
}
