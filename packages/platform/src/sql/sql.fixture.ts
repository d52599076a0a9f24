import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArchiveFixture } from '../archive/archive.fixture.ts';
import type { ArchiveIndex } from '../archive/archive-index.ts';
import type { ParquetFiles } from '../columnar/parquet-files.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import { localCaller } from '../kernel/thread-channel.ts';
import { openTestRegistry, type TestRegistry } from '../registry/registry.fixture.ts';
import { EVERYTHING, type Scope } from '../registry/scope.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import { HotScans } from '../telemetry/hot-scans.ts';
import type { PointValue } from '../telemetry/telemetry-queries.ts';
import type { SqlLimits } from './sql-limits.ts';
import type { SqlAnswer, SqlRequest } from './sql-query.ts';
import { SqlService } from './sql-service.ts';

const MIB = 1024 ** 2;
export const TEST_LIMITS: SqlLimits = {
  memoryBytes: 256 * MIB,
  deadlineMs: 30_000,
  maxRows: 100_000,
  maxPoints: 1_000_000,
  maxResultBytes: 32 * MIB,
};

export type Answer = Pick<SqlAnswer, 'rows' | 'limited' | 'columns' | 'statistics'> & { readonly data: unknown[][] };

/** For tests: a store, its archive and a registry, and SQL over them in a real process. */
export class SqlFixture implements AsyncDisposable {
  readonly archive: ArchiveFixture;
  readonly registry: TestRegistry;
  readonly service: SqlService;
  readonly scratchDir: string;
  /** What happens within a query: before and after the points in memory are read, and before each object of the archive is taken. */
  readonly between: Partial<Record<'memoryAsked' | 'memoryRead' | 'objectTaken', (() => Promise<void>) | undefined>> = {};

  private constructor(archive: ArchiveFixture, registry: TestRegistry, limits: Partial<SqlLimits>, concurrency: number) {
    this.archive = archive;
    this.registry = registry;
    this.scratchDir = mkdtempSync(join(tmpdir(), 'selsyn-sql-'));
    const { writer } = archive.store;
    const scans = new HotScans({ hot: writer.hot, devices: writer.devices, clock: archive.store.clock });
    const caller = localCaller({ hotScan: (query: Parameters<HotCalls['hotScan']>[0]) => scans.page(query) });
    const hot = {
      call: async (name: 'hotScan', query: Parameters<HotCalls['hotScan']>[0]) => {
        await this.between.memoryAsked?.();
        const page = await caller.call(name, query);
        await this.between.memoryRead?.();
        return page;
      },
    };
    const { index } = archive;
    const watched: ArchiveIndex = {
      get inUse() {
        return index.inUse;
      },
      range: (query) => index.range(query),
      local: async (object, signal) => {
        await this.between.objectTaken?.();
        return await index.local(object, signal);
      },
    };
    this.service = new SqlService({
      limits: { ...TEST_LIMITS, ...limits },
      concurrency,
      threads: 2,
      telemetryDir: archive.store.dir,
      scratchDir: join(this.scratchDir, 'sql'),
      archiveDirs: [join(archive.root, 'archive')],
      // Only scans are asked for.
      hot: hot as never,
      registry: { devices: registry.devices, types: archive.types },
      archive: watched,
      clock: systemClock,
      logLines: silentLogLines,
    });
    this.service.start();
  }

  static async open(
    parquet: ParquetFiles,
    options: {
      readonly limits?: Partial<SqlLimits>;
      readonly concurrency?: number;
      readonly change?: (archive: ArchiveFixture) => void;
    } = {},
  ): Promise<SqlFixture> {
    const archive = await ArchiveFixture.open(parquet, options.change);
    return new SqlFixture(archive, await openTestRegistry(), options.limits ?? {}, options.concurrency ?? 1);
  }

  /** The beginning of the day of which `points` speaks, ms. */
  get today(): number {
    return this.archive.today;
  }

  /** A time of that day as SQL writes it. */
  at(minute: number): string {
    return `TIMESTAMP '${new Date(this.today + minute * 60_000).toISOString().slice(0, -1).replace('T', ' ')}'`;
  }

  /** Points that are consumed and in memory only. */
  hotPoints(...points: readonly (readonly [device: string, metric: string, minute: number, value: PointValue])[]): void {
    const { log, store } = this.archive;
    log.append(
      0,
      store.clock.now(),
      points.map(([device, metric, minute, value]) => [device, { ts: this.today + minute * 60_000, [metric]: value }]),
    );
    store.consume();
  }

  async query(sql: string, request: Partial<SqlRequest> = {}, signal?: AbortSignal): Promise<Answer> {
    using answer = await this.service.run({ format: 'json', scope: EVERYTHING, caller: 'test', ...request, sql }, signal);
    const { rows, limited, columns, statistics } = answer;
    const bytes = await bytesOf(answer);
    return { rows, limited, columns, statistics, data: JSON.parse(bytes.toString()) as unknown[][] };
  }

  /** The rows of a query, as whoever has this scope sees them. */
  async rows(sql: string, scope: Scope = EVERYTHING): Promise<unknown[][]> {
    return (await this.query(sql, { scope })).data;
  }

  async bytes(sql: string, request: Partial<SqlRequest>): Promise<Buffer> {
    using answer = await this.service.run({ format: 'json', scope: EVERYTHING, caller: 'test', ...request, sql });
    return await bytesOf(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.archive[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    rmSync(this.scratchDir, { recursive: true, force: true });
  }
}

async function bytesOf(answer: SqlAnswer): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}
