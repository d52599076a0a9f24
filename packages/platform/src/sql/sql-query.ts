import type { Scope } from '../registry/scope.ts';

export const SQL_FORMATS = ['json', 'csv', 'arrow', 'parquet'] as const;
export type SqlFormat = (typeof SQL_FORMATS)[number];

export interface SqlRequest {
  /** One SELECT over telemetry, telemetry_1h, telemetry_1d and devices. */
  readonly sql: string;
  readonly format: SqlFormat;
  /** The answer ends after so many rows; absent: an answer of more rows than the server allows is refused. */
  readonly maxRows?: number | undefined;
  /** Less than the server allows. */
  readonly deadlineMs?: number | undefined;
  /** Only these devices are seen. */
  readonly scope: Scope;
  /** Rows of `devices` that are seen; absent: those of the scope. */
  readonly deviceScope?: Scope | undefined;
  /** Who asks: nobody has all turns while others wait. */
  readonly caller: string;
}

/** What was read for a query. */
export interface SqlStatistics {
  /** The time that was asked of telemetry, as far as the query says it. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Devices named by the query; absent: all that the caller may see. */
  readonly devices?: number;
  /** Of points that are in memory only, brought to the query. */
  readonly hotPoints: number;
  /** Points in the chunks of day files that were read. */
  readonly storedPoints: number;
  /** Rows of rollups that were read. */
  readonly rollupRows: number;
  /** Objects of the archive that the query was given, their rows and their bytes. */
  readonly archiveFiles: number;
  readonly archiveRows: number;
  readonly archiveBytes: number;
  /** Hours answered from the archive alone. */
  readonly archivedHours: number;
  readonly waitedMs: number;
  readonly elapsedMs: number;
}

export interface SqlColumn {
  readonly name: string;
  /** As the engine names it: `DOUBLE`, `TIMESTAMP`. */
  readonly type: string;
}

/** An answer that is complete: nothing can go wrong any more but its sending. To be disposed of. */
export interface SqlAnswer extends Disposable {
  readonly format: SqlFormat;
  readonly columns: readonly SqlColumn[];
  readonly rows: number;
  /** The rows end because of `maxRows`: there may be more. */
  readonly limited: boolean;
  readonly bytes: number;
  readonly statistics: SqlStatistics;
  /** JSON: the rows as an array of arrays. */
  read(): AsyncIterable<Uint8Array>;
}

export interface SqlQueries {
  /**
   * @throws SelsynError `sql.invalid` (`details.line`, `details.column` where it is known), `sql.refused`, `sql.failed`,
   * `sql.over-limit`, `sql.busy`, `columnar.gone`; the signal's reason when it is aborted
   */
  run(request: SqlRequest, signal?: AbortSignal): Promise<SqlAnswer>;
}
