/** How payloads are read. */
export interface DecoderTables {
  readonly decoder: DecoderTable;
}

export interface DecoderTable {
  readonly name: string;
  /** A JSON object: all of it but its name and times. */
  readonly definition: string;
  readonly created_at_ms: number;
  /** Later than that of every other decoder when it is written. */
  readonly updated_at_ms: number;
}
