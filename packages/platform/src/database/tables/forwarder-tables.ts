/** Who gets a copy of live telemetry. */
export interface ForwarderTables {
  readonly forwarder: ForwarderTable;
}

export interface ForwarderTable {
  readonly id: string;
  /** A JSON object: all of it but its id, its times, and what is secret. */
  readonly definition: string;
  /** 1 or 0. */
  readonly paused: number;
  /** A JSON object of secrets, sealed as one. */
  readonly sealed: string;
  /** The data key that it is sealed with. */
  readonly key_id: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}
