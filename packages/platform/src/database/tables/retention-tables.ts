import type { Generated } from 'kysely';

/** How long telemetry is kept, and what must not go. */
export interface RetentionTables {
  readonly retention_policy: RetentionPolicyTable;
  readonly legal_hold: LegalHoldTable;
  readonly legal_hold_device: LegalHoldDeviceTable;
}

export interface RetentionPolicyTable {
  readonly name: string;
  /** Null: any. */
  readonly device_type: string | null;
  readonly group_path: string | null;
  readonly metric: string | null;
  /** A JSON object: days by level. */
  readonly keep_days: string;
  readonly updated_at_ms: number;
}

export interface LegalHoldTable {
  readonly id: Generated<number>;
  readonly kind: 'device' | 'group' | 'type';
  /** The id of the device, the path of the group, the name of the type. */
  readonly target: string;
  readonly reason: string;
  readonly created_at_ms: number;
  readonly created_by: string;
  /** Null while it is in force. */
  readonly released_at_ms: number | null;
  readonly released_by: string | null;
}

/** Devices that were covered by a hold on a group or type and have left it: they stay held. */
export interface LegalHoldDeviceTable {
  readonly hold_id: number;
  readonly device_id: string;
}
