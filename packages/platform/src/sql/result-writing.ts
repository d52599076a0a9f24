import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import { literal } from '../columnar/engine.ts';
import { SelsynError } from '../kernel/errors.ts';
import { ArrowEncoder } from './arrow-encoder.ts';
import { JsonEncoder } from './json-encoder.ts';
import type { SqlRun } from './sql-calls.ts';
import type { SqlColumn } from './sql-query.ts';
import { engineError } from './sql-errors.ts';

/** How often a file that the engine writes is looked at. */
const LOOK_MS = 50;

export interface WrittenResult {
  readonly columns: readonly SqlColumn[];
  readonly rows: number;
  readonly limited: boolean;
  readonly bytes: number;
}

/** What makes bytes of the rows of an answer. */
export interface ResultEncoder {
  begin(): Uint8Array;
  rows(chunk: Parameters<JsonEncoder['rows']>[0], count: number): Uint8Array;
  end(): Uint8Array;
}

/** Runs the query and writes its rows into a file. @throws SelsynError `sql.failed`, `sql.over-limit`, `sql.invalid` */
export async function writeResult(connection: DuckDBConnection, sql: string, run: SqlRun): Promise<WrittenResult> {
  if (run.format === 'csv' || run.format === 'parquet') return await copyResult(connection, sql, run);
  let result: DuckDBResult;
  try {
    result = await connection.stream(sql);
  } catch (error) {
    throw engineError(error, sql, 0);
  }
  const columns = columnsOf(result);
  const encoder = run.format === 'json' ? new JsonEncoder() : new ArrowEncoder(result);
  return { columns, ...(await encodeResult(result, encoder, sql, run)) };
}

async function encodeResult(
  result: DuckDBResult,
  encoder: ResultEncoder,
  sql: string,
  run: SqlRun,
): Promise<Omit<WrittenResult, 'columns'>> {
  const file = openSync(run.path, 'wx', 0o600);
  let bytes = 0;
  let rows = 0;
  let limited = false;
  const write = (data: Uint8Array): void => {
    bytes += data.length;
    if (bytes > run.maxBytes) throw tooLarge(run);
    for (let at = 0; at < data.length;) at += writeSync(file, data, at);
  };
  try {
    write(encoder.begin());
    while (!limited) {
      const chunk = await result.fetchChunk().catch((error: unknown) => {
        throw engineError(error, sql, 0);
      });
      if (chunk === null || chunk.rowCount === 0) break;
      const taken = Math.min(chunk.rowCount, run.maxRows - rows);
      limited = taken < chunk.rowCount;
      if (limited && run.refuseMore) throw tooManyRows(run);
      if (taken > 0) write(encoder.rows(chunk, taken));
      rows += taken;
    }
    write(encoder.end());
    return { rows, limited, bytes };
  } finally {
    closeSync(file);
  }
}

/** Lets the engine write; for both formats it is many times as fast. */
async function copyResult(connection: DuckDBConnection, sql: string, run: SqlRun): Promise<WrittenResult> {
  const described = await connection.runAndReadAll(`DESCRIBE (\n${sql}\n)`).catch((error: unknown) => {
    throw engineError(error, sql, 'DESCRIBE (\n'.length);
  });
  const columns = described.getRows().map(([name, type]) => ({ name: String(name), type: String(type) }));
  const options = run.format === 'csv' ? 'FORMAT csv, HEADER' : 'FORMAT parquet, COMPRESSION zstd';
  const prefix = 'COPY (SELECT * FROM (\n';
  // One more than is asked for tells that there are more.
  const copy = `${prefix}${sql}\n) LIMIT ${run.maxRows + (run.refuseMore ? 1 : 0)}) TO ${literal(run.path)} (${options})`;
  let outgrown = false;
  const watch = setInterval(() => {
    outgrown ||= (statSync(run.path, { throwIfNoEntry: false })?.size ?? 0) > run.maxBytes;
    if (outgrown) connection.interrupt();
  }, LOOK_MS);
  let rows: number;
  try {
    rows = Number((await connection.runAndReadAll(copy)).getRows()[0]?.[0]);
  } catch (error) {
    throw outgrown ? tooLarge(run) : engineError(error, sql, prefix.length);
  } finally {
    clearInterval(watch);
  }
  const bytes = statSync(run.path).size;
  if (bytes > run.maxBytes) throw tooLarge(run);
  if (rows > run.maxRows) throw tooManyRows(run);
  return { columns, rows, limited: !run.refuseMore && rows === run.maxRows, bytes };
}

/** Where nothing is there that was not finished. */
export function removeResult(path: string): void {
  rmSync(path, { force: true });
}

function columnsOf(result: DuckDBResult): SqlColumn[] {
  return result.deduplicatedColumnNames().map((name, i) => ({ name, type: String(result.columnType(i)) }));
}

function tooManyRows({ maxRows }: SqlRun): SelsynError {
  return new SelsynError('sql.over-limit', `the answer has more than ${maxRows} rows: add a LIMIT, or aggregate`, {
    details: { limit: 'rows', maxRows },
  });
}

function tooLarge({ maxBytes }: SqlRun): SelsynError {
  return new SelsynError('sql.over-limit', `the answer is larger than ${Math.round(maxBytes / 1024 ** 2)} MiB`, {
    details: { limit: 'bytes', maxBytes },
  });
}
