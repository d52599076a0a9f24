import type { Selectable } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** By which so many devices may enrol over HTTP. The token itself is known to whoever was given it alone. */
export interface ProvisioningToken {
  readonly id: string;
  readonly template: string;
  /** That of the template. */
  readonly group: string;
  /** Tokens that are stopped together. */
  readonly batch?: string;
  /** The one serial number that it is for. */
  readonly serial?: string;
  readonly maxCount: number;
  readonly enrolled: number;
  readonly ratePerMinute: number;
  readonly expiresAtMs: number;
  readonly createdAtMs: number;
  readonly stoppedAtMs?: number;
}

/** One that was just made, with what is shown this once. */
export interface NewProvisioningToken extends ProvisioningToken {
  readonly token: string;
}

export type ProvisioningTokenRow = Selectable<Schema['provisioning_token']> & { readonly group_path: string };

export function provisioningTokenOf(row: ProvisioningTokenRow): ProvisioningToken {
  return {
    id: row.id,
    template: row.template,
    group: row.group_path,
    ...(row.batch !== null && { batch: row.batch }),
    ...(row.serial !== null && { serial: row.serial }),
    maxCount: Number(row.max_count),
    enrolled: Number(row.enrolled),
    ratePerMinute: Number(row.rate_per_minute),
    expiresAtMs: Number(row.expires_at_ms),
    createdAtMs: Number(row.created_at_ms),
    ...(row.stopped_at_ms !== null && { stoppedAtMs: Number(row.stopped_at_ms) }),
  };
}
