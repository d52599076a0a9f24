import type { DuckDBDataChunk } from '@duckdb/node-api';
import type { PointValue } from '../telemetry/telemetry-queries.ts';
import type { PointColumn, SeriesRun } from './point-scan.ts';
import { CHUNK_ROWS, RawColumn } from './raw-vectors.ts';

export type CodeColumn = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

const TWO_32 = 2 ** 32;

/** The rows of one chunk, column by column, as the engine lays them out. Used again for each chunk. */
export class ChunkBuffers {
  readonly #devices: CodeColumn;
  readonly #metrics: CodeColumn;
  readonly #types: CodeColumn | undefined;
  readonly #typeOfDevice: Int32Array | undefined;
  /** int64 of µs since 1970, low word first. Computed as doubles: exact up to the year 2255. */
  readonly #times = new Uint32Array(2 * CHUNK_ROWS);
  readonly #values = new Float64Array(CHUNK_ROWS);
  readonly #flags = new Uint8Array(CHUNK_ROWS);
  readonly #texts: (string | undefined)[] = [];
  readonly #hasValue = new Uint8Array(CHUNK_ROWS / 8);
  readonly #hasFlag = new Uint8Array(CHUNK_ROWS / 8);
  readonly #hasText = new Uint8Array(CHUNK_ROWS / 8);
  readonly #hasType = new Uint8Array(CHUNK_ROWS / 8);
  #numbers = 0;
  #booleans = 0;
  #strings = 0;
  #typed = 0;
  rows = 0;

  constructor(options: {
    readonly devices: CodeColumn;
    readonly metrics: CodeColumn;
    readonly types: CodeColumn | undefined;
    /** For each device the place of its type; -1: none. */
    readonly typeOfDevice: Int32Array | undefined;
  }) {
    this.#devices = options.devices;
    this.#metrics = options.metrics;
    this.#types = options.types;
    this.#typeOfDevice = options.typeOfDevice;
  }

  get room(): number {
    return CHUNK_ROWS - this.rows;
  }

  clear(): void {
    for (const bits of [this.#hasValue, this.#hasFlag, this.#hasText, this.#hasType]) bits.fill(0);
    this.#texts.length = 0;
    this.#numbers = 0;
    this.#booleans = 0;
    this.#strings = 0;
    this.#typed = 0;
    this.rows = 0;
  }

  /** Takes points of the run from `start` on, as far as there is room. @returns how many */
  take(run: SeriesRun, start: number): number {
    const { times, values } = run;
    const count = Math.min(times.length - start, this.room);
    const end = this.rows + count;
    this.#devices.fill(run.device, this.rows, end);
    this.#metrics.fill(run.metric, this.rows, end);
    const type = this.#typeOfDevice?.[run.device] ?? -1;
    if (this.#types !== undefined && type >= 0) {
      this.#types.fill(type, this.rows, end);
      setBits(this.#hasType, this.rows, end);
      this.#typed += count;
    }
    const lanes = this.#times;
    for (let i = 0, at = this.rows * 2; i < count; i++, at += 2) {
      const micros = times[start + i]! * 1000;
      const high = Math.floor(micros / TWO_32);
      lanes[at] = micros - high * TWO_32;
      lanes[at + 1] = high;
    }
    if (values instanceof Float64Array) {
      this.#values.set(values.subarray(start, start + count), this.rows);
      // Only a chunk of numbers alone has no need of the bits.
      if (this.#numbers < this.rows || count < this.room) setBits(this.#hasValue, this.rows, end);
      this.#numbers += count;
    } else this.#takeMixed(values, start, count);
    this.rows = end;
    return count;
  }

  #takeMixed(values: readonly PointValue[], start: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const value = values[start + i]!;
      const row = this.rows + i;
      switch (typeof value) {
        case 'number':
          this.#values[row] = value;
          setBit(this.#hasValue, row);
          this.#numbers++;
          break;
        case 'boolean':
          this.#flags[row] = value ? 1 : 0;
          setBit(this.#hasFlag, row);
          this.#booleans++;
          break;
        default:
          this.#texts[row] = value;
          setBit(this.#hasText, row);
          this.#strings++;
      }
    }
  }

  /** Writes a column of the rows into column `index` of the chunk. */
  write(column: PointColumn, chunk: DuckDBDataChunk, index: number): void {
    const { rows } = this;
    const raw = new RawColumn(chunk, index);
    switch (column) {
      case 'device':
        raw.data(this.#devices.buffer, rows * this.#devices.BYTES_PER_ELEMENT);
        return;
      case 'metric':
        raw.data(this.#metrics.buffer, rows * this.#metrics.BYTES_PER_ELEMENT);
        return;
      case 'time':
        raw.data(this.#times.buffer, rows * 8);
        return;
      case 'value':
        this.#nullable(raw, this.#numbers, this.#hasValue, () => raw.data(this.#values.buffer, rows * 8));
        return;
      case 'flag':
        this.#nullable(raw, this.#booleans, this.#hasFlag, () => raw.data(this.#flags.buffer, rows));
        return;
      case 'text':
        this.#nullable(raw, this.#strings, this.#hasText, () => {
          this.#texts.forEach((text, row) => text !== undefined && raw.text(row, text));
        });
        return;
      case 'device_type': {
        const types = this.#types;
        if (types === undefined) raw.nulls();
        else this.#nullable(raw, this.#typed, this.#hasType, () => raw.data(types.buffer, rows * types.BYTES_PER_ELEMENT));
      }
    }
  }

  #nullable(raw: RawColumn, count: number, bits: Uint8Array, write: () => void): void {
    if (count === 0) {
      raw.nulls();
      return;
    }
    write();
    if (count < this.rows) raw.validity(bits, this.rows);
  }
}

function setBit(bits: Uint8Array, row: number): void {
  bits[row >> 3]! |= 1 << (row & 7);
}

function setBits(bits: Uint8Array, from: number, to: number): void {
  let row = from;
  while (row < to && (row & 7) !== 0) setBit(bits, row++);
  const whole = to & ~7;
  if (row < whole) {
    bits.fill(0xff, row >> 3, whole >> 3);
    row = whole;
  }
  while (row < to) setBit(bits, row++);
}
