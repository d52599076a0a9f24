import duckdb, { type DataChunk, type Vector } from '@duckdb/node-bindings';
import type { DuckDBDataChunk } from '@duckdb/node-api';

/** How many rows a chunk has at most. */
export const CHUNK_ROWS = duckdb.vector_size();

/** So that a chunk of a table function tells how many rows it has, without the wrapper's copies of its columns. */
export function setRows(chunk: DuckDBDataChunk, rows: number): void {
  duckdb.data_chunk_set_size(chunk.chunk, rows);
}

/** A column of a chunk that is being filled, from memory that is laid out as the engine lays it out. */
export class RawColumn {
  readonly #vector: Vector;

  constructor(chunk: DuckDBDataChunk, column: number) {
    const raw: DataChunk = chunk.chunk;
    this.#vector = duckdb.data_chunk_get_vector(raw, column);
  }

  /** Its first bytes. */
  data(bytes: ArrayBufferLike, length: number): void {
    duckdb.copy_data_to_vector(this.#vector, 0, bytes as ArrayBuffer, 0, length);
  }

  /** Bit i of the bytes, least significant first: row i is not null. */
  validity(bits: Uint8Array, rows: number): void {
    duckdb.vector_ensure_validity_writable(this.#vector);
    duckdb.copy_data_to_vector_validity(this.#vector, 0, bits.buffer as ArrayBuffer, 0, Math.ceil(rows / 64) * 8);
  }

  text(row: number, text: string): void {
    duckdb.vector_assign_string_element(this.#vector, row, text);
  }

  /** Null in every row. */
  nulls(): void {
    duckdb.vector_reference_value(this.#vector, duckdb.create_null_value());
  }
}
