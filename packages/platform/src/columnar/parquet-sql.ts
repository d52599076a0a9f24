import { literal } from './engine.ts';
import type { PointFilter } from './parquet-files.ts';

/** The columns of a file, from a table that has them under these names. */
export const FILE_COLUMNS = 'device::VARCHAR AS device, metric::VARCHAR AS metric, time, value, text, flag';

/** A query over files that gives their columns, in the order of the files. */
export function readFiles(files: readonly string[]): string {
  return `read_parquet([${files.map(literal).join(', ')}], hive_partitioning = false, union_by_name = false)`;
}

/** Larger ones take fewer bytes: values that come again are stored once a row group. Of 1,440 points a day it has some 100 devices. */
const ROW_GROUP_ROWS = 491_520;

/** Writes what a query gives. */
export function copyToParquet(query: string, path: string): string {
  return `COPY (${query}) TO ${literal(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`;
}

/** The condition of SQL that a filter stands for; `true` for none. */
export function condition(where: PointFilter): string {
  const terms: string[] = [];
  const among = (column: string, names: readonly string[] | undefined, not: string): void => {
    if (names === undefined) return;
    if (names.length === 0) terms.push(not === '' ? 'false' : 'true');
    else terms.push(`${column} ${not} IN (${names.map(literal).join(', ')})`);
  };
  among('device', where.devices, '');
  among('device', where.notDevices, 'NOT');
  among('metric', where.metrics, '');
  among('metric', where.notMetrics, 'NOT');
  if (where.fromDevice !== undefined) terms.push(`device >= ${literal(where.fromDevice)}`);
  if (where.toDevice !== undefined) terms.push(`device < ${literal(where.toDevice)}`);
  if (where.fromMs !== undefined) terms.push(`time >= ${instant(where.fromMs)}`);
  if (where.toMs !== undefined) terms.push(`time < ${instant(where.toMs)}`);
  return terms.length === 0 ? 'true' : terms.join(' AND ');
}

/** A TIMESTAMP, constant for the planner. */
export function instant(timeMs: number): string {
  return `epoch_ms(${timeMs}::BIGINT)`;
}
