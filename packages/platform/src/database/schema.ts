import type { Kysely } from 'kysely';

/**
 * The tables of the registry and of identity, as the newest migration leaves them.
 *
 * Only types that every engine has: text, integers, and times as ms in a 64-bit integer. Hashes are base64url text.
 */
export interface Schema {
  readonly device: DeviceTable;
  readonly device_tag: DeviceTagTable;
  readonly device_token: DeviceTokenTable;
  readonly api_key: ApiKeyTable;
  readonly server_secret: ServerSecretTable;
}

export interface DeviceTable {
  readonly id: string;
  readonly name: string | null;
  readonly created_at_ms: number;
}

export interface DeviceTagTable {
  readonly device_id: string;
  readonly tag: string;
}

export interface DeviceTokenTable {
  readonly device_id: string;
  /** SHA-256 of the token: the token itself is never stored. */
  readonly token_hash: string;
  readonly created_at_ms: number;
  /** For SCRAM-SHA-256 (RFC 5802), bytes as base64url: all four, or null for a token given before they were kept. */
  readonly scram_salt: string | null;
  readonly scram_iterations: number | null;
  readonly scram_stored_key: string | null;
  readonly scram_server_key: string | null;
}

export interface ApiKeyTable {
  readonly id: string;
  readonly name: string;
  /** `admin` or `read`. */
  readonly access: string;
  /** SHA-256 of the key: the key itself is never stored. */
  readonly key_hash: string;
  readonly created_at_ms: number;
}

/** Random values that all threads and nodes must have in common. */
export interface ServerSecretTable {
  /** `scram-challenge`: makes up the challenges for devices that are not known. */
  readonly name: string;
  /** 32 bytes as base64url. */
  readonly value: string;
}

/** What the stores get. One connection: a transaction of one caller makes the others wait, so it must be short. */
export type Database = Kysely<Schema>;
