/*
 * Claims: SQL groups 10M points that are in chunks at 8M points/s and more, the same points in the archive at 30M/s and more, and
 * asks an hour of one device in 60 ms. Chunks are written as Parquet at 2M points/s and more.
 *
 * Workload: 1,000 devices, each 10,000 points of one day, a 2-decimal sensor walk, in chunks of 1,024 points in the order in which they
 * would have been sealed; then the 24 hours of that day as Parquet. One query at a time, in the process of its own that SQL has; the time
 * is that of the whole query, with planning and the answer.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchivedObject, ArchiveIndex } from '@selsyn/platform/archive/archive-index.ts';
import { readDayState } from '@selsyn/platform/archive/day-state.ts';
import { ARCHIVE_LIMITS } from '@selsyn/platform/columnar/columnar-limits.ts';
import { openParquetFiles } from '@selsyn/platform/columnar/open-parquet-files.ts';
import type { HourParquet } from '@selsyn/platform/columnar/parquet-files.ts';
import { systemClock } from '@selsyn/platform/kernel/clock.ts';
import { silentLogLines } from '@selsyn/platform/kernel/log-lines.ts';
import { EVERYTHING } from '@selsyn/platform/registry/scope.ts';
import { SqlService } from '@selsyn/platform/sql/sql-service.ts';
import { Catalog } from '@selsyn/platform/telemetry/catalog.ts';
import { encodeChunk } from '@selsyn/platform/telemetry/codec/chunk-codec.ts';
import { ALL_HOURS, DAY_MS, dayFilePath, DAY_STALE, openDayFileForWrite } from '@selsyn/platform/telemetry/day-file-schema.ts';
import { describeMachine } from './harness/machine.ts';
import { amount } from './harness/phase.ts';
import { quantile, type ClaimResult, type Row } from './harness/report.ts';

const DEVICES = amount(1_000);
const POINTS = 10_000;
const CHUNK_POINTS = 1_024;
const DAY = Date.UTC(2026, 10, 21) / DAY_MS;
const STEP_MS = DAY_MS / POINTS;
const ROUNDS = 5;
const ALL_POINTS = DEVICES * POINTS;

function device(number: number): string {
  return `sensor-${String(number).padStart(6, '0')}`;
}

/** @returns the bytes of the chunks */
function fill(telemetryDir: string): number {
  const catalog = new Catalog(telemetryDir);
  catalog.open();
  catalog.save({
    newSeries: Array.from({ length: DEVICES }, (_, i) => ({ id: i + 1, device: device(i), metric: 'temperature' })),
  });
  catalog.close();
  const walks = Array.from({ length: DEVICES }, () => {
    let value = 2_000;
    return Float64Array.from({ length: POINTS }, () => (value += Math.floor(Math.random() * 11) - 5) / 100);
  });
  const times = Float64Array.from({ length: POINTS }, (_, i) => DAY * DAY_MS + Math.floor(i * STEP_MS));
  const file = openDayFileForWrite(telemetryDir, DAY, () => 1);
  const insert = file.prepare('INSERT INTO chunk (series, start_ms, end_ms, count, data) VALUES (?, ?, ?, ?, ?)');
  const mark = file.prepare('INSERT INTO mark (series, progress, hours, generation) VALUES (?, 1, ?, 1)');
  let bytes = 0;
  for (let at = 0; at < POINTS; at += CHUNK_POINTS) {
    const count = Math.min(CHUNK_POINTS, POINTS - at);
    file.exec('BEGIN');
    walks.forEach((walk, i) => {
      if (at === 0) mark.run(i + 1, ALL_HOURS | DAY_STALE);
      const data = encodeChunk(times.subarray(at), walk.subarray(at), count);
      bytes += data.length;
      insert.run(i + 1, times[at]!, times[at + count - 1]!, count, data);
    });
    file.exec('COMMIT');
  }
  for (let hour = 0; hour < 24; hour++) file.exec(`INSERT INTO hour VALUES (${hour}, 1)`);
  file.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  file.close();
  return bytes;
}

/** An archive that has all hours, or none of them. */
class BenchArchive implements ArchiveIndex {
  files: readonly HourParquet[] = [];
  readonly #telemetryDir: string;

  constructor(telemetryDir: string) {
    this.#telemetryDir = telemetryDir;
  }

  get inUse(): boolean {
    return this.files.length > 0;
  }

