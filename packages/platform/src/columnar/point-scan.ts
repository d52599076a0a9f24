import { BOOLEAN, DOUBLE, ENUM, TIMESTAMP, VARCHAR, type DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api';
import type { PointColumns } from '../telemetry/telemetry-queries.ts';
import { ChunkBuffers, type CodeColumn } from './chunk-buffers.ts';
import { CHUNK_ROWS, setRows } from './raw-vectors.ts';
import type { ScanTable, TableReading } from './table-scans.ts';

/** Points of one series: its device and metric as places in the lists of the scan. */
export interface SeriesRun extends PointColumns {
  readonly device: number;
  readonly metric: number;
}

export interface PointScanSource {
  readonly devices: readonly string[];
  readonly metrics: readonly string[];
  /** With it there is a column `device_type`: the names, and for each device the place of its type (-1: none). */
  readonly types?: { readonly names: readonly string[]; readonly ofDevice: Int32Array } | undefined;
  /** Called once for each time that a query reads the table. Runs are read when they are needed. */
  open(): Iterator<SeriesRun>;
}

export type PointColumn = 'device' | 'metric' | 'time' | 'value' | 'text' | 'flag' | 'device_type';

/**
 * Points as a table: device, metric, time, value, text, flag, and device_type where the source tells it.
 *
 * `device`, `metric` and `device_type` are ENUMs over the lists: to be cast to VARCHAR by whoever shows them.
 */
export function pointTable(source: PointScanSource): ScanTable {
  const columns: { readonly name: PointColumn; readonly type: DuckDBType }[] = [
    { name: 'device', type: enumOf(source.devices) },
    { name: 'metric', type: enumOf(source.metrics) },
    { name: 'time', type: TIMESTAMP },
    { name: 'value', type: DOUBLE },
    { name: 'text', type: VARCHAR },
    { name: 'flag', type: BOOLEAN },
  ];
  if (source.types !== undefined) columns.push({ name: 'device_type', type: enumOf(source.types.names) });
  // The names are those of the columns above.
  return { columns, open: (wanted) => new PointReading(source, wanted as readonly PointColumn[]) };
}

class PointReading implements TableReading {
  readonly #columns: readonly PointColumn[];
  readonly #runs: Iterator<SeriesRun>;
  readonly #buffers: ChunkBuffers;
  #run: SeriesRun | undefined;
  #at = 0;

  constructor(source: PointScanSource, columns: readonly PointColumn[]) {
    this.#columns = columns;
    this.#runs = source.open();
    this.#buffers = new ChunkBuffers({
      devices: codesOf(source.devices),
      metrics: codesOf(source.metrics),
      types: source.types && codesOf(source.types.names),
      typeOfDevice: source.types?.ofDevice,
    });
  }

  fill(chunk: DuckDBDataChunk): void {
    const buffers = this.#buffers;
    buffers.clear();
    while (buffers.room > 0) {
      if (this.#run === undefined || this.#at >= this.#run.times.length) {
        const next = this.#runs.next();
        if (next.done === true) break;
        this.#run = next.value;
        this.#at = 0;
      } else this.#at += buffers.take(this.#run, this.#at);
    }
    setRows(chunk, buffers.rows);
    if (buffers.rows > 0) this.#columns.forEach((column, index) => buffers.write(column, chunk, index));
  }
}

/** An ENUM needs a value. */
export function enumOf(names: readonly string[]): DuckDBType {
  return ENUM(names.length === 0 ? [''] : names);
}

/** As the engine stores the codes of an ENUM of so many names. */
export function codesOf({ length }: readonly string[]): CodeColumn {
  if (length <= 256) return new Uint8Array(CHUNK_ROWS);
  return length <= 65_536 ? new Uint16Array(CHUNK_ROWS) : new Uint32Array(CHUNK_ROWS);
}
