/** What is kept secret. */
export interface SecretTables {
  readonly server_secret: ServerSecretTable;
  readonly data_key: DataKeyTable;
  readonly device_secret: DeviceSecretTable;
}

/** Random values that all threads and nodes must have in common. */
export interface ServerSecretTable {
  /** `scram-challenge`: makes up the challenges for devices that are not known. `api-seal`: seals what callers carry for the server. */
  readonly name: string;
  /** 32 bytes as base64url; empty once it is sealed. */
  readonly value: string;
  /** The value as a sealed value; null until the first start that has secrets/. */
  readonly sealed: string | null;
}

/** A key that seals values, wrapped by a master key that is not in this database. */
export interface DataKeyTable {
  /** 16 hex digits. */
  readonly id: string;
  readonly master_id: string;
  readonly wrapped: string;
  readonly created_at_ms: number;
  /** Null: seals. Later: only opens. */
  readonly retired_at_ms: number | null;
}

export interface DeviceSecretTable {
  readonly device_id: string;
  readonly name: string;
  readonly sealed: string;
  /** The data key that it is sealed with. */
  readonly key_id: string;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
}