  range({ fromMs, toMs }: Parameters<ArchiveIndex['range']>[0]): ReturnType<ArchiveIndex['range']> {
    const state = readDayState(dayFilePath(this.#telemetryDir, DAY), DAY)!;
    const objects = this.files
      .filter(({ minTimeMs, maxTimeMs }) => minTimeMs! < toMs && maxTimeMs! >= fromMs)
      .map((file, id): ArchivedObject => ({
        id,
        key: file.path,
        deviceType: file.deviceType,
        day: DAY,
        hour: file.hour,
        sizeBytes: file.bytes,
        rows: file.rows,
        firstMs: file.minTimeMs!,
        lastMs: file.maxTimeMs!,
        firstDevice: file.firstDevice!,
        lastDevice: file.lastDevice!,
        hidden: [],
        sha256: '',
        storedMs: 0,
      }));
    return { hours: objects.map(({ hour }) => ({ day: DAY, hour: hour!, generation: state.generation, version: 1 })), objects };
  }

  async local({ key }: ArchivedObject): Promise<Disposable & { readonly path: string }> {
    return { path: key, [Symbol.dispose]: () => {} };
  }
}

const QUERIES = {
  'mean of each device': 'SELECT device, avg(value) FROM telemetry GROUP BY device',
  'least and largest an hour': "SELECT date_trunc('hour', time) AS hour, min(value), max(value) FROM telemetry GROUP BY hour",
  'count of all': 'SELECT count(*) FROM telemetry',
  'an hour of one device, a mean a minute': `SELECT time_bucket(INTERVAL 1 MINUTE, time) AS minute, avg(value) FROM telemetry
    WHERE device = '${device(50)}' AND time >= epoch_ms(${DAY * DAY_MS + 36_000_000}) AND time < epoch_ms(${DAY * DAY_MS + 39_600_000}) GROUP BY minute`,
} as const;

async function timed(service: SqlService, sql: string): Promise<number> {
  const spent: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const startMs = performance.now();
    using answer = await service.run({ sql, format: 'json', scope: EVERYTHING, caller: 'bench' });
    for await (const _ of answer.read());
    if (round > 0) spent.push(performance.now() - startMs);
  }
  return Math.round(quantile(spent, 0.5));
}

export async function sql(): Promise<ClaimResult> {
  const root = mkdtempSync(join(tmpdir(), 'selsyn-bench-sql-'));
  const telemetryDir = join(root, 'telemetry');
  const archiveDir = join(root, 'archive');
  mkdirSync(archiveDir, { recursive: true });
  const common = { clock: systemClock, logLines: silentLogLines };
  try {
    const chunkBytes = fill(telemetryDir);
    const archive = new BenchArchive(telemetryDir);
    await using service = new SqlService({
      limits: {
        memoryBytes: 512 * 1024 ** 2,
        deadlineMs: 60_000,
        maxRows: 1_000_000,
        maxPoints: 1_000_000_000,
        maxResultBytes: 256 * 1024 ** 2,
      },
      concurrency: 1,
      threads: availableParallelism(),
      telemetryDir,
      scratchDir: join(root, 'sql'),
      archiveDirs: [archiveDir],
      // Nothing is in memory.
      hot: { call: async () => ({ series: [], daysVersion: 1, unrolledDays: [DAY] }) as never },
      registry: {
        devices: { list: async () => ({ items: [] }), findMany: async () => new Map() },
        // None has a type.
        types: { all: async function* () {} },
      },
      archive,
      ...common,
    });
    service.start();
    const raw: Record<string, number> = {};
    for (const [what, text] of Object.entries(QUERIES)) raw[what] = await timed(service, text);

    await using parquet = openParquetFiles({ limits: ARCHIVE_LIMITS, scratchDir: join(root, 'parquet'), ...common });
    const startMs = performance.now();
    const hours = Array.from({ length: 24 }, (_, hour) => hour);
    const { files } = await parquet.writeHours({ telemetryDir, day: DAY, hours, folder: archiveDir, types: [] });
    const writeMs = performance.now() - startMs;
    archive.files = files;
    const archived: Record<string, number> = {};
    for (const [what, text] of Object.entries(QUERIES)) archived[what] = await timed(service, text);
    const parquetBytes = files.reduce((sum, { path }) => sum + statSync(path).size, 0);
    return resultOf({ raw, archived, writeMs, chunkBytes, parquetBytes });
  } finally {
    rmSync(root, { recursive: true });
  }
}

function resultOf(measured: {
  readonly raw: Readonly<Record<string, number>>;
  readonly archived: Readonly<Record<string, number>>;
  readonly writeMs: number;
  readonly chunkBytes: number;
  readonly parquetBytes: number;
}): ClaimResult {
  const { raw, archived, writeMs, chunkBytes, parquetBytes } = measured;
  const perSecond = (ms: number): number => ALL_POINTS / ms / 1000;
  const rate = (what: string, ms: number, target: number | undefined): Row => {
    const row = { what, selsyn: `${ms} ms, ${perSecond(ms).toFixed(1)}M points/s` };
    return target === undefined ? row : { ...row, target: `${target}M points/s`, holds: perSecond(ms) >= target };
  };
  const one = 'an hour of one device, a mean a minute';
  const first = 'mean of each device';
  const rows: Row[] = [
    ...Object.entries(raw).map(([what, ms]) =>
      what === one
        ? { what: `chunks: ${what}`, selsyn: `${ms} ms`, target: '60 ms', holds: ms <= 60 }
        : rate(`chunks: ${what}`, ms, what === first ? 8 : undefined),
    ),
    ...Object.entries(archived).map(([what, ms]) =>
      what === one
        ? { what: `archive: ${what}`, selsyn: `${ms} ms`, target: '60 ms', holds: ms <= 60 }
        : rate(`archive: ${what}`, ms, what === first ? 30 : undefined),
    ),
    rate('chunks written as Parquet', Math.round(writeMs), 2),
    {
      what: 'bytes a point',
      selsyn: `chunks ${(chunkBytes / ALL_POINTS).toFixed(2)}, Parquet ${(parquetBytes / ALL_POINTS).toFixed(2)}`,
    },
  ];
  return {
    claim: 'sql',
    workload: `${DEVICES} devices, each ${POINTS} points of one day, in chunks and as 24 hours of Parquet; a process of 512 MiB`,
    machine: describeMachine(),
    rows,
    measured,
  };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await sql(), undefined, 2)}\n`);
