import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import type { PointValue } from '../telemetry/telemetry-queries.ts';
import type { DevicePoints, PointFilter, SeriesPoints } from './parquet-files.ts';
import { condition, readFiles } from './parquet-sql.ts';

const BATCH_CHUNKS = 8;

type Row = readonly [
  device: string,
  metric: string,
  timeMs: number,
  value: number | null,
  text: string | null,
  flag: boolean | null,
];

/** A file that is read from its beginning to its end. */
export class ParquetReading {
  readonly #result: DuckDBResult;

  private constructor(result: DuckDBResult) {
    this.#result = result;
  }

  static async open(connection: DuckDBConnection, path: string, where: PointFilter): Promise<ParquetReading> {
    // DOUBLE, so that no BigInt is made of each time.
    const columns = 'device, metric, epoch_ms(time)::DOUBLE, value, text, flag';
    return new ParquetReading(await connection.stream(`SELECT ${columns} FROM ${readFiles([path])} WHERE ${condition(where)}`));
  }

  /** Undefined at the end. */
  async next(): Promise<SeriesPoints[] | undefined> {
    const batch: { device: string; metric: string; times: number[]; values: PointValue[] }[] = [];
    let chunks = 0;
    for (; chunks < BATCH_CHUNKS; chunks++) {
      const chunk = await this.#result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      for (const row of chunk.getRows()) {
        const [device, metric, timeMs, value, text, flag] = row as unknown as Row;
        let last = batch.at(-1);
        if (last?.device !== device || last.metric !== metric) {
          last = { device, metric, times: [], values: [] };
          batch.push(last);
        }
        last.times.push(timeMs);
        last.values.push(value ?? text ?? flag ?? NaN);
      }
    }
    if (chunks === 0) return undefined;
    return batch.map(({ device, metric, times, values }) => ({
      device,
      metric,
      times: Float64Array.from(times),
      values: values.every((value) => typeof value === 'number') ? Float64Array.from(values as readonly number[]) : values,
    }));
  }
}

/** The devices of files, from the first to the last. */
export class DeviceReading {
  readonly #result: DuckDBResult;

  private constructor(result: DuckDBResult) {
    this.#result = result;
  }

  static async open(connection: DuckDBConnection, files: readonly string[], where: PointFilter): Promise<DeviceReading> {
    const from = `${readFiles(files)} WHERE ${condition(where)}`;
    return new DeviceReading(
      await connection.stream(`SELECT device, count(*)::DOUBLE FROM ${from} GROUP BY device ORDER BY device`),
    );
  }

  /** Undefined at the end. */
  async next(): Promise<DevicePoints[] | undefined> {
    const batch: DevicePoints[] = [];
    for (let chunks = 0; chunks < BATCH_CHUNKS; chunks++) {
      const chunk = await this.#result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      for (const [device, points] of chunk.getRows() as unknown as [string, number][]) batch.push({ device, points });
    }
    return batch.length === 0 ? undefined : batch;
  }
}
