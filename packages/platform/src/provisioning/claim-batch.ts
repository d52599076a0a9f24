import type { ClaimBatchTable } from '../database/tables/provisioning-tables.ts';

/** Some claim certificates, and what may be done with them all together. */
export interface ClaimBatch {
  readonly name: string;
  readonly template: string;
  /** That of the template. */
  readonly group: string;
  readonly maxCount: number;
  readonly enrolled: number;
  readonly ratePerMinute: number;
  readonly expiresAtMs: number;
  readonly createdAtMs: number;
  readonly stoppedAtMs?: number;
}

export interface ClaimBatchRow extends ClaimBatchTable {
  readonly group_path: string;
}

export function claimBatchOf(row: ClaimBatchRow): ClaimBatch {
  return {
    name: row.name,
    template: row.template,
    group: row.group_path,
    maxCount: Number(row.max_count),
    enrolled: Number(row.enrolled),
    ratePerMinute: Number(row.rate_per_minute),
    expiresAtMs: Number(row.expires_at_ms),
    createdAtMs: Number(row.created_at_ms),
    ...(row.stopped_at_ms !== null && { stoppedAtMs: Number(row.stopped_at_ms) }),
  };
}
