import type { ApiClient } from './client.ts';
import { asArray, asObject, number, objects, optionalNumber, text, truth, type Json } from './json.ts';

/** What was read for a query. */
export interface SqlStatistics {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Named by the query; absent: all that the caller sees. */
  readonly devices: number | undefined;
  readonly hotPoints: number;
  readonly storedPoints: number;
  readonly rollupRows: number;
  readonly archiveFiles: number;
  readonly archiveRows: number;
  readonly archiveBytes: number;
  readonly waitedMs: number;
  readonly elapsedMs: number;
}

export interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  /** There may be more rows. */
  readonly limited: boolean;
  readonly statistics: SqlStatistics;
}

/** As files are saved. */
export const SQL_FILES = {
  csv: { label: 'CSV', name: 'result.csv' },
  parquet: { label: 'Parquet', name: 'result.parquet' },
  arrow: { label: 'Arrow', name: 'result.arrows' },
} as const;
export type SqlFile = keyof typeof SQL_FILES;

/** With waiting for a turn; as the server has it. */
const DEADLINE_MS = 15 * 60_000;

/** @throws Problem `sql.invalid` and others, with `line` and `column` in its details where they are known */
export async function runSql(client: ApiClient, sql: string, maxRows: number, signal: AbortSignal): Promise<SqlAnswer> {
  const body = { sql, limits: { rows: maxRows } };
  const response = await client.send('POST', '/sql', { body, signal, deadlineMs: DEADLINE_MS });
  const source = asObject(await response.json(), 'result');
  return {
    columns: objects(source, 'columns', (column) => ({ name: text(column, 'name'), type: text(column, 'type') })),
    rows: asArray(source['rows'], 'rows').map((row) => asArray(row, 'row')),
    limited: truth(source, 'limited'),
    statistics: statisticsFrom(asObject(source['statistics'], 'statistics')),
  };
}

/** All rows, as a file. */
export async function downloadSql(client: ApiClient, sql: string, format: SqlFile): Promise<Blob> {
  const response = await client.send('POST', '/sql', { body: { sql, format }, deadlineMs: DEADLINE_MS });
  return await response.blob();
}

function statisticsFrom(source: Json): SqlStatistics {
  return {
    fromMs: optionalNumber(source, 'fromMs'),
    toMs: optionalNumber(source, 'toMs'),
    devices: optionalNumber(source, 'devices'),
    hotPoints: number(source, 'hotPoints'),
    storedPoints: number(source, 'storedPoints'),
    rollupRows: number(source, 'rollupRows'),
    archiveFiles: number(source, 'archiveFiles'),
    archiveRows: number(source, 'archiveRows'),
    archiveBytes: number(source, 'archiveBytes'),
    waitedMs: number(source, 'waitedMs'),
    elapsedMs: number(source, 'elapsedMs'),
  };
}
