import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { DayState } from '../archive/day-state.ts';
import { lockSettings, openEngine, shutIn } from '../columnar/engine.ts';
import { pointTable } from '../columnar/point-scan.ts';
import { TableScans } from '../columnar/table-scans.ts';
import { SelsynError } from '../kernel/errors.ts';
import { ChunkReader } from '../telemetry/chunk-reader.ts';
import { listDayFiles } from '../telemetry/day-file-schema.ts';
import { RollupReader } from '../telemetry/rollups/rollup-reader.ts';
import type { RollupLevel } from '../telemetry/rollups/rollup-file.ts';
import { SeriesReader } from '../telemetry/series-reader.ts';
import { hourSources, spansOfHours, type HourSources } from './archived-hours.ts';
import { CountingPace } from './counting-pace.ts';
import { stateOfFile } from './day-file-state.ts';
import { DeviceTableWriter } from './device-table-writer.ts';
import { HotPoints } from './hot-points.ts';
import { narrowPlan } from './narrow-plan.ts';
import { planQuery } from './query-plan.ts';
import { readingAdvice, tooManyPoints } from './reading-advice.ts';
import { writeResult } from './result-writing.ts';
import { rollupTable, type RollupRun } from './rollup-table.ts';
import { SeenDevices } from './seen-devices.ts';
import { SeriesList } from './series-list.ts';
import type { DeviceRow, SqlCalls, SqlPlan, SqlResult, SqlRun, TablePart } from './sql-calls.ts';
import { MAX_SCRATCH_BYTES } from './sql-limits.ts';
import { rollupsOf, timesOf } from './stored-rollups.ts';
import { storedPoints, type StoredPointsParts } from './stored-points.ts';
import { TABLE_COLUMNS } from './table-columns.ts';
import { telemetryView } from './telemetry-view.ts';
import { intersectSpans, joinSpans, subtractSpans } from './time-spans.ts';

/** Five years. An open file takes three descriptors, and 0.2 MB of what the process has beside the engine. */
const MAX_DAY_FILES = 2_000;
/** Ten years of weeks, and the years. */
const MAX_ROLLUP_FILES = 540;
const ANY_VERSION = 1;

export interface SessionPlace {
  readonly telemetryDir: string;
  readonly scratchDir: string;
  /** Where files are that a query may be given: the archive, copies of it. */
  readonly archiveDirs: readonly string[];
  readonly threads: number;
}

/** One query, in an engine of its own that has nothing but what the query needs. */
export class QuerySession implements Disposable {
  readonly #place: SessionPlace;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #sql: string;
  #plan: SqlPlan;
  readonly #scans: TableScans;
  readonly #seen = new SeenDevices();
  readonly #hot: HotPoints;
  readonly #pace = new CountingPace();
  readonly #reader: ChunkReader;
  readonly #rollups: RollupReader;
  readonly #devices: DeviceTableWriter;
  readonly #days = new Map<number, DayState | undefined>();
  #rollupRows = 0;

  private constructor(place: SessionPlace, sql: string, memoryBytes: number, engine: Engine, plan: SqlPlan) {
    this.#place = place;
    // What follows is put into parentheses.
    this.#sql = sql.replace(/[;\s]+$/, '');
    this.#instance = engine.instance;
    this.#connection = engine.connection;
    this.#plan = plan;
    this.#scans = new TableScans(engine.connection);
    this.#hot = new HotPoints(memoryBytes);
    this.#reader = new ChunkReader({ telemetryDir: place.telemetryDir, maxOpenFiles: MAX_DAY_FILES });
    this.#rollups = new RollupReader({ ...place, maxOpenFiles: MAX_ROLLUP_FILES });
    this.#devices = new DeviceTableWriter(engine.connection);
  }

  /** Checks and plans it. @throws SelsynError `sql.invalid`, `sql.refused` */
  static async open(place: SessionPlace, { sql, memoryBytes }: Parameters<SqlCalls['plan']>[0]): Promise<QuerySession> {
    const engine = await openEngine({ ...place, memoryBytes, maxScratchBytes: MAX_SCRATCH_BYTES });
    const { connection } = engine;
    try {
      await shutIn(connection, [...place.archiveDirs, place.scratchDir]);
      await connection.run(`SET TimeZone = 'UTC'`);
      await connection.run('SET errors_as_json = true');
      await connection.run('BEGIN');
      const plan = await planQuery(connection, sql);
      return new QuerySession(place, sql, memoryBytes, engine, plan);
    } catch (error) {
      connection.closeSync();
      engine.instance.closeSync();
      throw error;
    }
  }

  get plan(): SqlPlan {
    return this.#plan;
  }

  addSeen({ devices, only }: Parameters<SqlCalls['addSeen']>[0]): void {
    this.#seen.add(devices, only);
  }

  addHot(page: Parameters<SqlCalls['addHot']>[0]): void {
    this.#hot.add(page);
  }

  async addDevices(rows: readonly DeviceRow[]): Promise<void> {
    await this.#devices.add(rows);
  }

