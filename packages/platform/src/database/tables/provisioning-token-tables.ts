import type { Generated } from 'kysely';

/** By which devices enrol over HTTP. */
export interface ProvisioningTokenTables {
  readonly provisioning_token: ProvisioningTokenTable;
}

export interface ProvisioningTokenTable {
  /** In the order in which they were made. */
  readonly number: Generated<number>;
  readonly id: string;
  /** SHA-256 of the token, base64url: the token itself is never stored. */
  readonly token_hash: string;
  readonly template: string;
  /** Tokens that are stopped together; what a manifest entry may name. */
  readonly batch: string | null;
  /** The one serial number that it is for; null: any. */
  readonly serial: string | null;
  readonly max_count: number;
  /** Devices that enrolled with it. */
  readonly enrolled: number;
  readonly rate_per_minute: number;
  readonly expires_at_ms: number;
  readonly created_at_ms: number;
  /** Null: it is taken. */
  readonly stopped_at_ms: number | null;
}
