import {
  DuckDBTypeId,
  type DuckDBDataChunk,
  type DuckDBDateValue,
  type DuckDBResult,
  type DuckDBTimestampValue,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import {
  Bool,
  type Data,
  type DataType,
  DateDay,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  makeBuilder,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  Uint16,
  Uint32,
  Uint64,
  Uint8,
  Utf8,
} from 'apache-arrow';

/** Rows as an Arrow IPC stream; what has no simple type of Arrow's comes as text. */
export class ArrowEncoder {
  readonly #schema: Schema;
  readonly #columns: readonly ColumnKind[];
  #begun = false;

  constructor(result: DuckDBResult) {
    this.#columns = result.columnTypes().map(kindOf);
    this.#schema = new Schema(result.deduplicatedColumnNames().map((name, i) => new Field(name, this.#columns[i]!.type, true)));
  }

  begin(): Uint8Array {
    return new Uint8Array(0);
  }

  rows(chunk: DuckDBDataChunk, count: number): Uint8Array {
    const children = this.#columns.map((column, index) => column.make(chunk.getColumnValues(index), count));
    return this.#message([this.#batch(children, count)]);
  }

  end(): Uint8Array {
    const rest = this.#begun ? EMPTY : this.#message([]);
    return Buffer.concat([rest, END_OF_STREAM]);
  }

  #batch(children: readonly Data[], length: number): RecordBatch {
    return new RecordBatch(
      this.#schema,
      makeData({ type: new Struct(this.#schema.fields), length, nullCount: 0, children: [...children] }),
    );
  }

  /** Messages of a stream, the schema only before the first; its end is written once. */
  #message(batches: readonly RecordBatch[]): Uint8Array {
    const writer = new RecordBatchStreamWriter();
    writer.reset(undefined, this.#schema);
    const header = writer.toUint8Array(true).length;
    for (const batch of batches) writer.write(batch);
    const all = writer.toUint8Array(true);
    const first = !this.#begun;
    this.#begun = true;
    return first ? all : all.subarray(header);
  }
}

const EMPTY = new Uint8Array(0);
/** Arrow columnar format, IPC streaming: a continuation, and a length of zero. */
const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

type Values = readonly DuckDBValue[];

interface ColumnKind {
  readonly type: DataType;
  readonly make: (values: Values, count: number) => Data;
}

function kindOf(type: DuckDBType): ColumnKind {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return built(new Bool(), (value) => value);
    case DuckDBTypeId.TINYINT:
      return plain(new Int8(), (count) => new Int8Array(count));
    case DuckDBTypeId.SMALLINT:
      return plain(new Int16(), (count) => new Int16Array(count));
    case DuckDBTypeId.INTEGER:
      return plain(new Int32(), (count) => new Int32Array(count));
    case DuckDBTypeId.BIGINT:
      return plain(new Int64(), (count) => new BigInt64Array(count));
    case DuckDBTypeId.UTINYINT:
      return plain(new Uint8(), (count) => new Uint8Array(count));
    case DuckDBTypeId.USMALLINT:
      return plain(new Uint16(), (count) => new Uint16Array(count));
    case DuckDBTypeId.UINTEGER:
      return plain(new Uint32(), (count) => new Uint32Array(count));
    case DuckDBTypeId.UBIGINT:
      return plain(new Uint64(), (count) => new BigUint64Array(count));
    case DuckDBTypeId.FLOAT:
      return plain(new Float32(), (count) => new Float32Array(count));
    case DuckDBTypeId.DOUBLE:
      return plain(new Float64(), (count) => new Float64Array(count));
    case DuckDBTypeId.TIMESTAMP:
      return plain(new TimestampMicrosecond(), (count) => new BigInt64Array(count), microsOf);
    case DuckDBTypeId.TIMESTAMP_TZ:
      return plain(new TimestampMicrosecond('UTC'), (count) => new BigInt64Array(count), microsOf);
    case DuckDBTypeId.DATE:
      return plain(
        new DateDay(),
        (count) => new Int32Array(count),
        (value) => (value as DuckDBDateValue).days,
      );
    default:
      return built(new Utf8(), String);
  }
}

function microsOf(value: DuckDBValue): bigint {
  return (value as DuckDBTimestampValue).micros;
}

/** A column whose values lie one after the other in memory, of the width of the type. */
function plain(
  type: DataType,
  allocate: (count: number) => { [index: number]: unknown },
  convert: (value: DuckDBValue) => unknown = (value) => value,
): ColumnKind {
  const make = (values: Values, count: number): Data => {
    const data = allocate(count);
    const nullBitmap = new Uint8Array(Math.ceil(count / 8));
    let nullCount = 0;
    for (let row = 0; row < count; row++) {
      const value = values[row] ?? null;
      if (value === null) nullCount++;
      else {
        data[row] = convert(value);
        nullBitmap[row >> 3]! |= 1 << (row & 7);
      }
    }
    // One of the many shapes that it takes: plain values and their bitmap.
    return makeData({ type, length: count, nullCount, nullBitmap, data } as never);
  };
  return { type, make };
}

function built(type: DataType, convert: (value: DuckDBValue) => unknown): ColumnKind {
  const make = (values: Values, count: number): Data => {
    const builder = makeBuilder({ type, nullValues: [null] });
    for (let row = 0; row < count; row++) {
      const value = values[row] ?? null;
      builder.append(value === null ? null : convert(value));
    }
    return builder.finish().flush();
  };
  return { type, make };
}