  async narrow(): Promise<SqlPlan | null> {
    await this.#devices.finish();
    const plan = await narrowPlan(this.#connection, this.#sql, this.#plan);
    if (plan !== undefined) this.#plan = plan;
    return plan ?? null;
  }

  /** From here on what retention removes stays readable. @throws SelsynError `sql.over-limit` */
  openFiles(archived: boolean): void {
    this.#reader.refresh(ANY_VERSION);
    this.#rollups.refresh(ANY_VERSION);
    const days = this.#daysToRead();
    if (days.size > MAX_DAY_FILES) {
      const message = `the query reads points of ${days.size} days, and ${MAX_DAY_FILES} may be read at once`;
      throw new SelsynError('sql.over-limit', `${message}: ${readingAdvice(this.#plan)}`, {
        details: { limit: 'days', maxDays: MAX_DAY_FILES },
      });
    }
    // Those that appear from here on have a state that is not known.
    const paths = archived && days.size > 0 ? listDayFiles(this.#place.telemetryDir) : new Map<number, readonly string[]>();
    for (const day of days) {
      // Reading opens it, and it stays open.
      this.#reader.mark(day, 0);
      const path = paths.get(day)?.[0];
      this.#days.set(day, path === undefined ? undefined : stateOfFile(path, day));
    }
  }

  /** Of raw points all that there are in the time, of rollups those of which they do not say everything. */
  #daysToRead(): Set<number> {
    const { telemetry, hours, days } = this.#plan;
    const found = new Set<number>();
    for (const { fromMs, toMs } of telemetry) for (const day of this.#reader.days(fromMs, toMs)) found.add(day);
    if (hours.length === 0 && days.length === 0) return found;
    const existing = new Set(this.#reader.days(-Infinity, Infinity));
    const pending = [...this.#hot.unrolledDays, ...[...this.#hot.hours].map((hour) => Math.floor(hour / 24))];
    for (const day of pending) if (existing.has(day)) found.add(day);
    return found;
  }

  /** @throws SelsynError `sql.failed`, `sql.over-limit`, `sql.invalid` */
  async run(run: SqlRun): Promise<SqlResult> {
    const sources = hourSources(run.archive.hours, this.#days, this.#hot.hours);
    await this.#makeTables(run, sources);
    await lockSettings(this.#connection);
    this.#pace.maxPoints = run.maxPoints;
    const written = await writeResult(this.#connection, this.#sql, run).catch((error: unknown) => {
      throw this.#pace.exceeded ? tooManyPoints(run.maxPoints, this.#plan) : error;
    });
    return {
      ...written,
      storedPoints: this.#pace.points,
      hotPoints: this.#hot.points,
      rollupRows: this.#rollupRows,
      archivedHours: sources.archived.length,
    };
  }

  async #makeTables(run: SqlRun, sources: HourSources): Promise<void> {
    const { telemetry, hours, days } = this.#plan;
    using catalog = new SeriesReader(this.#place.telemetryDir);
    if (telemetry.length > 0) await this.#makeTelemetry(catalog, run, sources);
    for (const [table, level, parts] of [
      ['telemetry_1h', '1h', hours],
      ['telemetry_1d', '1d', days],
    ] as const) {
      if (parts.length > 0) await this.#makeRollups(catalog, table, level, parts);
    }
    await this.#devices.finish();
    await this.#makeEmpty();
  }

  async #makeTelemetry(catalog: SeriesReader, run: SqlRun, { archived, both }: HourSources): Promise<void> {
    const { telemetry: parts } = this.#plan;
    const list = new SeriesList(parts, this.#seen).read(catalog, this.#hot);
    const common = { list, reader: this.#reader, hot: this.#hot, pace: this.#pace };
    const [archivedSpans, bothSpans] = [joinSpans(spansOfHours(archived)), joinSpans(spansOfHours(both))];
    const add = (choose: StoredPointsParts['choose']): string =>
      this.#scans.add(pointTable(storedPoints({ ...common, choose }))).sql;
    let seen: string | undefined;
    if (this.#seen.only && run.archive.files.length > 0) {
      seen = 'seen_devices';
      await this.#devices.makeIds(seen, this.#seen.ids());
    }
    const view = telemetryView({
      stored: list.series.length === 0 ? undefined : add((spans) => subtractSpans(spans, archivedSpans)),
      both: both.length === 0 ? undefined : add((spans) => intersectSpans(spans, bothSpans)),
      bothHours: both,
      files: run.archive.files,
      seen,
    });
    await this.#connection.run(`CREATE VIEW telemetry AS ${view}`);
  }

  async #makeRollups(catalog: SeriesReader, table: string, level: RollupLevel, parts: readonly TablePart[]): Promise<void> {
    const list = new SeriesList(parts, this.#seen).read(catalog, this.#hot);
    const times = timesOf(this.#reader, this.#rollups, this.#hot);
    const sources = { reader: this.#reader, rollups: this.#rollups, hot: this.#hot, pace: this.#pace, times };
    const count = (rows: number): void => void (this.#rollupRows += rows);
    function* open(): Generator<RollupRun> {
      for (const { id, device, metric, spans } of list.series) {
        for (const span of spans) {
          const rollups = rollupsOf(sources, level, id, span);
          count(rollups.startsMs.length);
          if (rollups.startsMs.length > 0) yield { device, metric, rollups };
        }
      }
    }
    const { devices, metrics } = list;
    const { sql } = this.#scans.add(rollupTable({ devices, metrics, types: list.types(), open }));
    await this.#connection.run(
      `CREATE VIEW ${table} AS SELECT * REPLACE (device::VARCHAR AS device, metric::VARCHAR AS metric, device_type::VARCHAR AS device_type) FROM ${sql}`,
    );
  }

  /** What the query names, and does not read. */
  async #makeEmpty(): Promise<void> {
    for (const [table, columns] of Object.entries(TABLE_COLUMNS)) {
      await this.#connection.run(`CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
    }
  }

  [Symbol.dispose](): void {
    this.#devices[Symbol.dispose]();
    this.#reader[Symbol.dispose]();
    this.#rollups[Symbol.dispose]();
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

type Engine = Awaited<ReturnType<typeof openEngine>>;
