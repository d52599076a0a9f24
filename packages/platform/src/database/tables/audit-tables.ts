import type { Generated } from 'kysely';

/** What was changed, by whom: rows are added and never changed. */
export interface AuditTables {
  readonly audit_entry: AuditEntryTable;
}

export interface AuditEntryTable {
  /** Grows with time; given by the database. */
  readonly id: Generated<number>;
  readonly at_ms: number;
  /** `user`, `api-key`, `device`, `system`. */
  readonly actor_kind: string;
  readonly actor_id: string;
  readonly actor_name: string;
  /** Where the request came from; null: from this server. */
  readonly remote_address: string | null;
  /** `device.update`, `certificate.revoke`, ... */
  readonly action: string;
  /** `device`, `group`, `certificate`, ... */
  readonly object_kind: string;
  readonly object_id: string;
  /** The group that the object stands in: who may see the entry. `/` for what belongs to all. */
  readonly group_path: string;
  /** JSON; null: was not there. */
  readonly before: string | null;
  /** JSON; null: is no more. */
  readonly after: string | null;
}
