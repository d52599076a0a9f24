import { BIGINT, DOUBLE, TIMESTAMP, VARCHAR, type DuckDBDataChunk } from '@duckdb/node-api';
import { codesOf, enumOf } from '../columnar/point-scan.ts';
import { CHUNK_ROWS, RawColumn, setRows } from '../columnar/raw-vectors.ts';
import type { ScanTable, TableReading } from '../columnar/table-scans.ts';
import type { RollupColumns } from '../telemetry/rollups/rollup-columns.ts';
import type { PointValue } from '../telemetry/telemetry-queries.ts';

/** Rollups of one series: its device and metric as places in the lists. */
export interface RollupRun {
  readonly device: number;
  readonly metric: number;
  readonly rollups: RollupColumns;
}

export interface RollupSource {
  readonly devices: readonly string[];
  readonly metrics: readonly string[];
  readonly types: { readonly names: readonly string[]; readonly ofDevice: Int32Array };
  open(): Iterator<RollupRun>;
}

/** Rollups as a table (table-columns.ts); names are ENUMs. */
export function rollupTable(source: RollupSource): ScanTable {
  const numbers = ['min', 'max', 'sum', 'mean', 'first', 'last'].map((name) => ({ name, type: DOUBLE }));
  const columns = [
    { name: 'device', type: enumOf(source.devices) },
    { name: 'metric', type: enumOf(source.metrics) },
    { name: 'time', type: TIMESTAMP },
    { name: 'count', type: BIGINT },
    ...numbers,
    { name: 'first_text', type: VARCHAR },
    { name: 'last_text', type: VARCHAR },
    { name: 'device_type', type: enumOf(source.types.names) },
  ];
  return { columns, open: (wanted) => new RollupReading(source, wanted) };
}

/** A row that is waiting: of which run, and where in it. */
interface Place {
  readonly run: RollupRun;
  readonly from: number;
  readonly to: number;
}

class RollupReading implements TableReading {
  readonly #source: RollupSource;
  readonly #columns: readonly string[];
  readonly #runs: Iterator<RollupRun>;
  readonly #longs = new BigInt64Array(CHUNK_ROWS);
  readonly #doubles = new Float64Array(CHUNK_ROWS);
  readonly #valid = new Uint8Array(CHUNK_ROWS / 8);
  #run: RollupRun | undefined;
  #at = 0;

  constructor(source: RollupSource, columns: readonly string[]) {
    this.#source = source;
    this.#columns = columns;
    this.#runs = source.open();
  }

  fill(chunk: DuckDBDataChunk): void {
    const places: Place[] = [];
    let rows = 0;
    while (rows < CHUNK_ROWS) {
      if (this.#run === undefined || this.#at >= this.#run.rollups.startsMs.length) {
        const next = this.#runs.next();
        if (next.done === true) break;
        this.#run = next.value;
        this.#at = 0;
        continue;
      }
      const count = Math.min(CHUNK_ROWS - rows, this.#run.rollups.startsMs.length - this.#at);
      places.push({ run: this.#run, from: this.#at, to: this.#at + count });
      this.#at += count;
      rows += count;
    }
    setRows(chunk, rows);
    if (rows > 0) this.#columns.forEach((name, index) => this.#write(new RawColumn(chunk, index), name, places, rows));
  }

  #write(column: RawColumn, name: string, places: readonly Place[], rows: number): void {
    const { devices, metrics, types } = this.#source;
    switch (name) {
      case 'device':
        return this.#codes(column, devices, places, rows, ({ device }) => device);
      case 'metric':
        return this.#codes(column, metrics, places, rows, ({ metric }) => metric);
      case 'device_type':
        return this.#codes(column, types.names, places, rows, ({ device }) => types.ofDevice[device]!);
      case 'time':
        return this.#whole(column, places, rows, ({ startsMs }, i) => startsMs[i]! * 1000);
      case 'count':
        return this.#whole(column, places, rows, ({ counts }, i) => counts[i]!);
      case 'first_text':
        return this.#texts(column, places, rows, ({ firsts }) => firsts);
      case 'last_text':
        return this.#texts(column, places, rows, ({ lasts }) => lasts);
      default:
        return this.#numbers(column, places, rows, NUMBERS[name]!);
    }
  }

  #codes(
    column: RawColumn,
    names: readonly string[],
    places: readonly Place[],
    rows: number,
    codeOf: (run: RollupRun) => number,
  ): void {
    const codes = codesOf(names);
    this.#valid.fill(0);
    let row = 0;
    for (const { run, from, to } of places) {
      const code = codeOf(run);
      if (code >= 0) {
        codes.fill(code, row, row + to - from);
        for (let i = row; i < row + to - from; i++) this.#setValid(i);
      }
      row += to - from;
    }
    column.data(codes.buffer, rows * codes.BYTES_PER_ELEMENT);
    column.validity(this.#valid, rows);
  }

  #whole(column: RawColumn, places: readonly Place[], rows: number, of: (rollups: RollupColumns, i: number) => number): void {
    let row = 0;
    for (const { run, from, to } of places) for (let i = from; i < to; i++) this.#longs[row++] = BigInt(of(run.rollups, i));
    column.data(this.#longs.buffer, rows * 8);
  }

  #numbers(
    column: RawColumn,
    places: readonly Place[],
    rows: number,
    of: (rollups: RollupColumns, i: number) => number | undefined,
  ): void {
    this.#valid.fill(0);
    let row = 0;
    for (const { run, from, to } of places) {
      for (let i = from; i < to; i++, row++) {
        const value = of(run.rollups, i);
        if (value === undefined) continue;
        this.#doubles[row] = value;
        this.#setValid(row);
      }
    }
    column.data(this.#doubles.buffer, rows * 8);
    column.validity(this.#valid, rows);
  }

  #texts(
    column: RawColumn,
    places: readonly Place[],
    rows: number,
    of: (rollups: RollupColumns) => Float64Array | readonly PointValue[],
  ): void {
    this.#valid.fill(0);
    let row = 0;
    for (const { run, from, to } of places) {
      const values = of(run.rollups);
      for (let i = from; i < to; i++, row++) {
        const value = values[i];
        if (typeof value !== 'string') continue;
        column.text(row, value);
        this.#setValid(row);
      }
    }
    column.validity(this.#valid, rows);
  }

  #setValid(row: number): void {
    this.#valid[row >> 3]! |= 1 << (row & 7);
  }
}

const numeric = (value: PointValue | undefined): number | undefined => (typeof value === 'string' ? undefined : Number(value));
/** Undefined: null. */
const ofNumbers =
  (of: (rollups: RollupColumns, i: number) => number) =>
  (rollups: RollupColumns, i: number): number | undefined =>
    rollups.numbers[i] === 0 ? undefined : of(rollups, i);

const NUMBERS: Readonly<Record<string, (rollups: RollupColumns, i: number) => number | undefined>> = {
  min: ofNumbers(({ mins }, i) => mins[i]!),
  max: ofNumbers(({ maxs }, i) => maxs[i]!),
  sum: ofNumbers(({ sums }, i) => sums[i]!),
  mean: ofNumbers(({ sums, numbers }, i) => sums[i]! / numbers[i]!),
  first: ({ firsts }, i) => numeric(firsts[i]),
  last: ({ lasts }, i) => numeric(lasts[i]),
};
