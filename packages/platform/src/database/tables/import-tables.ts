/** Imports of devices, and what they refused. */
export interface ImportTables {
  readonly device_import: DeviceImportTable;
  readonly device_import_refusal: DeviceImportRefusalTable;
}

export interface DeviceImportTable {
  readonly id: string;
  /** `csv`, `jsonl` */
  readonly format: string;
  /** `create`, `update`, `upsert` */
  readonly mode: string;
  /** 1 or 0. */
  readonly dry_run: number;
  readonly group_path: string | null;
  readonly name: string | null;
  readonly size_bytes: number | null;
  readonly fingerprint: string | null;
  /** `open`, `done` */
  readonly state: string;
  /** The first line of CSV, once it came. */
  readonly header: string | null;
  /** Bytes that are done. */
  readonly position: number;
  /** 1: what follows belongs to a line that was too long, up to its end. */
  readonly in_long_line: number;
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly actor_kind: string;
  readonly actor_id: string;
  readonly actor_name: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly finished_at_ms: number | null;
}

export interface DeviceImportRefusalTable {
  readonly import_id: string;
  readonly row: number;
  readonly device_id: string | null;
  readonly field: string | null;
  readonly code: string;
  readonly reason: string;
}
